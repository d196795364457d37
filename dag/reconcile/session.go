package reconcile

import (
	"cmp"
	"sync"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity"
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
	// Salt is random bytes, fresh for each session: whoever could foresee them
	// could make operations that this session takes for each other.
	Salt [SaltSize]byte
	// Memory is what [Session.Memory] returned for the same peer last, nil if
	// nothing. It must never be one of another peer: it would be correct, but
	// cost a round trip.
	Memory []byte
	// MaxBytes bounds the operation frames that this side sends, in bytes;
	// zero means DefaultMaxBytes, and no more than MaxSessionBytes are sent.
	// The first operation is sent whatever its size, so that every session
	// makes progress.
	MaxBytes int64
	// MaxAgain bounds what of it may be operations that the peer was sent
	// before or once held, in bytes: a peer that states again and again that it holds
	// nothing costs no more than that. Zero means no bound of its own, less than zero none of them.
	MaxAgain int64
	// Without, if not nil, returns the authors of whom this side takes no
	// operations now: the peer leaves them out, and what builds on them, so that they
	// are not in the way of the rest. It is asked before each summary, with a lock of the
	// session held, and the first MaxWithout count.
	Without func() []identity.PublicKey

	// sketchFrom is for tests: authors in a vector from which it becomes a
	// sketch, if not 0.
	sketchFrom int
	// Between is called by [Session.Receive] before each op that it decodes,
	// with no lock held: it may take a while. May be nil.
	Between func()
}

// A Session is one side of one exchange with one peer. Frames from [Session.Next]
// go to the peer in order; frames from the peer go to [Session.Receive] in
// order.
//
// One goroutine may call Receive while another calls Next; the other methods
// may be called at any time. Next never waits: when it has no frame, the
// writer calls it again after the next Receive returned.
type Session struct {
	src        Source
	mesh       dag.ID
	maxBytes   int64
	maxAgain   int64
	sketchFrom int
	spare      func() []identity.PublicKey // Config.Without
	between    func()                      // Config.Between
	memory     memory                      // as configured, but empty if the graph does not hold it
	anchor     []*dag.Op                   // those ops
	offered    []*dag.Op                   // what was sent before or held once
	state      state                       // what the opening summary states
	stated     []*dag.Op                   // which is the past of these, and of the anchor

	mu       sync.Mutex
	err      error // the first; the session is over
	queue    []*outgoing
	answers  []*outgoing // all so far
	sketch   sketching   // of our latest summary
	salt     salt        // of our latest summary
	peer     *statement  // the peer's opening summary, or its full one
	pending  *statement  // that of the peer which is to be answered next
	without  []tag       // what the peer's next summary is to be answered without
	owed     int         // answers queued or not yet possible, whose end was not sent
	expected int         // answers of the peer whose end was not received
	unacked  int         // units of ops frames sent, for which no ack came yet
	untold   int         // units of ops frames received, for which none was sent
	stats    Stats       // but RoundTrips
	peerHas  []*dag.Op   // what the peer stated, if held
	ended    bool        // the peer's answer ended before its statement was understood
	cut      bool        // the peer's last answer ended at a limit

	// What happened at most once, by this side or by the peer.
	asks, wasAsked        bool // an ask
	full                  bool // the peer's summary came in full
	repaired, wasRepaired bool // a repair
	finSent, peerFin      bool // a fin
	held, peerHeld        bool // that fin was, or will be, satisfied
	mores, wasMore        int  // how often more symbols were asked for
}

// sketching is what it takes to go on with the sketch of a summary.
type sketching struct {
	enc     *riblt.Encoder // nil if there is none
	sent    int            // symbols
	authors int
	state   state // for the vector in its place
	anchor  []*dag.Op
}

// Stats counts what a session did so far.
type Stats struct {
	SummaryBytesSent, SummaryBytesReceived int64 // frames that carry no ops, in bytes
	OpBytesSent, OpBytesReceived           int64 // frames of ops, in bytes
	OpsSent, OpsReceived                   int   // ops in them
	Duplicates                             int   // of OpsReceived, those the graph already held
	// BytesAgain is how much of OpBytesSent were operations that the peer was
	// sent before or once held.
	BytesAgain int64
	// PeerLacked is how many ops the peer lacked by its latest summary,
	// whether sent or not: how far it lags behind.
	PeerLacked int
	// Spared is how many of these were left out since the peer takes none of
	// their authors now (Config.Without), or since they build on such.
	Spared int
	// RoundTrips is 1, and one more if either side had to ask for a summary
	// without an anchor, one more if either sent a repair, and one more for
	// each time that a sketch was too short.
	RoundTrips int
}

// New begins a session: what the opening summary states is read from the graph
// now. If the graph does not hold all of the anchor, as after the loss of a
// disk, the session does without. The error wraps [ErrMemory].
func New(src Source, cfg Config) (*Session, error) {
	m, err := decodeMemory(cfg.Memory)
	if err != nil {
		return nil, err
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.MaxAgain == 0 {
		cfg.MaxAgain = MaxSessionBytes
	}
	s := &Session{
		src:      src,
		mesh:     cfg.Mesh,
		maxBytes: min(cfg.MaxBytes, MaxSessionBytes),
		maxAgain: cfg.MaxAgain,
		memory:   m,
		salt:     cfg.Salt,
		owed:     1,
		expected: 1,
	}
	g := src.Graph()
	s.offered, _ = find(g, m.offered)
	anchor, all := find(g, m.anchor)
	s.offered = append(s.offered, anchor...)
	if all {
		s.anchor = anchor
	} else {
		s.memory.anchor = nil
	}
	s.spare = cfg.Without
	s.sketchFrom = cmp.Or(cfg.sketchFrom, minSketch)
	s.state = s.now() // after the anchor was found, hence covers it
	s.stated = s.summarize(s.state, purposeOpen, s.anchor)
	return s, nil
}

// now returns what the graph holds.
func (s *Session) now() state {
	st := stateOf(s.src.Graph())
	st.sketchFrom = s.sketchFrom
	return st
}

// summarize sends what st is and returns what that states beside the anchor.
func (s *Session) summarize(st state, p purpose, anchor []*dag.Op) []*dag.Op {
	if s.spare != nil {
		if authors := tagsOf(s.salt, s.spare()); len(authors) > 0 {
			s.send(without{authors})
		}
	}
	sum, stated, enc := st.summary(s.salt, s.mesh, p, anchor)
	s.sketch = sketching{}
	if enc != nil {
		s.sketch = sketching{enc: enc, sent: len(sum.sketch), authors: len(stated) - len(sum.branches), state: st, anchor: anchor}
	}
	s.send(sum)
	return stated
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
	if s.untold >= ackEvery { // before what is queued, which may wait for the peer's
		frame = ack{s.untold}.encode()
		s.untold = 0
		s.stats.SummaryBytesSent += int64(len(frame))
		return frame, false, nil
	}
	if len(s.queue) == 0 {
		return nil, s.finSent && s.peerFin, nil
	}
	out := s.queue[0]
	if out.m == nil && s.unacked >= window {
		return nil, false, nil
	}
	if out.m != nil {
		s.queue = s.queue[1:]
		if _, ok := out.m.(fin); ok {
			s.finSent = true
		}
		frame = out.m.encode()
		s.stats.SummaryBytesSent += int64(len(frame))
		return frame, false, nil
	}
	s.mu.Unlock()
	f, err := s.fill(out)
	s.mu.Lock()
	if err != nil {
		return nil, true, s.fail(err)
	}
	if s.err != nil { // Receive failed meanwhile
		return nil, true, s.err
	}
	if f.count == 0 {
		s.queue = s.queue[1:]
		s.owed--
		frame = end{cut: f.cut}.encode()
		s.stats.SummaryBytesSent += int64(len(frame))
		return frame, false, nil
	}
	out.n += f.count
	frame = f.encode()
	s.unacked += units(len(frame))
	s.stats.OpBytesSent += int64(len(frame))
	s.stats.OpsSent += f.count
	s.stats.BytesAgain += f.again
	return frame, false, nil
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
	st.RoundTrips = 1 + max(s.mores, s.wasMore)
	if s.asks || s.wasAsked {
		st.RoundTrips++
	}
	if s.repaired || s.wasRepaired {
		st.RoundTrips++
	}
	return st
}

// Memory returns what the caller stores durably for this peer and passes to
// the next session with it, at most [MaxMemorySize] bytes. It may be called at
// any time, also after an error or a broken connection: it never claims more
// than what is known to be held by both sides then. Losing it costs bytes of
// the next summary, and forgets what the peer was sent.
func (s *Session) Memory() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := memory{anchor: s.memory.anchor}
	var both []*dag.Op
	if s.held {
		both = append(both, s.peerHas...)
	}
	if s.peerHeld {
		both = append(append(both, s.stated...), s.anchor...)
	}
	switch {
	case len(both) > 0:
		m.anchor = headIDs(both, MaxAnchor)
	case s.wasAsked:
		m.anchor = nil // the peer does not hold it
	}
	offered := s.offered
	for _, a := range s.answers {
		offered = append(offered[:len(offered):len(offered)], a.ops[:a.n]...)
	}
	g := s.src.Graph()
	anchor, _ := find(g, m.anchor)
	var beyond []*dag.Op
	for _, op := range dag.HeadsOf(offered) {
		if !covered(op, anchor) {
			beyond = append(beyond, op)
		}
	}
	m.offered = headIDs(beyond, maxOffered)
	return m.encode()
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
