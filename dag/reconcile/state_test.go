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
		t.Errorf("stateUnder = %v, want %v", got.tips, want.tips)
	}
	if now := stateOf(r.graph); len(now.tips) != 7 {
		t.Errorf("stateOf names %d tips, want 7: three of the forker, and four", len(now.tips))
	}
}
