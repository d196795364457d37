package p2p

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// testSpace is a space of which a test says how much is free. Its reserve is
// small, so that what is taken while it is short is too.
type testSpace struct {
	free   atomic.Int64
	broken atomic.Bool
}

const testReserve = 64 << 10

func (s *testSpace) edit(c *Config) {
	c.Spaces = []Space{{Name: "disk", Measure: func() (int64, int64, error) {
		if s.broken.Load() {
			return 0, 0, errors.New("no such device")
		}
		return s.free.Load(), testReserve, nil
	}}}
}

func ample() *testSpace {
	s := new(testSpace)
	s.free.Store(1 << 40)
	return s
}

// look has the next question look at the spaces anew.
func (r *reserve) lookAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = time.Time{}
}

// heavy returns n branches of an author, of so many bytes each.
func heavy(m *dagtest.Mesh, author, n, size int) []*dag.Signed {
	ops := make([]*dag.Signed, n)
	for i := range ops {
		ops[i] = m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{m.Founding.ID()},
			Transactions: []dag.Transaction{{dagtest.Put("k", fmt.Sprint(i)+strings.Repeat("x", size))}}})
	}
	return ops
}

// TestReserve: while a space is short a little of each slowed author is taken, and
// of all of them no more than a part of the reserve; then they wait, and nobody else.
// A space is not short again only once there is more than the reserve.
func TestReserve(t *testing.T) {
	m := dagtest.New(t, 4)
	space := ample()
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: space.edit})
	for _, author := range []int{2, 3} {
		if err := s.proofs.take(unseen(t, m, author)); err != nil {
			t.Fatal(err)
		}
	}
	const size = 1000
	sift := func(ops []*dag.Signed) int {
		left := s.reserve.sift(ops)
		for _, op := range left {
			s.reserve.took(op)
		}
		return len(left)
	}
	forker, honest := heavy(m, 2, 100, size), heavy(m, 1, 100, size)
	short := func(free int64, want bool) {
		t.Helper()
		space.free.Store(free)
		s.reserve.lookAgain()
		if shortages, _ := s.Shortages(); len(shortages) > 0 != want || want && shortages[0] != (Shortage{"disk", free, testReserve}) {
			t.Errorf("%d bytes free: Shortages() = %v, want some: %v", free, shortages, want)
		}
	}
	short(testReserve, false)
	if n := sift(forker); n != len(forker) {
		t.Errorf("%d of a forker's %d ops are taken while there is space", n, len(forker))
	}
	short(testReserve-1, true)
	if s.log.has("little space is left") {
		t.Error("the log says that ops wait before any did")
	}
	for range 100 { // as without their past
		if n := len(s.reserve.sift(forker[:2])); n != 2 {
			t.Fatal("ops that are not delivered use up what is taken while a space is short")
		}
	}
	taken := 0
	for _, op := range forker {
		taken += sift([]*dag.Signed{op})
	}
	if most := testReserve / reserveShare / size; taken == 0 || taken > most {
		t.Errorf("%d of a forker's ops are taken while a space is short, want some, at most %d", taken, most)
	}
	if n := sift(heavy(m, 3, 100, size)); n != 0 {
		t.Errorf("%d ops of another forker are taken, beyond what all may", n)
	}
	if s.throttle.passes(m.Author(2), 1, false) {
		t.Error("a forker's op passes by gossip, who waits")
	}
	if n := sift(slices.Concat(honest, forker)); n != len(honest) {
		t.Errorf("%d ops are taken of %d honest ones and a forker's", n, len(honest))
	}
	authors := []identity.PublicKey{m.Author(2), m.Author(3)}
	slices.SortFunc(authors, identity.PublicKey.Compare)
	if _, waiting := s.Shortages(); !slices.Equal(waiting, authors) {
		t.Errorf("the authors that wait are %v, want %v", waiting, authors)
	}
	if n := strings.Count(s.log.String(), "little space is left"); n != 1 || !s.log.has("little space is left", "space=disk", "author="+m.Author(2).String()) {
		t.Errorf("the log says %d times that ops wait, want once, and whose", n)
	}
	if n := s.count(t, "causeway_p2p_throttled_total", "space"); n == 0 {
		t.Error("no metric counts the ops that wait")
	}
	short(testReserve+testReserve/4-1, true)
	if n := sift(forker); n != 0 {
		t.Errorf("%d of a forker's ops are taken with little more than the reserve free", n)
	}
	short(testReserve+testReserve/4, false)
	if n := sift(forker); n != len(forker) {
		t.Errorf("%d of a forker's %d ops are taken once there is space again", n, len(forker))
	}
	if !s.log.has("there is space again") {
		t.Error("the log does not say that there is space again")
	}
	short(0, true)
	space.broken.Store(true)
	s.reserve.lookAgain()
	if n := sift(forker); n != len(forker) || !s.log.has("cannot tell how much space is free") {
		t.Errorf("%d of a forker's ops are taken if the space cannot be told, want all, and a line in the log", n)
	}
}

// TestReserveOfTheReadmitted: who is readmitted waits no more.
func TestReserveOfTheReadmitted(t *testing.T) {
	m := dagtest.New(t, 2)
	space := new(testSpace)
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: space.edit})
	of := revoke(m, 1, m.Founding.ID())
	s.carry(t, of)
	ops := heavy(m, 1, 100, 1000)
	if n := len(s.reserve.sift(ops)); n == len(ops) || len(s.reserve.waits()) != 1 {
		t.Errorf("%d of a revoked author's ops are taken, %d authors wait, want some, 1", n, len(s.reserve.waits()))
	}
	s.carry(t, readmit(m, of))
	if n := len(s.reserve.sift(ops)); n != len(ops) || len(s.reserve.waits()) != 0 {
		t.Errorf("%d of a readmitted author's %d ops are taken, %d authors wait, want all, 0", n, len(ops), len(s.reserve.waits()))
	}
}

// TestReserveOfANewcomer: who has only just joined takes all, as it needs the
// past of its own enrolment.
func TestReserveOfANewcomer(t *testing.T) {
	m := dagtest.New(t, 2)
	space := new(testSpace)
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key("newcomer"), ops: m.Enrolled, edit: space.edit})
	if err := s.proofs.take(unseen(t, m, 1)); err != nil {
		t.Fatal(err)
	}
	if ops := heavy(m, 1, 100, 1000); len(s.reserve.sift(ops)) != len(ops) || !s.reserve.takes(m.Author(1), reserveAuthor+1, 0, 0, true) || s.reserve.waits() != nil {
		t.Error("a newcomer does not take all")
	}
}

// TestLiarsLeaveSpace: a forker and a revoked author push at a node with ample space, behind
// which are two that have little, one of them with no other peer. Both get what
// honest nodes write, small and large, though it comes beside ops that wait; nobody is blamed; and all hold
// the same once there is space.
func TestLiarsLeaveSpace(t *testing.T) {
	m := dagtest.New(t, 6)
	spaces := []*testSpace{ample(), new(testSpace), new(testSpace)}
	open := func(i int, peers ...string) *site {
		return openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled, peers: peers, edit: spaces[i].edit})
	}
	full := open(0)
	sites := []*site{full, open(1, full.Addrs()...), open(2, full.Addrs()...)}
	eventually(t, "gossip runs", func() bool { return len(full.gossip.topic.ListPeers()) == 2 })
	of := full.carry(t, revoke(m, 4, m.Founding.ID()))
	eventually(t, "all know of the revocation", func() bool { return sites[1].holds(of) && sites[2].holds(of) })

	ops := slices.Concat(heavy(m, 3, 60, 2000), heavy(m, 4, 60, 2000))
	accomplice := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(5), ops: append(m.Enrolled[:len(m.Enrolled):len(m.Enrolled)], ops...)})
	connect(t, accomplice, full)
	eventually(t, "the node with ample space holds all of the liars'", func() bool {
		return !slices.ContainsFunc(ops, func(op *dag.Signed) bool { return !full.holds(op.ID()) })
	})
	held := func(s *site) (bytes int) {
		for _, op := range ops {
			if s.holds(op.ID()) {
				bytes += len(op.Block()) + len(op.Body())
			}
		}
		return bytes
	}
	eventually(t, "the others let them wait", func() bool {
		_, a := sites[1].Shortages()
		_, b := sites[2].Shortages()
		return len(a) == 2 && len(b) == 2
	})
	large := strings.Repeat("y", maxGossip) // by sync only
	for i := range 3 {
		for from, to := range []int{2, 1} {
			for _, value := range []string{"small", large} {
				id := sites[1+from].put(t, fmt.Sprint("honest ", i), value)
				eventually(t, "honest ops arrive", func() bool { return sites[to].holds(id) && full.holds(id) })
			}
		}
	}
	builds := full.put(t, "builds", "on the liars'")
	eventually(t, "the full one says that the others wait", func() bool {
		n := 0
		for _, p := range full.Peers() {
			if strings.Contains(p.LastError, ErrWaits.Error()) {
				n++
			}
		}
		return n == 2
	})
	for i, s := range sites {
		if i > 0 {
			if n := held(s); n > testReserve/reserveShare {
				t.Errorf("site %d took %d bytes of the liars', want at most %d", i, n, testReserve/reserveShare)
			}
			if s.holds(builds) {
				t.Errorf("site %d holds an op without its past", i)
			}
			if last := s.Peers()[0].LastError; !strings.Contains(last, ErrWaits.Error()) {
				t.Errorf("site %d says %q of its peer, want that ops wait", i, last)
			}
		}
		for j, other := range sites {
			if last := s.standings.last(other.ID()); last != "" && last != "stalled" { // as a busy machine does
				t.Errorf("site %d blames site %d for %q", i, j, last)
			}
		}
	}
	for _, space := range spaces {
		space.free.Store(1 << 40)
	}
	eventually(t, "all hold the same once there is space", func() bool { return sites[1].holds(builds) && equalHeads(sites...)() })
}

// TestVoidIsNotForwarded: what is void at a node, as its author is revoked there, it does not
// hand on by gossip, though it takes it. Whoever needs it gets it by sync.
func TestVoidIsNotForwarded(t *testing.T) {
	m := dagtest.New(t, 4)
	slowly := fast
	slowly.Announce, slowly.SyncActive, slowly.SyncIdle = time.Hour, time.Hour, time.Hour
	first := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: slowly})
	second := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: slowly, peers: first.Addrs()})
	gossips(t, first, second)
	of := first.carry(t, revoke(m, 3, m.Founding.ID()))
	eventually(t, "both know of the revocation", func() bool { return second.holds(of) })
	accomplice := newLiar(t, m.Node(2), first)
	var last *dag.Signed
	say := func() dag.ID { // an honest op
		parent := m.Founding.ID()
		if last != nil {
			parent = last.ID()
		}
		last = m.Sign(dagtest.Draft{Author: 2, Parents: []dag.ID{parent}})
		accomplice.publish(m.Founding.ID(), encodeGossipOp(last.Block(), last.Body()))
		return last.ID()
	}
	for began := time.Now(); second.count(t, "causeway_p2p_ops_delivered_total", "gossip") < 2; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 15*time.Second {
			t.Fatal("the first does not forward what others say")
		}
		say()
	}
	void := branches(m, 3, 1)[0]
	accomplice.publish(m.Founding.ID(), encodeGossipOp(void.Block(), void.Body()))
	eventually(t, "the void op is taken", func() bool { return first.holds(void.ID()) })
	honest := say()
	eventually(t, "what came after it is forwarded", func() bool { return second.holds(honest) })
	if second.holds(void.ID()) {
		t.Error("a void op was forwarded")
	}
	id := first.put(t, "builds", "on it")
	eventually(t, "who needs it gets it", func() bool { return second.holds(id) && second.holds(void.ID()) })
}
