package p2p

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// peers holds what is known of each peer in this run of the process: what it
// holds, its traffic and its budgets. It is safe for concurrent use and
// bounded: beyond maxStandings peers, the one longest not heard of goes.
type peers struct {
	n   *Network
	mu  sync.Mutex
	all map[peer.ID]*peerState
}

type peerState struct {
	heard    time.Time
	known    []*dag.Op // an antichain: the peer holds these and their past
	lacking  []dag.ID  // heads it announced last that we did not hold
	lastSync time.Time
	lastErr  string
	in, out  int64 // bytes
	starts   bucket
	serve    bucket
	again    bucket
	turns    fading // time of sync sessions with it
	busyIn   bool   // it has a session open with us
	busyOut  bool   // we have one open with it
	lane     laneState
	asks     bucket    // for addresses
	askAgain time.Time // for addresses, not before
	proofs   proofState
}

// maxKnown bounds the antichain kept per peer.
const maxKnown = 256

func newPeers(n *Network) *peers { return &peers{n: n, all: make(map[peer.ID]*peerState)} }

// with calls fn with p's state, which it makes if need be, under the lock.
func (ps *peers) with(p peer.ID, fn func(*peerState)) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := time.Now()
	s := ps.all[p]
	if s == nil {
		if len(ps.all) >= maxStandings {
			ps.evict()
		}
		s = &peerState{
			starts: newBucket(sessionRate, sessionBurst, now),
			serve:  newBucket(serveRate, serveBurst, now),
			again:  newBucket(againRate, againBurst, now),
			lane:   newLaneState(now),
			asks:   newBucket(askRate, askBurst, now),
			proofs: proofState{start: newBucket(proofRate, proofBurst, now)},
		}
		ps.all[p] = s
	}
	s.heard = now
	fn(s)
}

func (ps *peers) evict() {
	var victim peer.ID
	var oldest time.Time
	for id, s := range ps.all {
		if !s.busyIn && !s.busyOut && !s.lane.busyIn && !s.lane.busyOut && !s.proofs.busy && (victim == "" || s.heard.Before(oldest)) {
			victim, oldest = id, s.heard
		}
	}
	delete(ps.all, victim)
}

// get returns a copy of p's state.
func (ps *peers) get(p peer.ID) (s peerState, ok bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if st := ps.all[p]; st != nil {
		s, ok = *st, true
		s.known = slices.Clone(st.known)
		s.lacking = slices.Clone(st.lacking)
	}
	return s, ok
}

// holds records that p holds an op of our graph.
func (ps *peers) holds(p peer.ID, id dag.ID) {
	if op, ok := ps.n.backend.Graph().Get(id); ok && p != "" {
		ps.with(p, func(s *peerState) { s.add(op) })
	}
}

// add adds op to what the peer is known to hold.
func (s *peerState) add(op *dag.Op) {
	for _, k := range s.known {
		if k == op || k.InPast(op) {
			return
		}
	}
	s.known = slices.DeleteFunc(s.known, op.InPast)
	if len(s.known) < maxKnown {
		s.known = append(s.known, op)
	}
}

// announced records the heads that p states, and returns those that this node
// does not hold.
func (ps *peers) announced(p peer.ID, heads []dag.ID) (lacking []dag.ID) {
	g := ps.n.backend.Graph()
	var ops []*dag.Op
	for _, id := range heads {
		if op, ok := g.Get(id); ok {
			ops = append(ops, op)
		} else {
			lacking = append(lacking, id)
		}
	}
	ps.with(p, func(s *peerState) {
		for _, op := range ops {
			s.add(op)
		}
		s.lacking = lacking
	})
	return lacking
}

// synced records that a session with p ended, and with what error. held are
// ops that p holds now.
func (ps *peers) synced(p peer.ID, held []*dag.Op, err error) {
	ps.with(p, func(s *peerState) {
		for _, op := range held {
			s.add(op)
		}
		if err != nil {
			s.lastErr = text(err)
			return
		}
		s.lastSync, s.lastErr = s.heard, ""
	})
}

func (ps *peers) failed(p peer.ID, err error) {
	ps.with(p, func(s *peerState) { s.lastErr = text(err) })
}

func (ps *peers) received(p peer.ID, bytes int) {
	ps.with(p, func(s *peerState) { s.in += int64(bytes) })
}

// outlook reports whether p is known to hold all of heads and announces no
// other (an empty graph equals nobody's), whether a session with it is under
// way, and whether the last one failed.
func (ps *peers) outlook(p peer.ID, heads []*dag.Op) (equal, busy, failed bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	s := ps.all[p]
	if s == nil {
		return false, false, false
	}
	equal = len(s.lacking) == 0 && len(heads) > 0
	for _, h := range heads {
		equal = equal && slices.Contains(s.known, h)
	}
	return equal, s.busyIn || s.busyOut, s.lastErr != ""
}

// lag returns how many ops p is not known to hold, and how many heads it
// announced that this node lacks.
func (s *peerState) lag(g *dag.Graph) int {
	lag := g.CountSince(s.known)
	for _, id := range s.lacking {
		if _, ok := g.Get(id); !ok {
			lag++
		}
	}
	return lag
}
