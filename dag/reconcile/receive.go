package reconcile

import (
	"bytes"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// IsOps reports whether a frame carries operations.
func IsOps(frame []byte) bool { return bytes.HasPrefix(frame, batch{}.encode()) }

// Receive takes the next frame of the peer and returns the operations in it
// that the graph does not hold, parents first. The caller verifies and admits
// them before it calls Receive with a frame that carries none ([IsOps]), since the
// session then looks in the graph for what it still lacks. The operations may alias
// frame, which the caller must not change afterwards.
//
// An op whose past is missing is no proof of a lie: where an author forked, a
// correct peer may send one before the repair. The caller drops it, or keeps
// it in a bounded pool.
//
// Errors wrap [ErrMalformed], [ErrVersion], [ErrMesh], [ErrLimit] or
// [ErrProtocol]; the session is then over, and no ops are returned.
func (s *Session) Receive(frame []byte) ([]*dag.Unverified, error) {
	m, err := decodeMessage(frame)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if err != nil {
		return nil, s.fail(err)
	}
	switch m.(type) {
	case *summary, without:
	default:
		if s.peer == nil {
			return nil, s.fail(fmt.Errorf("%w: the first frame is not a summary", ErrProtocol))
		}
	}
	b, ok := m.(batch)
	if !ok {
		s.stats.SummaryBytesReceived += int64(len(frame))
		if err := s.control(m); err != nil {
			return nil, s.fail(err)
		}
		return nil, nil
	}
	s.stats.OpBytesReceived += int64(len(frame))
	s.untold += units(len(frame))
	switch {
	case s.expected == 0:
		return nil, s.fail(fmt.Errorf("%w: ops after the end of the answer", ErrProtocol))
	case s.stats.OpBytesReceived > MaxSessionBytes:
		return nil, s.fail(fmt.Errorf("%w: more than %d bytes of ops", ErrLimit, MaxSessionBytes))
	}
	s.mu.Unlock() // let Next go on while the ops are decoded
	ops, received, err := s.decode(b)
	s.mu.Lock()
	if err != nil {
		return nil, s.fail(err)
	}
	s.stats.OpsReceived += received
	s.stats.Duplicates += received - len(ops)
	return ops, nil
}

// decode returns the ops of b that the graph does not hold, and how many are in b.
func (s *Session) decode(b batch) (ops []*dag.Unverified, received int, err error) {
	g := s.src.Graph()
	for rest := b.ops; len(rest) > 0; received++ {
		if s.between != nil {
			s.between()
		}
		if received == 1 && batchHead+len(b.ops) > TargetFrame {
			return nil, 0, fmt.Errorf("%w: several ops in a frame of %d bytes, at most %d", ErrLimit, batchHead+len(b.ops), TargetFrame)
		}
		var op *dag.Unverified
		if op, rest, err = dag.DecodeNext(rest); err != nil {
			return nil, 0, fmt.Errorf("%w: op %d of the frame: %w", ErrMalformed, received, err)
		}
		if _, ok := g.Get(op.ID()); !ok {
			ops = append(ops, op)
		}
	}
	return ops, received, nil
}

// control acts on a frame that carries no ops. The error names the breach.
func (s *Session) control(m message) error {
	if s.finSent && s.peerFin {
		return fmt.Errorf("%w: a frame after the end of the session", ErrProtocol)
	}
	switch m := m.(type) {
	case *summary:
		if m.mesh != meshTag(m.salt, s.mesh) {
			return ErrMesh
		}
		return s.onSummary(m)
	case *symbols:
		return s.onSymbols(m)
	case more:
		return s.onMore()
	case ask:
		return s.onAsk()
	case ack:
		if s.unacked -= m.units; s.unacked < 0 {
			return fmt.Errorf("%w: an ack of more than was sent", ErrProtocol)
		}
		return nil
	case end:
		return s.onEnd(m)
	case fin:
		return s.onFin(m)
	case without:
		if s.without != nil {
			return fmt.Errorf("%w: two lists of authors before a summary", ErrProtocol)
		}
		s.without = m.authors
		return nil
	}
	panic("reconcile: a message without a handler")
}

func (s *Session) onSummary(m *summary) error {
	st := &statement{summary: m, without: s.without}
	s.without = nil
	switch {
	case m.purpose == purposeOpen && s.peer == nil:
		s.peer = st
		if !st.findAnchor(newNames(s.src.Graph(), m.salt)) {
			s.asks = true
			s.send(ask{})
			return nil
		}
	case m.purpose == purposeFull && s.asks && !s.full:
		s.peer, s.full = st, true
	case m.purpose == purposeRepair && s.owed == 0 && !s.wasRepaired && !s.peerFin:
		s.wasRepaired = true
		s.owed++
	case m.purpose == purposePlain && s.pending != nil && m.salt == s.pending.salt && len(m.sketch) == 0:
		// It is the summary whose sketch was too short, but for that.
		s.pending.vector, s.pending.sketch = m.vector, nil
		return s.reply()
	default:
		return fmt.Errorf("%w: a summary of purpose %d", ErrProtocol, m.purpose)
	}
	s.pending = st
	return s.reply()
}

// onSymbols lengthens the sketch of the summary that is to be answered.
func (s *Session) onSymbols(m *symbols) error {
	if s.pending == nil {
		return fmt.Errorf("%w: symbols", ErrProtocol)
	}
	if len(s.pending.sketch)+len(m.sketch) > MaxSymbols {
		return fmt.Errorf("%w: more than %d symbols", ErrLimit, MaxSymbols)
	}
	s.pending.sketch = append(s.pending.sketch, m.sketch...)
	return s.reply()
}

// reply answers the pending summary, or asks for more of it.
func (s *Session) reply() error {
	g, st := s.src.Graph(), s.pending
	n := newNames(g, st.salt)
	st.findAnchor(n)
	var ops, fresh []*dag.Op
	if g.Len() > 0 { // a joiner has nothing to answer, and need not understand the sketch yet
		if !st.decode(n) {
			if s.mores++; s.mores > maxMores {
				return fmt.Errorf("%w: a sketch without end", ErrProtocol)
			}
			s.send(more{})
			return nil
		}
		known := st.known(n, st.purpose == purposeRepair)
		lacked := st.lacks(n, known)
		ops = st.spared(n, lacked)
		s.stats.PeerLacked, s.stats.Spared = len(lacked), len(lacked)-len(ops)
		if fresh = ops; len(s.offered) > 0 {
			fresh = both(ops, g.Since(append(known, s.offered...)))
		}
	}
	s.pending = nil
	s.answer(ops, fresh)
	if s.ended {
		s.conclude()
	}
	return nil
}

// maxMores bounds how often a peer is asked for more of its sketches: a
// correct one sends the vector sooner.
const maxMores = 4

// onAsk answers with the state of the opening summary, without the anchor.
func (s *Session) onAsk() error {
	if s.wasAsked || len(s.anchor) == 0 || s.expected == 0 {
		return fmt.Errorf("%w: an ask", ErrProtocol)
	}
	s.wasAsked = true
	s.summarize(s.state, purposeFull, nil)
	return nil
}

// onMore sends more symbols, or the vector where that takes no more.
func (s *Session) onMore() error {
	k := &s.sketch
	if k.enc == nil || s.expected == 0 {
		return fmt.Errorf("%w: asks for more", ErrProtocol)
	}
	s.wasMore++
	n := k.sent * (sketchGrowth - 1)
	if (k.sent+n)*sketchMost > k.authors || k.sent+n > MaxSymbols {
		k.enc = nil
		plain, _, _ := k.state.summary(s.salt, s.mesh, purposePlain, k.anchor)
		s.send(plain)
		return nil
	}
	k.sent += n
	s.send(&symbols{k.enc.Next(n)})
	return nil
}

func (s *Session) onEnd(m end) error {
	if s.expected == 0 {
		return fmt.Errorf("%w: an end", ErrProtocol)
	}
	s.expected--
	s.ended, s.cut = true, m.cut
	if s.pending == s.peer || s.asks && !s.full {
		return nil // we do not know yet what the peer stated
	}
	s.conclude()
	return nil
}

// conclude asks for a repair if something stated is missing after the peer's
// answer, once, or else for nothing more.
func (s *Session) conclude() {
	s.ended = false
	g := s.src.Graph()
	ops, held := s.peer.held(newNames(g, s.peer.salt))
	if !held && !s.cut && !s.repaired {
		s.repaired = true
		s.expected++
		anchor := s.anchor
		if s.wasAsked {
			anchor = nil
		}
		s.salt = s.salt.next()
		s.summarize(s.now(), purposeRepair, anchor)
		return
	}
	if s.held = held; held {
		s.peerHas = ops
	}
	s.send(fin{satisfied: held})
}

func (s *Session) onFin(m fin) error {
	if s.peerFin || s.owed > 0 {
		return fmt.Errorf("%w: a fin", ErrProtocol)
	}
	s.peerFin, s.peerHeld = true, m.satisfied
	return nil
}
