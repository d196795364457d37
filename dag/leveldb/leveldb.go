// Package leveldb keeps a node's admission log on disk: [dag.Store] on goleveldb.
//
// It guarantees what the contract says, and in particular: what was synced
// survives a power loss, in order and without a hole; what was not synced may
// be lost from the end, never from the middle; and bytes that are not what was
// stored are refused with a [dag.CorruptError] that names the key or file and
// the offset, never served, skipped or repaired. After a failed write or sync the
// store stops for good.
//
// It does not guarantee anything against somebody who can write to the
// directory: whoever rewrites the whole log with fitting hashes, or puts back
// an older copy, is not noticed here. Nor can it tell a power loss from a disk
// that zeroed or cut off the very last batch of a store that was not closed.
//
// docs/store.md fixes the layout and argues the durability.
package leveldb

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/causeway-sync/causeway/dag"
)

// Sizes, in bytes unless said otherwise; docs/store.md section 7 has the reasons and the
// measurements.
const (
	// writeBuffer is how much is gathered in memory before it becomes a
	// table. Up to two are held, and as much journal is read at open.
	writeBuffer = 8 << 20
	// preallocated is a journal's size on disk from the start: the write
	// buffer and the framing of its batches.
	preallocated = writeBuffer + writeBuffer/8
	// blockCache serves reads of records that peers ask for again.
	blockCache = 8 << 20
	// tableSize bounds a table, so that a log of 10 GB has some 1,300 files.
	tableSize = 8 << 20
	// openFiles bounds the file descriptors held for tables.
	openFiles = 128
	// filterBits per key let an op lookup skip tables that do not hold it.
	filterBits = 10
)

// checkedAtOpen is how many of the last records Open verifies.
const checkedAtOpen = 64

// Options of a store. The zero value is what a node uses.
type Options struct {
	// MustExist makes opening fail with [ErrMissing] where there is no store,
	// instead of creating one.
	MustExist bool
	// ReadOnly opens an existing store without changing a byte of its
	// directory. Others may read it at the same time, nobody may write it.
	// Append, PutMeta and Sync fail.
	ReadOnly bool
}

// Store is a [dag.Store] on goleveldb. Make one with [Open] or [OpenStorage].
// It is safe for concurrent use; writers wait for one another.
type Store struct {
	db      *leveldb.DB
	guard   *guard
	session uint64       // goes into every mark
	release func() error // closes the storage, if the store owns it

	// writing is held by the one writer, with what only writers touch.
	writing sync.Mutex
	head    chainHash
	batch   leveldb.Batch
	scratch []byte

	last atomic.Uint64

	mu      sync.Mutex
	idle    sync.Cond // signals users == 0
	users   int       // calls in progress
	closed  bool
	failure error // what every call returns after a failure
}

var _ dag.Store = (*Store)(nil)

// Open opens the store in a directory and locks it, and creates both if they
// do not exist. It verifies the journals, that no table is missing, and the
// end of the log; [Store.Scan] verifies every record and [Store.Check]
// everything.
//
// Errors: [ErrLocked] if it is open already, [ErrMissing], [ErrFormat], a
// *[dag.CorruptError] if it is damaged, and those of the file system.
func Open(dir string, o Options) (*Store, error) {
	st, err := openDisk(dir, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	s, err := OpenStorage(st, o)
	if err != nil {
		st.Close()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	s.release = st.Close
	return s, nil
}

// OpenStorage is [Open] on a given storage, which stays the caller's to close.
func OpenStorage(st Storage, o Options) (*Store, error) {
	g, err := newGuard(st)
	if err != nil {
		return nil, fmt.Errorf("dag/leveldb: %w", err)
	}
	empty, err := g.inspect()
	if err != nil {
		return nil, err
	}
	if empty && (o.MustExist || o.ReadOnly) {
		return nil, ErrMissing
	}
	db, err := leveldb.Open(g, options(o))
	if errors.Is(err, storage.ErrLocked) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, asCorrupt("store", err)
	}
	s := &Store{db: db, guard: g, session: newSession()}
	s.idle.L = &s.mu
	if err := s.start(o); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func options(o Options) *opt.Options {
	return &opt.Options{
		ReadOnly:                     o.ReadOnly,
		Strict:                       opt.StrictAll,
		NoWriteMerge:                 true, // there is one writer
		DisableLargeBatchTransaction: true, // every batch goes through the journal
		DisableSeeksCompaction:       true, // reads do not cause writes
		Compression:                  opt.SnappyCompression,
		WriteBuffer:                  writeBuffer,
		BlockCacheCapacity:           blockCache,
		CompactionTableSize:          tableSize,
		OpenFilesCacheCapacity:       openFiles,
		Filter:                       filter.NewBloomFilter(filterBits),
	}
}

// newSession draws the number by which this opening's marks know one another:
// whoever has values stored cannot forge a mark among their bytes.
func newSession() uint64 {
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

// start checks what goleveldb recovered, or founds a new store.
func (s *Store) start(o Options) error {
	if err := s.guard.failed(); err != nil {
		return fmt.Errorf("dag/leveldb: %w", err)
	}
	if !o.ReadOnly {
		// Journals that recovery removed must not come back once there are
		// records in the new one.
		if err := s.guard.SyncDir(); err != nil {
			return fmt.Errorf("dag/leveldb: %w", err)
		}
	}
	v, err := s.db.Get([]byte(keyFormat), nil)
	switch {
	case err == leveldb.ErrNotFound:
		return s.found(o)
	case err != nil:
		return asCorrupt("format", err)
	case string(v) != format:
		return fmt.Errorf("%w: %q, want %q", ErrFormat, v, format)
	}
	return s.checkEnd()
}

// found writes the format into a store that holds nothing.
func (s *Store) found(o Options) error {
	it := s.db.NewIterator(nil, nil)
	defer it.Release()
	if it.First() {
		return corruptAt("format", -1, errors.New("missing in a store that is not empty"))
	}
	if err := it.Error(); err != nil {
		return asCorrupt("format", err)
	}
	if o.MustExist || o.ReadOnly {
		return ErrMissing
	}
	s.batch.Reset()
	s.batch.Put([]byte(keyFormat), []byte(format))
	if err := s.commit(0, chainHash{}, true); err != nil {
		return fmt.Errorf("dag/leveldb: %w", err)
	}
	return nil
}

// checkEnd verifies the mark and the last records, and sets last and head.
func (s *Store) checkEnd() error {
	v, err := s.db.Get([]byte(keyMark), nil)
	if err == leveldb.ErrNotFound {
		return corruptAt("mark", -1, errNoMark)
	}
	if err != nil {
		return asCorrupt("mark", err)
	}
	m, err := decodeMark(v)
	if err != nil {
		return err
	}
	it := s.db.NewIterator(recordRange(1), nil)
	defer it.Release()
	if it.Last() {
		if i, ok := parseRecordKey(it.Key()); !ok || i != m.last {
			return corruptAt(recordName(m.last), -1, errMark)
		}
	} else if err := it.Error(); err != nil {
		return asCorrupt(recordName(m.last), err)
	} else if m.last != 0 {
		return corruptAt(recordName(m.last), -1, errGap)
	}
	s.head = m.head
	s.last.Store(uint64(m.last))
	from := dag.Index(1)
	if m.last > checkedAtOpen {
		from = m.last - checkedAtOpen + 1
	}
	return s.scan(from, m.last, m.head, func(dag.Index, dag.Record) error { return nil })
}

// begin enters a call; end leaves it. Close waits for those that have entered.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return dag.ErrClosed
	}
	if s.failure != nil {
		return s.failure
	}
	s.users++
	return nil
}

func (s *Store) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.idle.Broadcast()
	}
}

// fail ends the store for good and returns what every call returns from now on.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		// The guard saw the first failure; goleveldb may report a later one.
		if first := s.guard.failed(); first != nil {
			err = first
		}
		s.failure = fmt.Errorf("%w: %w", dag.ErrFailed, err)
	}
	return s.failure
}

// Size implements [dag.Store]: the bytes written to the files that exist. A
// journal's preallocated rest counts only if the store was opened with it.
func (s *Store) Size() (int64, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	defer s.end()
	return s.guard.size(), nil
}

// Ending says how the log's end was found when the store was opened
// (docs/store.md section 6).
type Ending struct {
	// Closed says that nothing follows what the last batch vouches for: the
	// store was closed in good order. Where it is not, the last batch may have been
	// lost or cut off, and nothing on the disk would tell.
	Closed bool
	// Torn names the file that ends within a batch, which was left out, and At the
	// byte at which; it is empty if there is none.
	Torn string
	At   int64
}

// Ending returns how the log's end was found.
func (s *Store) Ending() Ending { return s.guard.ending }

// Close implements [dag.Store]. It waits for calls in progress, makes everything
// durable, and writes a last mark which says so: damage to any byte written
// before is then told from a power loss.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for s.users > 0 {
		s.idle.Wait()
	}
	failure := s.failure
	s.mu.Unlock()

	var err error
	if failure == nil {
		err = s.closingMark()
	}
	if cerr := s.db.Close(); err == nil && failure == nil {
		err = cerr
	}
	if s.release != nil {
		if rerr := s.release(); err == nil {
			err = rerr
		}
	}
	if err != nil {
		return fmt.Errorf("dag/leveldb: close: %w", err)
	}
	return nil
}

func (s *Store) closingMark() error {
	if err := s.guard.syncJournal(); err != nil {
		return err
	}
	if _, durable := s.guard.durable(); durable == 0 {
		return nil // nothing was written since the store was opened
	}
	s.batch.Reset()
	return s.commit(s.Last(), s.head, true)
}
