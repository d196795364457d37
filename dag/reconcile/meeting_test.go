package reconcile

import (
	"errors"
	"time"

	"github.com/causeway-sync/causeway/dag"
)

// A meeting is a session in virtual time.
type meeting struct {
	w      *network
	nodes  [2]*netNode
	side   [2]*Session
	tamper [2]func([]byte) [][]byte
	last   [2]time.Duration // when the last frame to each arrives
	over   bool
}

// meet starts a session of two neighbours, unless one is under way.
func (w *network) meet(a, b *netNode) {
	if a.meeting[b] || !w.linked(a, b) {
		return
	}
	w.total.sessions++
	m := &meeting{w: w, nodes: [2]*netNode{a, b}}
	for i, n := range m.nodes {
		peer := m.nodes[1-i]
		n.meeting[peer] = true
		var err error
		m.side[i], err = New(n.replica, Config{Mesh: w.mesh.id, Salt: w.mesh.newSalt(), Memory: n.peers[peer.replica]})
		if err != nil {
			w.Fatal(err)
		}
		if n.liar {
			m.tamper[i] = w.tamper(peer.replica)
		}
	}
	w.after(sessionLimit, func() { m.end(false) })
	m.pump(0)
	m.pump(1)
}

// pump puts on the link what side i has to say.
func (m *meeting) pump(i int) {
	for !m.over {
		frame, done, err := m.side[i].Next()
		switch {
		case err != nil:
			m.end(false)
			return
		case done && m.side[1-i].Done():
			m.end(true)
			return
		case frame == nil:
			return
		}
		frames := [][]byte{frame}
		if m.tamper[i] != nil {
			frames = m.tamper[i](frame)
		}
		for _, frame := range frames {
			delay := linkLatency
			if m.w.rng.Float64() < lossRate {
				if delay = 3 * linkLatency; m.w.rng.IntN(4) == 0 {
					m.end(false) // the connection is lost
					return
				}
			}
			m.last[1-i] = max(m.last[1-i], m.w.now+delay)
			m.w.after(m.last[1-i]-m.w.now, func() { m.deliver(1-i, frame) })
		}
	}
}

func (m *meeting) deliver(i int, frame []byte) {
	if m.over {
		return
	}
	n := m.nodes[i]
	if !m.w.linked(n, m.nodes[1-i]) {
		m.end(false)
		return
	}
	us, err := m.side[i].Receive(frame)
	if err == nil {
		err = m.w.admit(n, m.nodes[1-i], us)
	}
	if err != nil {
		if m.w.total.failed++; !m.nodes[1-i].liar && !n.liar {
			m.w.Errorf("seed %d: a session of correct nodes: %v", m.w.seed, err)
		}
		m.end(false)
		return
	}
	m.pump(i)
}

// admit takes the ops of a frame and gossips those that are new.
func (w *network) admit(n, from *netNode, us []*dag.Unverified) error {
	signed, errs := dag.Verify(us)
	for i, s := range signed {
		if errs[i] != nil {
			return errs[i]
		}
		_, err := n.add(s)
		var missing *dag.MissingError
		if err != nil && !errors.As(err, &missing) && !errors.Is(err, dag.ErrDuplicate) {
			return err
		}
		if err == nil {
			w.held(n, s.ID())
			if !n.liar {
				w.forward(n, from, s)
			}
		}
	}
	return nil
}

// end ends the session, well or not; each side remembers what it proved.
func (m *meeting) end(well bool) {
	if m.over {
		return
	}
	m.over = true
	if !well {
		m.w.total.broken++
	}
	for i, n := range m.nodes {
		peer := m.nodes[1-i]
		delete(n.meeting, peer)
		n.peers[peer.replica] = m.side[i].Memory()
	}
}
