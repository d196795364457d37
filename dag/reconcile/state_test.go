package reconcile

import (
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

// TestStateUnder: what is added to the graph while its state is read does not
// show, be it the next op of a chain, a fork, or the first op of an author.
func TestStateUnder(t *testing.T) {
	m := newMesh(t, 5)
	r := m.newReplica(true)
	x1 := r.mustAdd(r.signAt(3, nil, r.graph.Heads(), 1))
	x2 := r.mustAdd(r.signAt(3, x1, []*dag.Op{x1}, 1))
	r.mustAdd(r.signAt(1, nil, []*dag.Op{x1}, 1))
	r.mustAdd(r.signAt(2, nil, []*dag.Op{x2}, 1))
	want := stateOf(r.graph)

	r.write(0, 1)
	r.write(1, 1)
	r.mustAdd(r.signAt(3, x1, []*dag.Op{x1}, 2))
	r.mustAdd(r.signAt(3, nil, []*dag.Op{r.graph.Founding()}, 2))
	r.write(4, 1)
	got := stateUnder(r.graph, want.heads)
	if !slices.Equal(got.tips, want.tips) {
		t.Errorf("stateUnder = %v, want %v", opIDs(got.tips), opIDs(want.tips))
	}
	if now := stateOf(r.graph); len(now.tips) != 7 {
		t.Errorf("stateOf names %d tips, want 7: three of the forker, and four", len(now.tips))
	}
}

// TestReduce checks reduce against its definition.
func TestReduce(t *testing.T) {
	m := newMesh(t, 3)
	r := m.newReplica(true)
	for i := range 12 {
		ops := r.graph.Since(nil)
		author := i % 3
		parents := []*dag.Op{ops[(i*5)%len(ops)]}
		var prev *dag.Op
		if tips := r.graph.Tips(m.keys[author].Public()); len(tips) > 0 {
			prev = tips[0]
			parents = append(parents, prev)
		}
		r.mustAdd(r.signAt(author, prev, reduce(parents), i))
	}
	ops := r.graph.Since(nil)
	for mask := range 1 << 8 {
		var in, want []*dag.Op
		for i, op := range ops[:8] {
			if mask>>i&1 == 1 {
				in = append(in, op, op)
			}
		}
		for i, op := range in {
			if i%2 == 0 && !slices.ContainsFunc(in, func(o *dag.Op) bool { return o.InPast(op) }) {
				want = append(want, op)
			}
		}
		sortByID(want)
		if got := reduce(in); !slices.Equal(got, want) {
			t.Fatalf("reduce(%v) = %v, want %v", opIDs(in), opIDs(got), opIDs(want))
		}
	}
}
