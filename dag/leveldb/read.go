package leveldb

import (
	"encoding/binary"
	"slices"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/causeway-sync/causeway/dag"
)

// Last implements [dag.Store].
func (s *Store) Last() dag.Index { return dag.Index(s.last.Load()) }

// Read implements [dag.Store].
func (s *Store) Read(i dag.Index) (dag.Record, error) {
	if err := s.begin(); err != nil {
		return dag.Record{}, err
	}
	defer s.end()
	st, err := s.read(i)
	return st.record, err
}

// read returns record i. It may be one beyond Last: that an Append has just
// written, and a Lookup has just found.
func (s *Store) read(i dag.Index) (stored, error) {
	last := s.Last()
	v, err := s.db.Get(recordKey(i), nil)
	if err == leveldb.ErrNotFound {
		if i == 0 || i > last {
			return stored{}, dag.ErrNotFound
		}
		return stored{}, corruptAt(recordName(i), -1, errGap)
	}
	if err != nil {
		return stored{}, asCorrupt(recordName(i), err)
	}
	return decodeRecord(i, v)
}

// Scan implements [dag.Store].
func (s *Store) Scan(from dag.Index, fn func(dag.Index, dag.Record) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	last := s.Last()
	if from > last {
		return nil
	}
	return s.scan(max(from, 1), last, chainHash{}, fn)
}

// scan calls fn for the records from..last and verifies that they are dense
// and chained, the first of them to the one before it, and that the last has
// the hash head unless that is zero.
func (s *Store) scan(from, last dag.Index, head chainHash, fn func(dag.Index, dag.Record) error) error {
	var prev chainHash
	if from > 1 {
		before, err := s.read(from - 1)
		if err != nil {
			return err
		}
		prev = before.hash
	}
	it := s.db.NewIterator(recordRange(from), &opt.ReadOptions{DontFillCache: true})
	defer it.Release()
	for i := from; i <= last; i++ {
		if !it.Next() {
			if err := it.Error(); err != nil {
				return asCorrupt(recordName(i), err)
			}
			return corruptAt(recordName(i), -1, errGap)
		}
		if k, ok := parseRecordKey(it.Key()); !ok || k != i {
			return corruptAt(recordName(i), -1, errGap)
		}
		st, err := decodeRecord(i, it.Value())
		if err != nil {
			return err
		}
		if st.prev != prev {
			return corruptAt(recordName(i), hashLen, errChain)
		}
		prev = st.hash
		if i == last && head != (chainHash{}) && head != prev {
			return corruptAt(recordName(i), 0, errMark)
		}
		if err := fn(i, st.record); err != nil {
			return err
		}
	}
	return nil
}

// recordRange is the range of the keys of records from i.
func recordRange(i dag.Index) *util.Range {
	return &util.Range{Start: recordKey(i), Limit: []byte{prefixRecord + 1}}
}

func parseRecordKey(k []byte) (dag.Index, bool) {
	if len(k) != 1+8 || k[0] != prefixRecord {
		return 0, false
	}
	return dag.Index(binary.BigEndian.Uint64(k[1:])), true
}

// Lookup implements [dag.Store]. It reads the record it found, to be sure that
// the record names op.
func (s *Store) Lookup(op dag.ID) (dag.Index, bool, error) {
	if err := s.begin(); err != nil {
		return 0, false, err
	}
	defer s.end()
	v, err := s.db.Get(opKey(op), nil)
	if err == leveldb.ErrNotFound {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, asCorrupt(opName(op), err)
	}
	if len(v) != 8 {
		return 0, false, corruptAt(opName(op), int64(len(v)), errMalformed)
	}
	// Not checked against Last: the record may have been appended since.
	i := dag.Index(binary.BigEndian.Uint64(v))
	st, err := s.read(i)
	if err == dag.ErrNotFound {
		err = corruptAt(opName(op), 0, errGap)
	}
	if err != nil {
		return 0, false, err
	}
	if !slices.Contains(st.record.Ops, op) {
		return 0, false, corruptAt(opName(op), 0, errOpIndex)
	}
	return i, true, nil
}

// GetMeta implements [dag.Store].
func (s *Store) GetMeta(name string) ([]byte, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	key := metaKey(name)
	b, err := s.db.Get(key, nil)
	if err == leveldb.ErrNotFound {
		return nil, dag.ErrNotFound
	}
	if err != nil {
		return nil, asCorrupt(metaName(name), err)
	}
	return decodeMeta(key, b)
}

// ScanMeta implements [dag.Store].
func (s *Store) ScanMeta(prefix string, fn func(name string, v []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	it := s.db.NewIterator(util.BytesPrefix(metaKey(prefix)), nil)
	defer it.Release()
	for it.Next() {
		v, err := decodeMeta(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if err := fn(string(it.Key()[1:]), v); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return asCorrupt(metaName(prefix), err)
	}
	return nil
}
