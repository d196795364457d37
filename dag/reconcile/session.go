package reconcile

import (
	"fmt"
	"slices"
	"sync"

	"github.com/causeway-sync/causeway/dag"
)

// Source is what a session reads: the operations a node holds. It must be safe
// for concurrent use.
type Source interface {
	// Graph returns the delivered operations, always the same graph. The
	// session reads it and never writes to it.
	Graph() *dag.Graph
	// Fetch returns the block and body of an op of the graph; the session does
	// not change them. An op that would not survive a crash must not leave the
	// node, else its author might sign another in its place: Fetch waits until
	// the op is durable, or fails.
	Fetch(id dag.ID) (block, body []byte, err error)
}

// Config configures a [Session].
type Config struct {
	// Mesh is the ID of the founding op. Required; a joiner knows it before it
	// holds the op.
	Mesh dag.ID
	// Anchor is what [Session.Anchor] returned for the same peer last, nil if
	// nothing. It must never be one of another peer: it would be correct, but
	// cost a round trip.
	Anchor []byte
	// MaxBytes bounds the operation frames that this side sends, in bytes;
	// zero means DefaultMaxBytes, and no more than MaxSessionBytes are sent.
	// The first operation is sent whatever its size, so that every session
	// makes progress.
	MaxBytes int64
}

// A Session is one side of one exchange with one peer. Frames from [Session.Next]
// go to the peer in order; frames from the peer go to [Session.Receive] in
// order.
//
// One goroutine may call Receive while another calls Next; the other methods
// may be called at any time. Next never waits: when it has no frame, the
// writer calls it again after the next Receive returned.
type Session struct {
	src      Source
	mesh     dag.ID
	maxBytes int64
	stored   []byte    // the anchor as configured
	anchor   []*dag.Op // those ops, if the graph holds all of them
	state    state     // what the opening summary states
	stated   []dag.ID  // the heads which it states

	mu       sync.Mutex
	err      error // the first; the session is over
	queue    []*outgoing
	peer     *summary // the peer's opening summary, or its full one
	owed     int      // answers queued or not yet possible, whose done was not sent
	expected int      // answers of the peer whose done was not received
	stats    Stats    // but RoundTrips

	// What happened at most once, by this side or by the peer.
	asks, wasAsked        bool // an ask
	full                  bool // the peer's summary came in full
	repaired, wasRepaired bool // a repair
	finSent, peerFin      bool // a fin
	held, peerHeld        bool // that fin was, or will be, satisfied
}

// outgoing is what waits to be sent: a message, or else an answer of ops.
type outgoing struct {
	m    message
	ops  []*dag.Op  // of an answer, those not yet fetched; used by Next alone
	next *encodedOp // fetched, but did not fit the last frame
	more bool       // the answer stopped at the limit
}

// Stats counts what a session did so far.
type Stats struct {
	SummaryBytesSent, SummaryBytesReceived int64 // frames that carry no ops, in bytes
	OpBytesSent, OpBytesReceived           int64 // frames of ops, in bytes
	OpsSent, OpsReceived                   int   // ops in them
	Duplicates                             int   // of OpsReceived, those the graph already held
	// PeerLacked is how many ops the peer lacked by its latest summary,
	// whether sent or not: how far it lags behind.
	PeerLacked int
	// RoundTrips is 1, and one more if either side had to ask for a summary
	// without an anchor, and one more if either sent a repair.
	RoundTrips int
}

// New begins a session: what the opening summary states is read from the graph
// now. If the graph does not hold all of the anchor, as after the loss of a
// disk, the session does without. The error wraps [ErrAnchor].
func New(src Source, cfg Config) (*Session, error) {
	ids, err := decodeAnchor(cfg.Anchor)
	if err != nil {
		return nil, err
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	g := src.Graph()
	s := &Session{
		src:      src,
		mesh:     cfg.Mesh,
		maxBytes: min(cfg.MaxBytes, MaxSessionBytes),
		stored:   slices.Clone(cfg.Anchor),
		owed:     1,
		expected: 1,
	}
	for _, id := range ids {
		op, ok := g.Get(id)
		if !ok {
			s.anchor, s.stored = nil, nil
			break
		}
		s.anchor = append(s.anchor, op)
	}
	s.state = stateOf(g) // after the anchor was found, hence covers it
	open := s.state.summary(s.mesh, purposeOpen, s.anchor)
	s.stated = open.heads()
	s.send(open)
	return s, nil
}

// Next returns the next frame for the peer, at most [MaxFrame] bytes, which
// the caller owns. A nil frame means that there is nothing to send now: if
// done is false, call again after the next [Session.Receive]; if it is true,
// the session is over on both sides and the stream can be closed.
//
// The error is that of [Source.Fetch], wrapped, or the one Receive returned;
// the session is then over.
func (s *Session) Next() (frame []byte, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, true, s.err
	}
	if len(s.queue) == 0 {
		return nil, s.finSent && s.peerFin, nil
	}
	out := s.queue[0]
	if out.m == nil {
		s.mu.Unlock()
		b, err := s.fill(out)
		s.mu.Lock()
		if err != nil {
			return nil, true, s.fail(err)
		}
		if s.err != nil { // Receive failed meanwhile
			return nil, true, s.err
		}
		if b != nil {
			frame = b.encode()
			s.stats.OpBytesSent += int64(len(frame))
			s.stats.OpsSent += len(b.ops)
			return frame, false, nil
		}
		out.m = doneMessage{more: out.more}
	}
	s.queue = s.queue[1:]
	switch out.m.(type) {
	case doneMessage:
		s.owed--
	case fin:
		s.finSent = true
	}
	frame = out.m.encode()
	s.stats.SummaryBytesSent += int64(len(frame))
	return frame, false, nil
}

// fill makes the next frame of an answer, nil if there is none.
func (s *Session) fill(out *outgoing) (*batch, error) {
	b, size := new(batch), batchHead
	for len(b.ops) < MaxFrameOps && (out.next != nil || len(out.ops) > 0) {
		if out.next == nil {
			block, body, err := s.src.Fetch(out.ops[0].ID())
			if err != nil {
				return nil, fmt.Errorf("reconcile: fetch %v: %w", out.ops[0].ID(), err)
			}
			out.next, out.ops = &encodedOp{block: block, body: body}, out.ops[1:]
		}
		n := out.next.size()
		if len(b.ops) > 0 && size+n > TargetFrame {
			break
		}
		// OpsSent and OpBytesSent are written by this goroutine alone.
		if len(b.ops)+s.stats.OpsSent > 0 && s.stats.OpBytesSent+int64(size+n) > s.maxBytes {
			out.ops, out.next, out.more = nil, nil, true
			break
		}
		b.ops, size, out.next = append(b.ops, *out.next), size+n, nil
	}
	if len(b.ops) == 0 {
		return nil, nil
	}
	return b, nil
}

// Done reports whether the session is over on both sides: nothing more is to
// be sent or received. It is never true after an error.
func (s *Session) Done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && s.finSent && s.peerFin && len(s.queue) == 0
}

// Complete reports whether each side has said that it holds everything the
// other stated.
func (s *Session) Complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held && s.peerHeld
}

// Stats returns what was counted so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.RoundTrips = 1
	if s.asks || s.wasAsked {
		st.RoundTrips++
	}
	if s.repaired || s.wasRepaired {
		st.RoundTrips++
	}
	return st
}

// Anchor returns what the caller stores durably for this peer and passes to
// the next session with it, at most [MaxAnchorSize] bytes. It may be called at
// any time, also after an error or a broken connection: it never claims more
// than what is known to be held by both sides then. Losing it costs bytes of
// the next summary and nothing else.
func (s *Session) Anchor() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held && !s.peerHeld {
		if s.wasAsked {
			return nil // the peer does not hold it
		}
		return slices.Clone(s.stored)
	}
	var ids []dag.ID
	if s.held {
		ids = append(ids, s.peer.heads()...)
	}
	if s.peerHeld {
		ids = append(ids, s.stated...)
	}
	g := s.src.Graph()
	var ops []*dag.Op
	for _, id := range ids {
		if op, ok := g.Get(id); ok {
			ops = append(ops, op)
		}
	}
	ids = ids[:0]
	for _, op := range reduce(ops) {
		ids = append(ids, op.ID())
	}
	return encodeAnchor(ids)
}

// send queues m.
func (s *Session) send(m message) { s.queue = append(s.queue, &outgoing{m: m}) }

// fail ends the session with its first error.
func (s *Session) fail(err error) error {
	if s.err == nil {
		s.err = err
		s.queue = nil
	}
	return s.err
}
