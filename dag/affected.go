package dag

import (
	"math"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// Affected returns the ops of the graph for which some transaction's verdict,
// or what a range delete passes over, may differ between two rosters, and that
// write anything: those of [Judge]. It may return some for which nothing differs, and misses none. The
// order is by (depth, ID), an op after all its parents. The slice is the caller's.
//
// It takes time in proportion to the result and to what the rosters differ in,
// and if policy differs to the number of chains.
func (g *Graph) Affected(before, after *identity.Roster) []*Op {
	d := before.Difference(after)
	g.mu.RLock()
	defer g.mu.RUnlock()
	// What a restriction keeps of a chain is its first ops, so that what is
	// affected of one is its last. Here are the positions of the first.
	from := make(map[uint32]uint32)
	reach := func(chain uint32, keeps []*clock) {
		first := uint32(math.MaxUint32)
		for _, k := range keeps {
			first = min(first, k.get(chain))
		}
		if old, ok := from[chain]; !ok || first < old {
			from[chain] = first
		}
	}
	clocks := make(keepClocks)
	if policies := clocks.all(d.Policies); len(policies) > 0 {
		for chain := range g.chains {
			reach(uint32(chain), policies)
		}
	}
	for _, a := range d.Authors {
		author, ok := g.authors[a.Key]
		if !ok {
			continue
		}
		keeps := clocks.all(a.Keeps)
		for _, chain := range author.chains {
			reach(chain, keeps)
		}
	}
	var ops []*Op
	for chain, first := range from {
		all := g.chains[chain].ops
		for _, o := range all[min(first, uint32(len(all))):] {
			if o.writesAny() {
				ops = append(ops, o)
			}
		}
	}
	slices.SortFunc(ops, compareOps)
	return ops
}

// writesAny reports whether the op has writes.
func (o *Op) writesAny() bool {
	if prev := o.prev[0]; prev != nil {
		return o.writes > prev.writes
	}
	return o.writes > 0
}

// keepClocks are the clocks of what is within keep, by the first of the keep
// heads: the authors whom one restriction binds are told of it with one slice.
type keepClocks map[*identity.Place]*clock

func (k keepClocks) all(keeps [][]identity.Place) []*clock {
	clocks := make([]*clock, len(keeps))
	for i, keep := range keeps {
		if len(keep) == 0 {
			continue // a nil clock counts nothing
		}
		c, ok := k[&keep[0]]
		if !ok {
			for _, head := range keep {
				o := head.(*Op)
				c = union(c, o.past).raise(o.chain, o.pos+1)
			}
			k[&keep[0]] = c
		}
		clocks[i] = c
	}
	return clocks
}
