package reconcile

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
)

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

	// MaxAnchor is the greatest number of operations in an anchor, about 20
	// bytes each. Any subset of an anchor is one too, only an older one, so a
	// longer one is cut.
	MaxAnchor = 1024

	// MaxTips is the greatest number of authors in a vector, and of branches
	// beside it, 20 to 60 bytes each. What is not stated is sent again by the
	// peer, and never lost.
	MaxTips = 16384

	// MaxAuthorTips is the greatest number of branches of one author that a
	// summary states: a forker cannot fill it.
	MaxAuthorTips = 64

	// MaxFilter is the greatest length in bytes of a filter: some 21,000 ops
	// of forkers at full precision, more at a lesser one.
	MaxFilter = 64 << 10

	// MaxWithout is the greatest number of authors whose operations a side asks
	// to be spared, 6 bytes each: as many as it may know to have forked.
	MaxWithout = 4096

	// MaxSymbols is the greatest number of coded symbols of one summary, those
	// added to it later included.
	MaxSymbols = riblt.MaxSymbols

	// window is how much of its answer a side sends before it waits for an
	// ack, and ackEvery how much the other takes before it sends one, in units
	// of TargetFrame: 3 and 2 MiB. It bounds what is sent again after a
	// broken connection, whatever the transport buffers.
	window, ackEvery = 12, 8

	// maxUnacked is the most that can be sent and not acknowledged: a window
	// but one unit, and the largest frame.
	maxUnacked = window - 1 + (MaxFrame+TargetFrame-1)/TargetFrame

	// MaxSessionBytes bounds the bytes of operation frames that one side
	// sends in one session, whatever its configuration: a peer that sends
	// more is refused. What is then still missing is for the next session.
	MaxSessionBytes = 1 << 30
)

// What a sender chooses. A peer need not know.
const (
	// DefaultMaxBytes is used where [Config].MaxBytes is zero: 64 MiB of
	// operation frames, a few seconds of a good link.
	DefaultMaxBytes = 64 << 20

	// minSketch is the number of authors in a vector from which a sketch is
	// sent in its stead. A vector of fewer takes less than about 64 KiB,
	// which costs a slow link no more than the round trip that is lost where a
	// sketch does not decode.
	minSketch = 2048

	// sketchShare is how many authors there are for each symbol of the first
	// part of a sketch, about a thirtieth of what the vector takes: it
	// decodes where about one author in fifty differs at either side.
	sketchShare = 25

	// sketchGrowth is by how much each further part of a sketch lengthens it;
	// sketchMost is how many authors there must be for each symbol of it, else
	// the vector is sent: it costs about as much and always decodes.
	sketchGrowth, sketchMost = 4, 4

	// filterBits is the precision of a filter, in bits for each op; below
	// minFilterBits one is not worth sending. With the number of hashes that
	// is best, an op that is not in it seems to be with probability 10^-5, and 2%.
	filterBits, minFilterBits = 24, 8
)
