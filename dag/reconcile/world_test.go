package reconcile

import (
	"math/rand/v2"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestWorlds: nodes with different parts of a mesh in which keys rotate, so that a
// key's first op follows one of another key, members come and go, and authors fork. Any two
// that meet hold the union then.
func TestWorlds(t *testing.T) {
	first, last := uint64(1), min(*seedsFlag, 60)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	rotated := 0
	for seed := first; seed <= last && !t.Failed(); seed++ {
		rng := rand.New(rand.NewPCG(seed, 11))
		grown := dagtest.GrowMerging(t, seed, 60)
		for _, s := range grown.Ops {
			if p := s.Header().Prev; p != nil && grown.Mesh.Header(*p).Author != s.Header().Author {
				rotated++
			}
		}
		m := &mesh{t: t, id: grown.Mesh.Founding.ID(), salts: seed << 32}
		var nodes []*replica
		for range 4 {
			n := m.newReplica(false)
			grow(n, grown.Shuffle(rng), rng.IntN(len(grown.Ops)+1))
			nodes = append(nodes, n)
		}
		for range 20 {
			a, b := nodes[rng.IntN(len(nodes))], nodes[rng.IntN(len(nodes))]
			if a == b {
				continue
			}
			union, _, _ := unite(a, b)
			x := &exchange{a: a, b: b, sketch: rng.IntN(3)}
			if err := x.run(); err != nil || x.errA != nil || x.errB != nil {
				t.Fatalf("seed %d: %v, %v, %v", seed, err, x.errA, x.errB)
			}
			if !x.sa.Complete() || !x.sb.Complete() || a.graph.Len() != len(union) || b.graph.Len() != len(union) {
				t.Errorf("seed %d: %d and %d ops after a session, want %d: %+v", seed, a.graph.Len(), b.graph.Len(), len(union), x.sa.Stats())
			}
			if a.graph.Len() < len(grown.Ops) { // one learns something elsewhere
				grow(a, grown.Shuffle(rng), rng.IntN(5))
			}
		}
	}
	if rotated == 0 {
		t.Error("no key was rotated in any world")
	}
}

// grow adds up to n of ops to r, as far as they are valid and their past is there.
func grow(r *replica, ops []*dag.Signed, n int) {
	for _, s := range ops {
		if n == 0 {
			return
		}
		if _, err := r.add(s); err == nil {
			n--
		}
	}
}
