// Package memstore keeps an admission log in memory: a [dag.Store] for tests and
// for nodes that may forget.
//
// A [Medium] stands for the disk: it outlives the Store opened on it, and a power
// loss can be played on it. The package guarantees what the contract says, with
// durability as far as the process lives; it cannot be damaged, so it never
// returns a [dag.CorruptError]. dag/leveldb is the one that lasts (docs/store.md).
package memstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/causeway-sync/causeway/dag"
)

// ErrLocked says that another Store is open on the Medium.
var ErrLocked = errors.New("dag/memstore: medium is in use by another store")

// errPowerLoss is what ends a Store whose Medium lost power.
var errPowerLoss = errors.New("power loss")

// Medium is what a Store is kept on. The zero Medium is empty and ready. It
// is safe for concurrent use.
type Medium struct {
	mu      sync.Mutex
	open    *Store
	records []dag.Record
	durable int // records that are synced
	ops     map[dag.ID]dag.Index
	meta    map[string][]byte
	bytes   int64
}

// Open opens the store kept on m. The error is [ErrLocked] while another is open.
func (m *Medium) Open() (*Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open != nil {
		return nil, ErrLocked
	}
	if m.ops == nil {
		m.ops, m.meta = map[dag.ID]dag.Index{}, map[string][]byte{}
	}
	m.open = &Store{m: m}
	return m.open, nil
}

// PowerLoss drops all but the first keep of the unsynced records (all that
// there are, if keep is greater), and ends the open Store, whose calls return
// [dag.ErrFailed] from then on.
func (m *Medium) PowerLoss(keep int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable = min(m.durable+max(keep, 0), len(m.records))
	m.records = m.records[:m.durable:m.durable]
	m.bytes = 0
	clear(m.ops)
	for i, r := range m.records {
		m.enter(dag.Index(i+1), r)
	}
	for name, v := range m.meta {
		m.bytes += int64(len(name) + len(v))
	}
	if m.open != nil {
		m.open.fail(errPowerLoss)
		m.open = nil
	}
}

// enter counts and indexes a record.
func (m *Medium) enter(i dag.Index, r dag.Record) {
	for _, op := range r.Ops {
		m.ops[op] = i
	}
	m.bytes += int64(len(r.Payload) + len(r.Ops)*len(dag.ID{}))
}

// Store is a [dag.Store] in memory. Make one with [New] or [Medium.Open].
type Store struct {
	m       *Medium
	closed  bool // guarded by m.mu, as all fields
	failure error
	last    dag.Index
}

var _ dag.Store = (*Store)(nil)

// New returns an empty store on a medium of its own.
func New() *Store {
	s, err := new(Medium).Open()
	if err != nil {
		panic(err) // a new medium is not locked
	}
	return s
}

// Fail makes the store fail for good, as a disk that does not sync would.
func (s *Store) Fail(err error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.fail(err)
}

func (s *Store) fail(err error) {
	if s.failure == nil {
		s.failure = fmt.Errorf("%w: %w", dag.ErrFailed, err)
		s.last = dag.Index(len(s.m.records))
	}
}

// lock locks the medium for a call; the caller unlocks it if the error is nil.
func (s *Store) lock() error {
	s.m.mu.Lock()
	err := s.failure
	if s.closed {
		err = dag.ErrClosed
	}
	if err != nil {
		s.m.mu.Unlock()
	}
	return err
}

// Append implements [dag.Store].
func (s *Store) Append(recs []dag.Record, sync bool) (dag.Index, error) {
	if err := s.lock(); err != nil {
		return 0, err
	}
	defer s.m.mu.Unlock()
	for _, r := range recs {
		if len(r.Payload) > dag.MaxRecordPayload || len(r.Ops) > dag.MaxRecordOps {
			return 0, fmt.Errorf("%w: a record of %d bytes and %d ops", dag.ErrTooLarge, len(r.Payload), len(r.Ops))
		}
	}
	first := dag.Index(len(s.m.records) + 1)
	for _, r := range recs {
		s.m.records = append(s.m.records, clone(r))
		s.m.enter(dag.Index(len(s.m.records)), r)
	}
	if sync {
		s.m.durable = len(s.m.records)
	}
	return first, nil
}

func clone(r dag.Record) dag.Record {
	return dag.Record{Kind: r.Kind, Payload: bytes.Clone(r.Payload), Ops: slices.Clone(r.Ops)}
}

// Sync implements [dag.Store].
func (s *Store) Sync() error {
	_, err := s.Append(nil, true)
	return err
}

// Last implements [dag.Store].
func (s *Store) Last() dag.Index {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed || s.failure != nil {
		return s.last
	}
	return dag.Index(len(s.m.records))
}

// Read implements [dag.Store].
func (s *Store) Read(i dag.Index) (dag.Record, error) {
	if err := s.lock(); err != nil {
		return dag.Record{}, err
	}
	defer s.m.mu.Unlock()
	if i == 0 || i > dag.Index(len(s.m.records)) {
		return dag.Record{}, dag.ErrNotFound
	}
	return clone(s.m.records[i-1]), nil
}

// Scan implements [dag.Store].
func (s *Store) Scan(from dag.Index, fn func(dag.Index, dag.Record) error) error {
	if err := s.lock(); err != nil {
		return err
	}
	// Records never change, so fn may be called without the lock.
	records := s.m.records
	s.m.mu.Unlock()
	for i := max(from, 1); i <= dag.Index(len(records)); i++ {
		if err := fn(i, records[i-1]); err != nil {
			return err
		}
	}
	return nil
}

// Lookup implements [dag.Store].
func (s *Store) Lookup(op dag.ID) (dag.Index, bool, error) {
	if err := s.lock(); err != nil {
		return 0, false, err
	}
	defer s.m.mu.Unlock()
	i, ok := s.m.ops[op]
	return i, ok, nil
}

// GetMeta implements [dag.Store].
func (s *Store) GetMeta(name string) ([]byte, error) {
	if err := s.lock(); err != nil {
		return nil, err
	}
	defer s.m.mu.Unlock()
	v, ok := s.m.meta[name]
	if !ok {
		return nil, dag.ErrNotFound
	}
	return bytes.Clone(v), nil
}

// PutMeta implements [dag.Store].
func (s *Store) PutMeta(name string, v []byte) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.m.mu.Unlock()
	if name == "" || len(name) > dag.MaxMetaName || len(v) > dag.MaxMetaValue {
		return fmt.Errorf("%w: a name of %d and a value of %d bytes", dag.ErrTooLarge, len(name), len(v))
	}
	if old, ok := s.m.meta[name]; ok {
		s.m.bytes -= int64(len(name) + len(old))
	}
	if v == nil {
		delete(s.m.meta, name)
	} else {
		s.m.meta[name] = bytes.Clone(v)
		s.m.bytes += int64(len(name) + len(v))
	}
	s.m.durable = len(s.m.records)
	return nil
}

// ScanMeta implements [dag.Store].
func (s *Store) ScanMeta(prefix string, fn func(name string, v []byte) error) error {
	if err := s.lock(); err != nil {
		return err
	}
	// Values are replaced, never changed.
	meta := maps.Clone(s.m.meta)
	s.m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := fn(name, meta[name]); err != nil {
			return err
		}
	}
	return nil
}

// Size implements [dag.Store]: the bytes of payloads, op IDs and named values.
func (s *Store) Size() (int64, error) {
	if err := s.lock(); err != nil {
		return 0, err
	}
	defer s.m.mu.Unlock()
	return s.m.bytes, nil
}

// Close implements [dag.Store].
func (s *Store) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.m.open == s {
		s.m.open = nil
	}
	if s.failure == nil {
		s.last = dag.Index(len(s.m.records))
		s.m.durable = len(s.m.records)
	}
	return nil
}
