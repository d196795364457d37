package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// anchorMeta is the prefix of the names under which anchors are kept; anchorEvery is
// how often one is written at most. A lost one costs bytes and nothing else.
const (
	anchorMeta  = "p2p/anchor/"
	anchorEvery = time.Minute
)

// syncer decides when to synchronise with whom, and bounds the sessions.
type syncer struct {
	n     *Network
	wants chan visit
	wake  chan struct{} // the delivered ops changed
	in    *turns        // sessions that peers started
	out   *turns        // sessions this node started
	alien chan struct{} // slots of peers that are yet to show their enrolment: as many as may be connected

	mu      sync.Mutex
	anchors map[peer.ID]*anchor
}

// anchor is the anchor of one peer, and when and whether it was written.
type anchor struct {
	bytes []byte
	saved []byte
	at    time.Time
}

func newSyncer(n *Network) *syncer {
	return &syncer{
		n:       n,
		wants:   make(chan visit, wantQueue),
		wake:    make(chan struct{}, 1),
		in:      newTurns(n, newSlots(n.room.sessionsIn, keptSessionsIn)),
		out:     newTurns(n, newSlots(n.room.sessionsOut, keptSessionsOut)),
		alien:   make(chan struct{}, n.room.strangers),
		anchors: make(map[peer.ID]*anchor),
	}
}

// want asks for a session with p after a time, for the missing ops or, if
// there are none, in any case. It never blocks; when too many wait it is
// dropped, and the periodic syncs make up for it.
func (s *syncer) want(p peer.ID, after time.Duration, missing ...dag.ID) {
	if len(s.n.reserve.waits()) > 0 {
		after = max(after, s.n.timing.SyncActive) // what is missing may be what waits
	}
	select {
	case s.wants <- visit{p, time.Now().Add(after), missing}:
	default:
		s.n.metrics.dropped.WithLabelValues("sync").Inc()
	}
}

// wakeUp ends the idle pace of the periodic syncs.
func (s *syncer) wakeUp() { poke(s.wake) }

// loop runs the syncs that were asked for and, at intervals that grow while
// nothing changes, one with a random peer.
func (s *syncer) loop(ctx context.Context) {
	t := s.n.timing
	pl := newPlan()
	pace := t.SyncActive
	next := time.Now().Add(jitter(pace))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-s.wants:
			pl.add(v)
		case <-s.wake:
			if pace = t.SyncActive; time.Until(next) > pace {
				next = time.Now().Add(jitter(pace))
			}
		case <-timer.C:
		}
		now := time.Now()
		if !now.Before(next) {
			p, behind := s.choose()
			if p != "" {
				pl.add(visit{peer: p, at: now})
			}
			if pace = min(t.SyncIdle, pace*3/2); behind {
				pace = t.SyncActive
			}
			next = now.Add(jitter(pace))
		}
		ready, wait := pl.take(now, s.n.backend.Graph(), next.Sub(now))
		for _, p := range ready {
			s.n.start(func(ctx context.Context) {
				if err := s.run(ctx, p); err != nil {
					s.n.log.Debug("sync ended", "peer", p.String(), "error", err)
				}
			})
		}
		timer.Reset(wait)
	}
}

// choose returns a random connected peer for a periodic sync, "" if there is
// none, and whether some peer differs from us. Those that do come first, but
// for peers whose last session failed: they must not keep us from the others.
// Half the time it is a configured peer, if there is one: however many others
// are connected.
func (s *syncer) choose() (p peer.ID, behind bool) {
	heads := s.n.backend.Graph().Heads()
	var any, late, pinned []peer.ID
	for _, p := range s.n.host.Network().Peers() {
		if s.n.mayOpen(p) != nil {
			continue
		}
		equal, busy, failed := s.n.peers.outlook(p, heads)
		behind = behind || !equal
		if busy {
			continue
		}
		any = append(any, p)
		if !equal && !failed {
			late = append(late, p)
		}
		if !equal && s.n.book.pinned(p) {
			pinned = append(pinned, p)
		}
	}
	switch {
	case len(pinned) > 0 && rand.IntN(2) > 0:
		return pinned[rand.IntN(len(pinned))], behind
	case len(late) > 0 && rand.IntN(4) > 0:
		return late[rand.IntN(len(late))], behind
	case len(any) > 0:
		return any[rand.IntN(len(any))], behind
	}
	return "", behind
}

// run starts one session with p and returns when it is over: nil if it
// completed, ErrBusy if one is under way already.
func (s *syncer) run(ctx context.Context, p peer.ID) error {
	if err := s.n.mayOpen(p); err != nil {
		return err
	}
	if !s.n.connected(p) {
		return fmt.Errorf("p2p: %s is not connected", p)
	}
	if !s.enter(p, false) {
		return ErrBusy
	}
	defer s.leave(p, false)
	ctx, cancel := context.WithTimeout(ctx, maxSession)
	defer cancel()
	give, ok := s.out.take(p, cancel)
	if !ok {
		s.want(p, s.n.timing.SyncActive)
		return ErrBusy
	}
	defer give()
	opening, opened := context.WithTimeout(ctx, s.n.timing.Stall)
	str, err := s.n.host.NewStream(reach(opening, "sync"), p, SyncProtocol)
	opened()
	if err != nil {
		return s.over(p, "out", err)
	}
	if err := s.n.mayOpen(p); err != nil { // a change of the roster meanwhile did not see the stream
		_ = str.ResetWithError(codeOf(err))
		return err
	}
	x := newExchange(s.n, p, str)
	if err := x.hello(); err != nil {
		_ = str.ResetWithError(codeProtocol)
		return s.over(p, "out", err)
	}
	return s.over(p, "out", x.run(ctx))
}

// serve answers a session that a peer started.
func (s *syncer) serve(ctx context.Context, str network.Stream) {
	p := str.Conn().RemotePeer()
	var within bool
	s.n.peers.with(p, func(st *peerState) { within = st.starts.take(1, time.Now()) })
	if !within {
		_ = str.ResetWithError(codeBudget)
		s.n.standings.report(p, reasonBudget, errors.New("sync sessions"))
		return
	}
	if !s.enter(p, true) {
		_ = str.ResetWithError(codeBusy)
		return
	}
	defer s.leave(p, true)
	x := newExchange(s.n, p, str)
	if err := s.meet(x); err != nil {
		_ = str.ResetWithError(codeOf(err))
		s.n.blame(p, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxSession)
	defer cancel()
	give, ok := s.in.take(p, cancel)
	if !ok {
		_ = str.ResetWithError(codeBusy)
		return
	}
	defer give()
	_ = s.over(p, "in", x.run(ctx))
}

// meet reads the peer's hello and lets it pass the gate, or not.
func (s *syncer) meet(x *exchange) error {
	err := s.n.admitted(x.peer)
	if errors.Is(err, ErrNotEnrolled) {
		select {
		case s.alien <- struct{}{}:
			defer func() { <-s.alien }()
		default:
			return ErrBusy
		}
	} else if err != nil {
		return err
	}
	in, herr := x.readHello()
	if herr != nil || err == nil {
		return herr
	}
	if err := s.n.introduce(x.peer, in); err != nil {
		return err
	}
	return s.n.admitted(x.peer)
}

// enter claims the peer's one session of a side. If both nodes start one at a
// time, that of the lesser peer ID goes on.
func (s *syncer) enter(p peer.ID, in bool) (ok bool) {
	s.n.peers.with(p, func(st *peerState) {
		switch {
		case in && (st.busyIn || st.busyOut && s.n.id < p):
		case !in && (st.busyIn || st.busyOut):
		case in:
			st.busyIn, ok = true, true
		default:
			st.busyOut, ok = true, true
		}
	})
	return ok
}

func (s *syncer) leave(p peer.ID, in bool) {
	s.n.peers.with(p, func(st *peerState) {
		if in {
			st.busyIn = false
		} else {
			st.busyOut = false
		}
	})
}

// over records the end of a session and what follows from it.
func (s *syncer) over(p peer.ID, side string, err error) error {
	if errors.Is(err, ErrBusy) {
		// The other side's session does the work.
		return err
	}
	if errors.Is(err, ErrWaits) {
		s.n.metrics.syncs.WithLabelValues(side, "waits").Inc()
		s.n.peers.failed(p, err)
		return err
	}
	if err != nil {
		s.n.metrics.syncs.WithLabelValues(side, "failed").Inc()
		s.n.peers.failed(p, err)
		if code, _ := resetCode(err); code == codeNotEnrolled || errors.Is(err, errShutOut) {
			s.n.lanes.shutOutBy(p, true)
		}
		return err
	}
	s.n.metrics.syncs.WithLabelValues(side, "done").Inc()
	s.n.lanes.shutOutBy(p, false)
	s.n.presented(p)
	s.n.directory.visit(p)
	if key, kerr := NodeKey(p); kerr == nil {
		if s.n.backend.Graph().Roster().Standing(key).Err() == nil {
			s.n.host.ConnManager().Protect(p, "enrolled")
			if rerr := s.n.book.remember(p, s.n.host.Peerstore().Addrs(p)); rerr != nil {
				s.n.log.Error("cannot remember peer", "peer", p.String(), "error", rerr)
			}
		}
	}
	return nil
}

// anchor returns the stored anchor of p, nil if there is none.
func (s *syncer) anchor(p peer.ID) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.anchors[p]; a != nil {
		return a.bytes
	}
	v, err := loadMeta(s.n.meta, anchorMeta+p.String())
	if err != nil {
		s.n.log.Warn("cannot read a peer's anchor", "peer", p.String(), "error", err)
		return nil
	}
	if len(s.anchors) < maxStandings {
		s.anchors[p] = &anchor{bytes: v, saved: v}
	}
	return v
}

// setAnchor keeps the anchor of p, and writes it if the last time is long ago.
func (s *syncer) setAnchor(p peer.ID, bytes []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.anchors[p]
	if a == nil {
		return
	}
	a.bytes = bytes
	if slices.Equal(a.bytes, a.saved) || time.Since(a.at) < anchorEvery {
		return
	}
	if err := s.save(p, a); err != nil {
		s.n.log.Error("cannot write a peer's anchor", "peer", p.String(), "error", err)
	}
}

// inherit makes the anchor of old that of heir, unless heir has one: the
// node is the same, under another key. If it is not, an anchor is a hint that harms
// only who states what it does not hold (docs/sync.md, section 5).
func (s *syncer) inherit(old, heir peer.ID) {
	v := s.anchor(old)
	if len(v) == 0 || len(s.anchor(heir)) > 0 {
		return
	}
	s.setAnchor(heir, v)
}

func (s *syncer) save(p peer.ID, a *anchor) error {
	a.at = time.Now()
	if err := s.n.meta.PutMeta(anchorMeta+p.String(), a.bytes); err != nil {
		return err
	}
	a.saved = a.bytes
	return nil
}

// saveAnchors writes the anchors that changed since they were written.
func (s *syncer) saveAnchors() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for p, a := range s.anchors {
		if !slices.Equal(a.bytes, a.saved) {
			errs = append(errs, s.save(p, a))
		}
	}
	return errors.Join(errs...)
}

var _ interface {
	Fetch(dag.ID) (block, body []byte, err error)
	Graph() *dag.Graph
} = Backend(nil)
