package leveldb

import (
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/causeway-sync/causeway/dag"
)

// keptScratch bounds, in bytes, each buffer that a writer keeps between appends.
const keptScratch = 1 << 20

// Append implements [dag.Store].
func (s *Store) Append(recs []dag.Record, sync bool) (dag.Index, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.begin(); err != nil {
		return 0, err
	}
	defer s.end()
	first := s.Last() + 1
	for j := range recs {
		if n := len(recs[j].Payload); n > dag.MaxRecordPayload {
			return 0, fmt.Errorf("%w: a payload of %d bytes, at most %d", dag.ErrTooLarge, n, dag.MaxRecordPayload)
		}
		if n := len(recs[j].Ops); n > dag.MaxRecordOps {
			return 0, fmt.Errorf("%w: a record of %d ops, at most %d", dag.ErrTooLarge, n, dag.MaxRecordOps)
		}
	}
	if len(recs) == 0 {
		if sync {
			return first, s.sync()
		}
		return first, nil
	}

	s.batch.Reset()
	head, i := s.head, first
	for j := range recs {
		s.scratch, head = appendRecord(s.scratch[:0], head, i, &recs[j])
		s.batch.Put(recordKey(i), s.scratch)
		if len(recs[j].Ops) > 0 {
			index := recordKey(i)[1:]
			for _, op := range recs[j].Ops {
				s.batch.Put(opKey(op), index)
			}
		}
		i++
	}
	if err := s.commit(i-1, head, sync); err != nil {
		return 0, s.fail(err)
	}
	if cap(s.scratch) > keptScratch || len(s.batch.Dump()) > keptScratch {
		s.scratch, s.batch = nil, leveldb.Batch{}
	}
	return first, nil
}

// commit adds the mark to the batch and writes it. The caller holds writing,
// or is alone.
func (s *Store) commit(last dag.Index, head chainHash, sync bool) error {
	// A failure in the background, as in a compaction, counts as well.
	if err := s.guard.failed(); err != nil {
		return err
	}
	m := mark{session: s.session, last: last, head: head}
	m.journal, m.durable = s.guard.durable()
	s.batch.Put([]byte(keyMark), m.encode())
	if err := s.db.Write(&s.batch, &opt.WriteOptions{Sync: sync}); err != nil {
		return err
	}
	// goleveldb does not report everything: a journal it closed, say.
	if err := s.guard.failed(); err != nil {
		return err
	}
	s.head = head
	s.last.Store(uint64(last))
	return nil
}

// Sync implements [dag.Store].
func (s *Store) Sync() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	return s.sync()
}

func (s *Store) sync() error {
	if err := s.guard.syncJournal(); err != nil {
		return s.fail(err)
	}
	return nil
}

// PutMeta implements [dag.Store].
func (s *Store) PutMeta(name string, v []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	if name == "" || len(name) > dag.MaxMetaName {
		return fmt.Errorf("%w: a name of %d bytes, from 1 to %d", dag.ErrTooLarge, len(name), dag.MaxMetaName)
	}
	if len(v) > dag.MaxMetaValue {
		return fmt.Errorf("%w: a value of %d bytes, at most %d", dag.ErrTooLarge, len(v), dag.MaxMetaValue)
	}
	s.batch.Reset()
	key := metaKey(name)
	if v == nil {
		s.batch.Delete(key)
	} else {
		s.batch.Put(key, encodeMeta(key, v))
	}
	if err := s.commit(s.Last(), s.head, true); err != nil {
		return s.fail(err)
	}
	return nil
}
