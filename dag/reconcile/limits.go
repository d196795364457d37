package reconcile

import "github.com/causeway-sync/causeway/dag"

// Version is the version of the messages that this package speaks.
const Version = 0

// Bounds of the messages. All are part of the protocol: a peer that exceeds
// one is refused with [ErrLimit].
const (
	// TargetFrame is the greatest length in bytes of a frame of several
	// operations: large enough that framing costs nothing, small enough that
	// the peer commits while the next one travels.
	TargetFrame = 256 << 10

	// MaxFrame is the greatest length in bytes of any frame: one operation
	// with the largest block and body, and the frame's own few bytes. The
	// transport refuses a longer one before it reads it.
	MaxFrame = dag.MaxBlock + dag.MaxBody + 32

	// MaxFrameOps is the greatest number of operations in a frame. It is above
	// what TargetFrame admits, as a block takes more than 200 bytes.
	MaxFrameOps = 2048

	// MaxAnchor is the greatest number of operations in an anchor. Any subset
	// of an anchor is an anchor, only an older one, so a longer one is cut.
	MaxAnchor = 1024

	// MaxTips is the greatest number of entries in a vector, about 70 bytes
	// each. What is not stated is sent again by the peer, and never lost.
	MaxTips = 16384

	// MaxAuthorTips is the greatest number of entries of one author in a
	// vector: a forker cannot fill it.
	MaxAuthorTips = 64

	// MaxSessionBytes bounds the bytes of operation frames that one side
	// sends in one session, whatever its configuration: a peer that sends
	// more is refused. What is then still missing is for the next session.
	MaxSessionBytes = 1 << 30
)

// DefaultMaxBytes is used where [Config].MaxBytes is zero: 64 MiB of operation
// frames, a few seconds of a good link.
const DefaultMaxBytes = 64 << 20
