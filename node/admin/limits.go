package admin

import "time"

// Bounds of the interface. They protect the node from a script gone wild;
// nobody but the node's own user and root reaches the socket.
const (
	// MaxRequestBytes bounds a request's head, its path included. The longest
	// honest path names a key.
	MaxRequestBytes = 16 << 10

	// MaxBodyBytes bounds a request's body: as many statements as an operation
	// carries (dag.MaxStatements of 16 KiB), in base64. Others are not read.
	MaxBodyBytes = 2 << 20

	// MaxResponseBytes bounds what the client reads of an answer: an op's body
	// of 4 MiB may be all smallest writes of some 6 bytes, which take some 40
	// each as JSON.
	MaxResponseBytes = 64 << 20

	// MaxRequests bounds the requests at work at one time. Further ones are
	// answered ErrBusy at once.
	MaxRequests = 32

	// DefaultLogOps and MaxLogOps are the number of ops a log answer holds if
	// none is asked for, and at most.
	DefaultLogOps = 20
	MaxLogOps     = 1000

	// MaxKeyWrites bounds the writes of one key in an answer, about: the writer
	// reads as many records for it. MaxConflictKeys bounds the keys of an
	// answer about conflicts.
	MaxKeyWrites    = 1000
	MaxConflictKeys = 100

	// RequestTimeout bounds the time of one request, the answer's sending
	// included.
	RequestTimeout = 30 * time.Second

	// shutdownTimeout is how long Close waits for requests at work.
	shutdownTimeout = 5 * time.Second
)
