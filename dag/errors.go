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

// ErrID says that a text is not an op ID.
var ErrID = errors.New("dag: not an op ID")
