package dag

import "fmt"

// Index is the position of a record in a node's admission log: dense, from 1.
// Zero means "none". It is local to a node and never travels.
type Index uint64

// RecordKind says what a record's payload holds. It is opaque to the store;
// node/commit defines the values.
type RecordKind uint8

// A Record is one entry of the admission log.
type Record struct {
	// Kind and Payload are stored as they are and covered by the chained hash.
	Kind    RecordKind
	Payload []byte
	// Ops are the operations that [Store.Lookup] finds by this record. They
	// are part of the record: Read and Scan return them in the same order. An
	// ID appended again by a later record then leads to the later record.
	Ops []ID
}

// MaxRecordPayload bounds a record's payload, in bytes: a batch of client
// transactions, or an op's block and body (MaxBlock + MaxBody), with room for
// framing. Append refuses more with [ErrTooLarge] and stores nothing.
const MaxRecordPayload = 8 << 20

// MaxRecordOps bounds the op IDs of a record: one append of a batch of received ops.
const MaxRecordOps = 4096

// MaxMetaName and MaxMetaValue bound, in bytes, a named value's name and value:
// the largest is a fork proof of two blocks, with room for framing.
const (
	MaxMetaName  = 256
	MaxMetaValue = 64 << 10
)

// Store is the durable admission log of one node: the one truth on disk, in
// order, with an index from op ID to record and some small named values beside
// it. dag/leveldb keeps it on disk, dag/memstore in memory; dag/storetest is
// the conformance suite both pass.
//
// Every stored record carries a chained hash, sha256 over the previous
// record's chained hash (32 zero bytes before the first), the index, the kind,
// the payload and the ops, so that a record that was altered, lost or moved is
// found. Opening an existing store verifies that the indexes are dense and
// checks at least the last records; [Store.Scan] from 1 checks every record.
// A damaged store is refused, never repaired in silence.
//
// A Store is safe for concurrent use: one writer at a time, any number of
// readers. Slices passed in are not kept after the call returns; slices
// returned belong to the caller, except inside Scan and ScanMeta.
//
// Once an Append, Sync or PutMeta has failed for a reason other than its
// arguments, what is on disk is unknown: the store has failed, and every later
// call of any method but Close returns an error that wraps [ErrFailed] and the
// first failure. It never retries. After Close every method returns [ErrClosed].
type Store interface {
	// Append adds recs at the end, in order, all or none, and returns the
	// index of the first. If sync is true they, and everything appended
	// before, are durable when it returns: they survive a power loss.
	// Without sync, a crash may lose a suffix of the unsynced records, but
	// never a part of one Append nor a record before one that survives.
	// With no recs it appends nothing, returns Last()+1, and still syncs if
	// asked to. Errors: ErrTooLarge (nothing appended, not failed), ErrFailed.
	Append(recs []Record, sync bool) (first Index, err error)

	// Sync makes everything appended so far durable.
	Sync() error

	// Last returns the index of the last record, 0 if there is none. It
	// returns the last known value after a failure or Close.
	Last() Index

	// Read returns record i. Errors: ErrNotFound if i is 0 or greater than
	// Last, a *CorruptError if it does not match its chained hash.
	Read(i Index) (Record, error)

	// Scan calls fn for each record from index from (0 means 1) to the last
	// one appended when Scan began, in order, and verifies density and the
	// chained hash on the way. The record's slices are valid only during the
	// call. It stops at the first error of fn and returns it as it is; a
	// damaged record ends it with a *CorruptError before fn sees it. A from
	// beyond Last scans nothing. fn must not call methods that write.
	Scan(from Index, fn func(Index, Record) error) error

	// Lookup returns the index of the record that names op, and whether there is one.
	Lookup(op ID) (Index, bool, error)

	// GetMeta returns the value of name. Errors: ErrNotFound, a
	// *CorruptError if the value does not match its checksum.
	GetMeta(name string) ([]byte, error)

	// PutMeta sets name to v, durably and atomically; a nil v removes name,
	// an empty one is a value. Everything appended before is then durable too. Errors:
	// ErrTooLarge if name or v exceeds its bound or name is empty, ErrFailed.
	PutMeta(name string, v []byte) error

	// ScanMeta calls fn for each named value whose name begins with prefix,
	// in byte order of names. The slice is valid only during the call. It
	// stops at the first error of fn and returns it as it is.
	ScanMeta(prefix string, fn func(name string, v []byte) error) error

	// Size returns about how many bytes the store occupies on its medium.
	Size() (bytes int64, err error)

	// Close makes everything appended durable, unless the store has failed,
	// and releases the store. Closing again returns nil.
	Close() error
}

// CorruptError says which part of a store is damaged. It matches
// [ErrCorrupt] with errors.Is, and whatever Err wraps.
type CorruptError struct {
	Key    string // the store's key of the damaged item, printable: "record 17", "meta window"
	Offset int64  // the byte at which the damage shows, within the item or its file; -1 if unknown
	Err    error  // what did not match; may be nil
}

// Error implements error.
func (e *CorruptError) Error() string {
	s := "dag: store is corrupt at " + e.Key
	if e.Offset >= 0 {
		s += fmt.Sprintf(", byte %d", e.Offset)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns Err.
func (e *CorruptError) Unwrap() error { return e.Err }
