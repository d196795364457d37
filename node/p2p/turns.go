package p2p

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// turnLead is by how much a peer must have had more of the sessions' time than one
// that wants a slot to give way to it, turnHalf how long it takes until half of that
// is forgotten.
const (
	turnLead = time.Second
	turnHalf = time.Minute
)

// turns shares out the slots of sync sessions, so that nobody can have them all
// by taking each and holding it: when none is free, the peer that has had most of
// their time gives way to one that had less. An honest session is short, and one that is cut
// loses nothing (docs/sync.md, section 4). It is safe for concurrent use.
type turns struct {
	n     *Network
	slots *slots

	mu   sync.Mutex
	held map[peer.ID]*turn
}

// A turn is a session that has a slot.
type turn struct {
	since time.Time
	end   context.CancelFunc
}

func newTurns(n *Network, s *slots) *turns {
	return &turns{n: n, slots: s, held: make(map[peer.ID]*turn)}
}

// take takes a slot for a session with p, which end ends, and returns what gives it back.
func (t *turns) take(p peer.ID, end context.CancelFunc) (give func(), ok bool) {
	own := &turn{since: time.Now(), end: end}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.slots.take(t.n.book.pinned(p)) && !t.replace(p, own.since) {
		return nil, false
	}
	t.held[p] = own
	return func() { t.over(p, own) }, true
}

// over counts a session's time, and gives its slot back unless another has it by now.
func (t *turns) over(p peer.ID, own *turn) {
	now := time.Now()
	t.n.peers.with(p, func(st *peerState) { st.turns.add(now, now.Sub(own.since)) })
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[p] == own {
		delete(t.held, p)
		t.slots.give()
	}
}

// replace ends the session of the peer that has had most, and reports whether
// one did that had enough more than p: its slot is p's then. Configured peers give way to such only.
func (t *turns) replace(p peer.ID, now time.Time) bool {
	had := func(q peer.ID) (d time.Duration) {
		t.n.peers.with(q, func(st *peerState) { d = st.turns.left(now) })
		return d
	}
	pinned := t.n.book.pinned(p)
	most := had(p) + turnLead
	var victim peer.ID
	for q, held := range t.held {
		if t.n.book.pinned(q) && !pinned {
			continue
		}
		if d := had(q) + now.Sub(held.since); d > most {
			victim, most = q, d
		}
	}
	if victim == "" {
		return false
	}
	t.held[victim].end()
	delete(t.held, victim)
	return true
}

// A fading duration is forgotten by halves.
type fading struct {
	sum time.Duration
	at  time.Time
}

func (f *fading) left(now time.Time) time.Duration {
	return time.Duration(float64(f.sum) * math.Exp2(-float64(now.Sub(f.at))/float64(turnHalf)))
}

func (f *fading) add(now time.Time, d time.Duration) { f.sum, f.at = f.left(now)+d, now }
