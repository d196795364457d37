package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/identity"
)

// lanes decides when to open the statement lane (docs/p2p.md, section 6) to
// whom, answers those who open it, and bounds both.
type lanes struct {
	n    *Network
	in   *turns        // sessions that peers started, once they may use the lane
	out  chan struct{} // slots of sessions this node started
	wake chan struct{}

	mu       sync.Mutex
	served   bucket // bytes of ops served to all
	stored   bucket // bytes of ops taken from all whose authors may not write
	desk     *desk  // of the current roster
	declined map[identity.StatementID]bool
}

// laneState is what is known of one peer's lane. [peers] guards it.
type laneState struct {
	shutOut bool // the peer refuses to sync with this node
	busyIn  bool // it has a session open with us
	busyOut bool // we have one open with it
	starts  bucket
	serve   bucket
	store   bucket
	wait    time.Duration // between two sessions that this node starts
	due     time.Time     // when to start the next one
}

func newLaneState(now time.Time) laneState {
	return laneState{
		starts: newBucket(laneRate, laneBurst, now),
		serve:  newBucket(laneServeRate, laneServeBurst, now),
		store:  newBucket(laneStoreRate, laneStoreBurst, now),
	}
}

func newLanes(n *Network) *lanes {
	now := time.Now()
	return &lanes{
		n:        n,
		in:       newTurns(n, newSlots(maxLanesIn, 0)),
		out:      make(chan struct{}, maxLanesOut),
		wake:     make(chan struct{}, 1),
		served:   newBucket(lanesServeRate, lanesServeBurst, now),
		stored:   newBucket(lanesStoreRate, lanesStoreBurst, now),
		declined: make(map[identity.StatementID]bool),
	}
}

// shutOutBy records whether p refuses to sync with this node.
func (l *lanes) shutOutBy(p peer.ID, is bool) {
	var news bool
	l.n.peers.with(p, func(st *peerState) {
		if news = is && !st.lane.shutOut; news {
			st.lane.wait, st.lane.due = 0, time.Time{}
		}
		st.lane.shutOut = is
	})
	if news {
		poke(l.wake)
	}
}

// rosterChanged makes all lanes due: there is news to give, and what was of no
// use may be of some.
func (l *lanes) rosterChanged() {
	l.mu.Lock()
	clear(l.declined)
	l.mu.Unlock()
	for _, p := range l.n.host.Network().Peers() {
		l.n.peers.with(p, func(st *peerState) { st.lane.wait, st.lane.due = 0, time.Time{} })
	}
	poke(l.wake)
}

// wanted reports whether this node and p should use the lane: one of them does
// not sync with the other, and each may have a place in the other's roster.
func (l *lanes) wanted(p peer.ID) bool {
	err := l.n.admitted(p)
	if err != nil && !shutOut(err) {
		return false
	}
	if st, _ := l.n.peers.get(p); err == nil && !st.lane.shutOut {
		return false
	}
	return l.admitted(p) == nil
}

// admitted returns nil if p has a place in the roster here, revoked or not, if
// it showed how it came in, or if this node means to be connected with it.
func (l *lanes) admitted(p peer.ID) error {
	if until, is := l.n.standings.banned(p); is {
		return fmt.Errorf("%w: until %s", ErrBanned, until.Format(time.RFC3339))
	}
	key, err := NodeKey(p)
	if err != nil {
		return err
	}
	roster := l.n.backend.Graph().Roster()
	if _, ok := roster.Author(key); ok || l.n.introductions.knows(p, key, roster) || l.n.book.has(p) {
		return nil
	}
	return ErrNotEnrolled
}

// loop starts the sessions that are due.
func (l *lanes) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		next := l.n.timing.LaneMax
		for _, p := range l.n.host.Network().Peers() {
			if l.wanted(p) {
				next = min(next, l.visit(p))
			}
		}
		timer.Reset(max(next, laneTick))
	}
}

// laneTick is the least time between two looks at which lanes are due.
const laneTick = 10 * time.Millisecond

// visit starts a session with p if one is due, and returns how long until the next.
func (l *lanes) visit(p peer.ID) time.Duration {
	t := l.n.timing
	var due bool
	var wait time.Duration
	now := time.Now()
	l.n.peers.with(p, func(st *peerState) {
		if wait = st.lane.due.Sub(now); wait > 0 || st.lane.busyIn || st.lane.busyOut {
			wait = max(wait, t.LaneMin/4)
			return
		}
		select {
		case l.out <- struct{}{}:
		default:
			wait = t.LaneMin
			return
		}
		due = true
		st.lane.busyOut = true
		st.lane.wait = min(t.LaneMax, max(t.LaneMin, 2*st.lane.wait))
		wait = jitter(st.lane.wait)
		st.lane.due = now.Add(wait)
	})
	if !due {
		return wait
	}
	started := l.n.start(func(ctx context.Context) {
		defer func() { <-l.out }()
		defer l.leave(p, false)
		err := l.open(ctx, p)
		l.count("out", err)
		if err != nil {
			l.n.log.Debug("statement lane ended", "peer", p.String(), "error", err)
		}
	})
	if !started {
		<-l.out
		l.leave(p, false)
	}
	return wait
}

func (l *lanes) leave(p peer.ID, in bool) {
	l.n.peers.with(p, func(st *peerState) {
		if in {
			st.lane.busyIn = false
		} else {
			st.lane.busyOut = false
		}
	})
}

func (l *lanes) count(side string, err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	l.n.metrics.lanes.WithLabelValues(side, result).Inc()
}

// open runs one session that this node starts: it asks first.
func (l *lanes) open(ctx context.Context, p peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	str, err := l.n.host.NewStream(reach(ctx, "statements"), p, LaneProtocol)
	if err != nil {
		return err
	}
	s := newLaneSession(l, p, str)
	return s.run(ctx, func() error {
		if err := s.frames.write(encodeHello(l.n.introduction)); err != nil {
			return err
		}
		if err := s.ask(ctx); err != nil {
			return err
		}
		return s.answer(ctx)
	})
}

// serve answers a session that a peer started, and then asks in its turn.
func (l *lanes) serve(ctx context.Context, str network.Stream) {
	p := str.Conn().RemotePeer()
	var within, free bool
	l.n.peers.with(p, func(st *peerState) {
		within = st.lane.starts.take(1, time.Now())
		// If both open one at a time, that of the lesser peer ID goes on.
		if within && !st.lane.busyIn && (!st.lane.busyOut || p < l.n.id) {
			st.lane.busyIn, free = true, true
		}
	})
	if !within {
		_ = str.ResetWithError(codeBudget)
		l.n.standings.report(p, reasonBudget, errors.New("statement lanes"))
		return
	}
	if !free {
		_ = str.ResetWithError(codeBusy)
		return
	}
	defer l.leave(p, true)
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	s := newLaneSession(l, p, str)
	err := s.run(ctx, func() error {
		if err := s.meet(); err != nil {
			return err
		}
		give, ok := l.in.take(p, cancel)
		if !ok {
			return ErrBusy
		}
		defer give()
		if err := s.answer(ctx); err != nil {
			return err
		}
		return s.ask(ctx)
	})
	l.count("in", err)
}
