package p2p

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestStallingStrangers has more strangers than there are lanes or sessions open a
// sync and a lane each and say nothing, for as long as the test takes. A node that is
// unknown yet still shows how it came in, by sync; and one that is revoked asks
// why, by the lane.
func TestStallingStrangers(t *testing.T) {
	m := rotatingMesh(t, 3)
	timing := fast
	timing.Stall = time.Minute
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: timing})
	streams := 0
	for i := range maxSessionsIn + maxLanesIn {
		l := newLiar(t, m.Key(string(rune('a'+i))), victim)
		if l.send([]byte{0}) != nil { // of a frame's head
			streams++
		}
		if s, err := l.NewStream(t.Context(), l.to, LaneProtocol); err == nil {
			t.Cleanup(func() { s.Reset() })
			_, _ = s.Write([]byte{0})
			streams++
		}
	}
	eventually(t, "the strangers hold the victim's attention", func() bool {
		held := 0
		for _, c := range victim.host.Network().Conns() {
			for _, s := range c.GetStreams() {
				if s.Stat().Direction == network.DirInbound && (s.Protocol() == SyncProtocol || s.Protocol() == LaneProtocol) {
					held++
				}
			}
		}
		return held >= min(streams, 2*maxLanesIn)
	})

	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	last := a.rotate(t, m, 1, "second")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	op := a.backend.ops[last]
	if err := SaveIntroduction(a.store, op.Block(), op.Body()); err != nil {
		t.Fatal(err)
	}
	a = openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key("second"), ops: a.signed(), store: a.store})
	connect(t, a, victim)
	id := a.put(t, "k", "v")
	eventually(t, "the newcomer is let in", func() bool { return victim.holds(id) })

	revoked := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(2), ops: m.Enrolled})
	victim.carry(t, revoke(m, 2, m.Founding.ID()))
	victim.lanes.out <- struct{}{} // it opens no lane by itself: the revoked has to
	victim.lanes.out <- struct{}{}
	defer func() { <-victim.lanes.out; <-victim.lanes.out }()
	connect(t, revoked, victim)
	eventually(t, "the revoked learns so", func() bool { return revoked.standing(revoked.self) != nil })
}

// TestStallingLanes has as many revoked nodes as there are lanes open one each and
// stall in the middle: they give way.
func TestStallingLanes(t *testing.T) {
	m := dagtest.New(t, 2+maxLanesIn+1)
	timing := fast
	timing.Stall = time.Minute
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: timing})
	for i := 1; i < m.Authors(); i++ {
		victim.carry(t, revoke(m, i, m.Founding.ID()))
	}
	victim.lanes.out <- struct{}{}
	victim.lanes.out <- struct{}{}
	defer func() { <-victim.lanes.out; <-victim.lanes.out }()
	for i := range maxLanesIn {
		l := newLiar(t, m.Node(2+i), victim)
		s, err := l.NewStream(t.Context(), l.to, LaneProtocol)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Reset() })
		if err := newFramer(s, maxLaneFrame, time.Minute).write(hello()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the liars hold all lanes", func() bool {
		victim.lanes.in.slots.mu.Lock()
		defer victim.lanes.in.slots.mu.Unlock()
		return victim.lanes.in.slots.free == 0
	})
	revoked := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled})
	connect(t, revoked, victim)
	eventually(t, "the revoked learns so", func() bool { return revoked.standing(revoked.self) != nil })
}
