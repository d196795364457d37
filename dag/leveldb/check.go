package leveldb

import (
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/causeway-sync/causeway/dag"
)

// Check verifies the whole store: every record and the chain, that each op a
// record names is found by a record that names it, that nothing else is
// indexed, and every named value. It reads everything once, and
// every op's index entry. The error is a *[dag.CorruptError] if something is
// damaged. What is written during the check may go unchecked.
func (s *Store) Check() error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	// In this order: the snapshot then holds every record up to last.
	last := s.Last()
	snap, err := s.db.GetSnapshot()
	if err != nil {
		return asCorrupt("store", err)
	}
	defer snap.Release()

	named := 0 // ops whose index entry leads to this very record
	err = s.Scan(1, func(i dag.Index, r dag.Record) error {
		seen := make(map[dag.ID]bool, len(r.Ops))
		for _, op := range r.Ops {
			if i > last || seen[op] {
				continue
			}
			seen[op] = true
			v, err := snap.Get(opKey(op), nil)
			if err == leveldb.ErrNotFound {
				return corruptAt(opName(op), -1, errUnindexed)
			}
			if err != nil {
				return asCorrupt(opName(op), err)
			}
			if len(v) != 8 {
				return corruptAt(opName(op), int64(len(v)), errMalformed)
			}
			// A later record may have taken the op over.
			switch to := dag.Index(binary.BigEndian.Uint64(v)); {
			case to < i:
				return corruptAt(opName(op), 0, errOpIndex)
			case to == i:
				named++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.checkIndex(snap, last, named); err != nil {
		return err
	}
	return s.ScanMeta("", func(string, []byte) error { return nil })
}

// checkIndex verifies that the index holds as many entries that lead to
// records up to last as were met at the records themselves.
func (s *Store) checkIndex(snap *leveldb.Snapshot, last dag.Index, named int) error {
	entries := 0
	err := scanIndex(snap, func(_ dag.ID, i dag.Index) error {
		if i <= last {
			entries++
		}
		return nil
	})
	if err != nil || entries == named {
		return err
	}
	// Find the entry that leads to a record which does not name its op.
	err = scanIndex(snap, func(op dag.ID, _ dag.Index) error {
		_, _, err := s.Lookup(op)
		return err
	})
	if err != nil {
		return err
	}
	return corruptAt("op index", -1, fmt.Errorf("%d entries, want %d", entries, named))
}

func scanIndex(snap *leveldb.Snapshot, fn func(dag.ID, dag.Index) error) error {
	it := snap.NewIterator(util.BytesPrefix([]byte{prefixOp}), nil)
	defer it.Release()
	for it.Next() {
		if len(it.Key()) != 1+len(dag.ID{}) || len(it.Value()) != 8 {
			return corruptAt("op index", int64(len(it.Value())), errMalformed)
		}
		if err := fn(dag.ID(it.Key()[1:]), dag.Index(binary.BigEndian.Uint64(it.Value()))); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return asCorrupt("op index", err)
	}
	return nil
}
