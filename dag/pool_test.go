package dag_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"pgregory.net/rapid"
)

// chain returns ops of author 1, each on the one before.
func chain(m *dagtest.Mesh, n int) []*dag.Signed {
	ops := make([]*dag.Signed, n)
	last := m.Founding.ID()
	for i := range ops {
		ops[i] = m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{last}})
		last = ops[i].ID()
	}
	return ops
}

func roomy() dag.PoolLimits { return dag.DefaultPoolLimits() }

func TestPoolReleases(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1 -> c1
		G -> d1
		c1, d1 -> a1 -> a2
	`)
	p := dag.NewPool(roomy())
	add := func(name string, missing ...dag.ID) {
		t.Helper()
		if err := p.Add("peer", c.Signed(name), missing); err != nil {
			t.Fatalf("Add(%s): %v", name, err)
		}
	}
	add("a2", c.ID("a1"))
	add("a1", c.ID("d1"), c.ID("c1"), c.ID("c1"))
	add("c1", c.ID("b1"))
	if err := p.Add("peer", c.Signed("c1"), nil); !errors.Is(err, dag.ErrDuplicate) {
		t.Errorf("Add again = %v, want ErrDuplicate", err)
	}
	want := []dag.ID{c.ID("b1"), c.ID("d1")}
	slices.SortFunc(want, dag.ID.Compare)
	if got := p.Wanted(); !slices.Equal(got, want) {
		t.Errorf("Wanted = %v, want b1 and d1", got)
	}
	for _, step := range []struct{ id, ready string }{{"d1", "[]"}, {"b1", "[c1]"}, {"c1", "[a1]"}, {"a1", "[a2]"}, {"a2", "[]"}} {
		var names []string
		for _, s := range p.Ready(c.ID(step.id)) {
			names = append(names, c.Name(s.ID()))
		}
		if got := fmt.Sprint(names); got != step.ready {
			t.Errorf("Ready(%s) = %s, want %s", step.id, got, step.ready)
		}
	}
	if ops, bytes := p.Len(); ops != 0 || bytes != 0 || len(p.Wanted()) != 0 {
		t.Errorf("%d ops, %d bytes, %v wanted are left", ops, bytes, p.Wanted())
	}
}

// TestPoolShares: a peer that floods pushes out only what it alone sent.
func TestPoolShares(t *testing.T) {
	m := dagtest.New(t, 2)
	ops := chain(m, 10)
	limits := roomy()
	limits.PeerOps = 3
	p := dag.NewPool(limits)
	add := func(peer string, i int) {
		t.Helper()
		if err := p.Add(peer, ops[i], ops[i].Header().Parents); err != nil {
			t.Fatalf("%s adds op %d: %v", peer, i, err)
		}
	}
	add("honest", 1)
	add("flood", 1) // the same op, relayed first or not
	add("honest", 2)
	for i := 3; i < 10; i++ {
		add("flood", i)
	}
	for i, want := range []bool{false, true, true, false, false, false, false, true, true, true} {
		if got := p.Has(ops[i].ID()); got != want {
			t.Errorf("op %d in the pool: %v, want %v", i, got, want)
		}
	}
	if n := p.Drop("flood"); n != 3 {
		t.Errorf("Drop(flood) = %d, want 3", n)
	}
	if n := p.Drop("honest"); n != 2 {
		t.Errorf("Drop(honest) = %d, want 2", n)
	}
	if n := p.Drop("nobody"); n != 0 {
		t.Errorf("Drop(nobody) = %d, want 0", n)
	}
}

func TestPoolFull(t *testing.T) {
	m := dagtest.New(t, 2)
	ops := chain(m, 6)
	limits := roomy()
	limits.Ops = 3
	p := dag.NewPool(limits)
	for i := range 3 {
		if err := p.Add("first", ops[i], ops[i].Header().Parents); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Add("second", ops[3], nil); !errors.Is(err, dag.ErrPoolFull) {
		t.Errorf("second peer = %v, want ErrPoolFull: it has nothing to give up", err)
	}
	if err := p.Add("second", ops[2], nil); err != nil {
		t.Errorf("second peer sends what is there already: %v", err)
	}
	if err := p.Add("first", ops[4], ops[4].Header().Parents); err != nil || p.Has(ops[0].ID()) {
		t.Errorf("first peer adds one more: %v, its oldest still there: %v", err, p.Has(ops[0].ID()))
	}
	limits = roomy()
	limits.PeerBytes = ops[0].Footprint() - 1
	if err := dag.NewPool(limits).Add("peer", ops[0], nil); !errors.Is(err, dag.ErrPoolFull) {
		t.Errorf("op beyond a share = %v, want ErrPoolFull", err)
	}
}

func TestPoolDiscard(t *testing.T) {
	m := dagtest.New(t, 2)
	ops := chain(m, 5)
	p := dag.NewPool(roomy())
	for _, s := range ops[1:] {
		if err := p.Add("peer", s, s.Header().Parents); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.Discard(ops[1].ID()); n != 3 {
		t.Errorf("Discard = %d, want the 3 ops that wait for it", n)
	}
	if !p.Has(ops[1].ID()) {
		t.Error("Discard took the op itself, which waits for another")
	}
}

// TestPoolBounds: whatever peers do, no bound is exceeded and nothing leaks.
func TestPoolBounds(t *testing.T) {
	m := dagtest.New(t, 2)
	ops := chain(m, 12)
	rapid.Check(t, func(t *rapid.T) {
		limits := dag.PoolLimits{PeerOps: 4, PeerBytes: 3 * ops[0].Footprint(), Ops: 6, Bytes: 7 * ops[0].Footprint()}
		p := dag.NewPool(limits)
		peers := []string{"a", "b", "c"}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.SampledFrom(ops).Draw(t, "op")
			peer := rapid.SampledFrom(peers).Draw(t, "peer")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				p.Drop(peer)
			case 1:
				p.Discard(s.ID())
			case 2:
				for _, r := range p.Ready(s.ID()) {
					if p.Has(r.ID()) {
						t.Fatal("a released op is still there")
					}
				}
			default:
				had := p.Has(s.ID())
				if err := p.Add(peer, s, s.Header().Parents); err == nil && !p.Has(s.ID()) {
					t.Fatal("an added op is not there")
				} else if err != nil && p.Has(s.ID()) != had {
					t.Fatal("a failed Add changed the pool")
				}
			}
			if n, bytes := p.Len(); n > limits.Ops || bytes > limits.Bytes {
				t.Fatalf("%d ops, %d bytes", n, bytes)
			}
		}
		for _, peer := range peers {
			p.Drop(peer)
		}
		if n, bytes := p.Len(); n != 0 || bytes != 0 || len(p.Wanted()) != 0 {
			t.Fatalf("%d ops, %d bytes, %v wanted after all peers left", n, bytes, p.Wanted())
		}
	})
}
