package dag

import "errors"

// Errors of a [Store].
var (
	// ErrNotFound says that the record or named value does not exist.
	ErrNotFound = errors.New("dag: not found")
	// ErrCorrupt says that stored bytes are not what was stored; see [CorruptError].
	ErrCorrupt = errors.New("dag: store is corrupt")
	// ErrFailed says that an earlier write failed, so that the store takes no more.
	ErrFailed = errors.New("dag: store has failed")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("dag: store is closed")
	// ErrTooLarge says that an argument exceeds its bound; nothing was stored.
	ErrTooLarge = errors.New("dag: larger than its bound")
)

// Errors of decoding and signing.
var (
	// ErrID says that a text is not an op ID, or not a schema's.
	ErrID = errors.New("dag: not an op ID")
	// ErrLimit says that something exceeds its bound in limits.go.
	ErrLimit = errors.New("dag: over a limit")
	// ErrWrite says that a write breaks the form of docs/op.md section 5.
	ErrWrite = errors.New("dag: malformed write")
	// ErrBody says that a body container breaks the form of docs/op.md section 4.
	ErrBody = errors.New("dag: malformed body")
	// ErrForm says that a value is not of the form that policy demands of its key.
	ErrForm = errors.New("dag: value is not well formed")
	// ErrForkProof says that two blocks do not prove a fork.
	ErrForkProof = errors.New("dag: not a proof of a fork")
)

// Errors of a [Graph] and a [Pool].
var (
	// ErrDuplicate says that the graph, or the pool, already holds the op.
	ErrDuplicate = errors.New("dag: op already present")
	// ErrFull says that the graph holds as many ops as it ever can.
	ErrFull = errors.New("dag: graph is full")
	// ErrPoolFull says that the pool has no room that the peer may take.
	ErrPoolFull = errors.New("dag: pool of pending ops is full")
)
