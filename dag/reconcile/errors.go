package reconcile

import "errors"

// Errors returned by [Session.Receive] and [New], wrapped with what was found.
// They are distinct because the penalty of a peer depends on them. After any
// of them the session is over and nothing more of that peer's stream is to be
// read.
var (
	// ErrMalformed says that a frame is not the one encoding of a message, or
	// that an op in it is not sound in form: no correct peer sends that.
	ErrMalformed = errors.New("reconcile: malformed frame")
	// ErrVersion says that the peer speaks another version of the protocol.
	// It is no fault of the peer.
	ErrVersion = errors.New("reconcile: unknown version")
	// ErrMesh says that the peer's summary is of another mesh.
	ErrMesh = errors.New("reconcile: wrong mesh")
	// ErrLimit says that a frame, or a part of one, exceeds its bound.
	ErrLimit = errors.New("reconcile: over a limit")
	// ErrProtocol says that a well-formed frame came where the protocol has
	// no place for it, or contradicts an operation that its own hash names:
	// no correct peer sends that.
	ErrProtocol = errors.New("reconcile: frame out of place")
	// ErrMemory says that the memory of the peer given to New is damaged. The
	// caller may start again without it: the first summary is then longer.
	ErrMemory = errors.New("reconcile: malformed memory of a peer")
)
