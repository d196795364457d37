package admin

import (
	"container/heap"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Heads returns the heads of g, ascending by ID.
func Heads(g *dag.Graph) []Op {
	roster := g.Roster()
	ops := []Op{}
	for _, h := range g.Heads() {
		ops = append(ops, NewOp(h, roster))
	}
	return ops
}

// Latest returns the limit ops of g that are deepest, children before their
// parents. It takes time by limit and the ops' parents, not by the size of g.
func Latest(g *dag.Graph, limit int) []Op { return latest(g.Roster(), g.Heads(), limit) }

// latest returns the limit deepest ops among those given and their past.
func latest(roster *identity.Roster, from []*dag.Op, limit int) []Op {
	next := &deepest{}
	seen := make(map[dag.ID]bool)
	push := func(op *dag.Op) {
		if id := op.ID(); !seen[id] {
			seen[id] = true
			heap.Push(next, op)
		}
	}
	for _, op := range from {
		push(op)
	}
	ops := []Op{}
	for len(ops) < limit && next.Len() > 0 {
		op := heap.Pop(next).(*dag.Op)
		ops = append(ops, NewOp(op, roster))
		for _, p := range op.Parents() {
			push(p)
		}
	}
	return ops
}

// deepest is a heap of ops: greatest depth first, then the greatest ID. A
// parent is less deep than its children, so it comes after them.
type deepest []*dag.Op

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (d deepest) Len() int { return len(d) }

func (d deepest) Less(i, j int) bool {
	if a, b := d[i].Depth(), d[j].Depth(); a != b {
		return a > b
	}
	return d[i].ID().Compare(d[j].ID()) > 0
}

func (d deepest) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

func (d *deepest) Push(x any) { *d = append(*d, x.(*dag.Op)) }

func (d *deepest) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
