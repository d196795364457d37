package reconcile

import (
	"maps"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// TestWithout: a side that takes none of the forkers' ops now is sent all the
// others that do not build on those which it lacks, whatever else the session has to
// find out, and once it takes them, all. The other side gets everything throughout.
func TestWithout(t *testing.T) {
	spared, repaired := 0, 0
	simulate(t, func(w *world) {
		w.addForkers()
		var forkers []identity.PublicKey
		for _, f := range w.forkers {
			forkers = append(forkers, w.mesh.keys[f].Public())
		}
		spare := func() []identity.PublicKey { return forkers }
		for range 40 {
			switch n := w.rng.IntN(20); {
			case n < 6:
				w.write()
			case n < 12:
				w.fork()
			case n < 14:
				w.meet(0, 0)
			default:
				a, b := w.pair()
				if a == nil {
					continue
				}
				union, _, _ := unite(a, b)
				want := takes(a, b, forkers)
				x := &exchange{a: a, b: b, withoutB: spare, sketch: w.sketch()}
				if w.rng.IntN(4) == 0 {
					x.rng = w.rng
				}
				w.run(x)
				if got := b.ids(); !maps.Equal(got, want) {
					w.Errorf("seed %d: %d ops after a session without the forkers', want %d: %+v", w.seed, len(got), len(want), x.sa.Stats())
				}
				if !maps.Equal(a.ids(), union) {
					w.Errorf("seed %d: the other side holds %d ops, want all %d", w.seed, len(a.ids()), len(union))
				}
				st := x.sa.Stats()
				if left := len(union) - len(want); x.sa.Complete() != (left == 0) || x.sa.peerHeld != (left == 0) || st.Spared < left {
					w.Errorf("seed %d: %d ops were left out; complete %v, %+v", w.seed, left, x.sa.Complete(), st)
				}
				if spared += st.Spared; st.RoundTrips > 1 && st.Spared > 0 {
					repaired++
				}
			}
		}
		clear(w.side)
		w.heal(func() { w.meet(0, 0) })
	})
	if *seedFlag == 0 && (spared == 0 || repaired == 0) {
		t.Errorf("%d ops were left out, in %d sessions with a repair: want some", spared, repaired)
	}
}

// takes returns what b holds after a session with a in which it takes none of
// those authors' ops.
func takes(a, b *replica, authors []identity.PublicKey) map[dag.ID]bool {
	want := b.ids()
	var out []*dag.Op
	for _, op := range a.graph.Since(nil) {
		if want[op.ID()] {
			continue
		}
		wait := false
		for _, key := range authors {
			wait = wait || op.Author() == key
		}
		for _, o := range out {
			wait = wait || op.InPast(o)
		}
		if wait {
			out = append(out, op)
		} else {
			want[op.ID()] = true
		}
	}
	return want
}

// TestWithoutInTheWay: ops that a side does not take do not use up what a
// session may send, nor what may be sent again: else the rest would wait behind them.
func TestWithoutInTheWay(t *testing.T) {
	m := newMesh(t, 2)
	a, b := m.newReplica(true), m.newReplica(true)
	lump := a.graph.Since(nil)[0]
	for range 20 { // branches of author 1, on the founding op
		a.mustAdd(a.signAt(1, nil, []*dag.Op{lump}, 1000+a.graph.Len()))
	}
	prev := lump
	var honest []dag.ID
	for range 5 {
		op := a.mustAdd(a.signAt(0, prev, []*dag.Op{prev}, 1000))
		prev, honest = op, append(honest, op.ID())
	}
	forker := []identity.PublicKey{m.keys[1].Public()}
	session := func(without func() []identity.PublicKey) *exchange {
		x := &exchange{a: a, b: b, maxBytes: 8000, maxAgain: -1, withoutB: without}
		if err := x.run(); err != nil || x.errA != nil || x.errB != nil {
			t.Fatal(err, x.errA, x.errB)
		}
		return x
	}
	session(func() []identity.PublicKey { return forker })
	for _, id := range honest {
		if _, ok := b.graph.Get(id); !ok {
			t.Fatalf("an honest op is missing: %d of %d ops are held", b.graph.Len(), a.graph.Len())
		}
	}
	if len(b.graph.Tips(forker[0])) > 0 {
		t.Error("ops arrived that were to be left out")
	}
	for range 10 {
		if session(nil).sb.Complete() {
			return
		}
	}
	t.Errorf("%d of %d ops once they are taken", b.graph.Len(), a.graph.Len())
}
