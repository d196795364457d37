package reconcile

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// Receive takes the next frame of the peer and returns the operations in it
// that the graph does not hold, parents first. The caller verifies and admits
// them before it calls Receive again, since the session then looks in the
// graph for what it still lacks. The operations may alias frame, which the
// caller must not change afterwards.
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
	if _, ok := m.(*summary); !ok && s.peer == nil {
		return nil, s.fail(fmt.Errorf("%w: the first frame is not a summary", ErrProtocol))
	}
	b, ok := m.(*batch)
	if !ok {
		s.stats.SummaryBytesReceived += int64(len(frame))
		if err := s.control(m); err != nil {
			return nil, s.fail(err)
		}
		return nil, nil
	}
	s.stats.OpBytesReceived += int64(len(frame))
	s.stats.OpsReceived += len(b.ops)
	switch {
	case s.expected == 0:
		return nil, s.fail(fmt.Errorf("%w: ops after the end of the answer", ErrProtocol))
	case s.stats.OpBytesReceived > MaxSessionBytes:
		return nil, s.fail(fmt.Errorf("%w: more than %d bytes of ops", ErrLimit, MaxSessionBytes))
	}
	s.mu.Unlock() // let Next go on while the ops are decoded
	ops, err := s.decode(b)
	s.mu.Lock()
	if err != nil {
		return nil, s.fail(err)
	}
	s.stats.Duplicates += len(b.ops) - len(ops)
	return ops, nil
}

// decode returns the ops of b that the graph does not hold.
func (s *Session) decode(b *batch) ([]*dag.Unverified, error) {
	g := s.src.Graph()
	ops := make([]*dag.Unverified, 0, len(b.ops))
	for i, e := range b.ops {
		op, err := dag.Decode(e.block, e.body)
		if err != nil {
			return nil, fmt.Errorf("%w: op %d of the frame: %w", ErrMalformed, i, err)
		}
		if _, ok := g.Get(op.ID()); !ok {
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// control acts on a frame that carries no ops. The error names the breach.
func (s *Session) control(m message) error {
	if s.finSent && s.peerFin {
		return fmt.Errorf("%w: a frame after the end of the session", ErrProtocol)
	}
	switch m := m.(type) {
	case *summary:
		if m.mesh != s.mesh {
			return fmt.Errorf("%w: %v", ErrMesh, m.mesh)
		}
		return s.onSummary(m)
	case ask:
		return s.onAsk()
	case doneMessage:
		return s.onDone(m)
	case fin:
		return s.onFin(m)
	}
	panic("reconcile: a message without a handler")
}

func (s *Session) onSummary(m *summary) error {
	g := s.src.Graph()
	switch {
	case m.purpose == purposeOpen && s.peer == nil:
		s.peer = m
		if !knowsAnchor(g, m) {
			s.asks = true
			s.send(ask{})
			return nil
		}
	case m.purpose == purposeFull && s.asks && !s.full:
		s.peer, s.full = m, true
	case m.purpose == purposeRepair && s.owed == 0 && !s.wasRepaired && !s.peerFin:
		s.wasRepaired = true
		s.owed++
	default:
		return fmt.Errorf("%w: a summary of purpose %d", ErrProtocol, m.purpose)
	}
	ops, err := lacks(g, m, m.purpose == purposeRepair)
	if err != nil {
		return err
	}
	s.stats.PeerLacked = len(ops)
	s.queue = append(s.queue, &outgoing{ops: ops})
	return nil
}

// onAsk answers with the state of the opening summary, without the anchor.
func (s *Session) onAsk() error {
	if s.wasAsked || len(s.anchor) == 0 || s.expected == 0 {
		return fmt.Errorf("%w: an ask", ErrProtocol)
	}
	s.wasAsked = true
	s.send(s.state.summary(s.mesh, purposeFull, nil))
	return nil
}

func (s *Session) onDone(m doneMessage) error {
	if s.expected == 0 {
		return fmt.Errorf("%w: a done", ErrProtocol)
	}
	s.expected--
	g := s.src.Graph()
	held := s.peer.heldBy(g)
	if !held && !m.more && !s.repaired {
		s.repaired = true
		s.expected++
		anchor := s.anchor
		if s.wasAsked {
			anchor = nil
		}
		s.send(stateOf(g).summary(s.mesh, purposeRepair, anchor))
		return nil
	}
	s.held = held
	s.send(fin{satisfied: held})
	return nil
}

func (s *Session) onFin(m fin) error {
	if s.peerFin || s.owed > 0 {
		return fmt.Errorf("%w: a fin", ErrProtocol)
	}
	s.peerFin, s.peerHeld = true, m.satisfied
	return nil
}
