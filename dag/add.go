package dag

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// Add checks s by its past (docs/op.md section 3) and makes it an op of the
// graph, a head. If the op is a second one of its author with the same prev, the
// fork it makes is returned too; such an op is valid and counts.
//
// Errors: [ErrDuplicate]; *[MissingError] if parents are not in the graph;
// *[Refusal] if the op is not valid, which is final; [ErrFull]. After an error
// the graph is as it was.
func (g *Graph) Add(s *Signed) (*Op, []Fork, error) {
	g.writer.Lock()
	defer g.writer.Unlock()

	// Only this goroutine changes the graph, so it reads without g.mu.
	if _, ok := g.ops[s.id]; ok {
		return nil, nil, ErrDuplicate
	}
	if len(g.ops) >= maxOps {
		return nil, nil, ErrFull
	}
	o, err := g.check(s)
	if err != nil {
		return nil, nil, err
	}
	roster := g.union(g.roster, o.roster)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.roster = roster
	g.linkRotations(o, s.statements)
	g.linkSchemas(o, s.schemas)
	return o, g.link(o), nil
}

// link makes the checked op o part of the graph and returns the fork it makes, if any.
func (g *Graph) link(o *Op) []Fork {
	var forks []Fork
	if int(o.chain) < len(g.chains) {
		c := g.chains[o.chain]
		c.ops = append(c.ops, o)
	} else {
		if sibling := g.sibling(o); sibling != nil {
			forks = []Fork{newFork(o.author.key, sibling.id, o.id)}
			g.forks = append(g.forks, forks...)
		}
		g.authors[o.author.key] = o.author
		g.chains = append(g.chains, &chain{author: o.author, ops: []*Op{o}})
		o.author.chains = append(o.author.chains, o.chain)
	}
	g.ops[o.id] = o
	for _, p := range o.Parents() {
		if i, ok := slices.BinarySearchFunc(g.heads, p, byID); ok {
			g.heads = slices.Delete(g.heads, i, i+1)
		}
	}
	i, _ := slices.BinarySearchFunc(g.heads, o, byID)
	g.heads = slices.Insert(g.heads, i, o)
	if o.epoch != 0 {
		g.claims[o.epoch] = append(g.claims[o.epoch], o)
	}
	if g.founding == nil {
		g.founding = o
		g.mesh = &o.id
	}
	return forks
}

// place gives o the chain and position that link will put it at: after prev
// if prev is its author's and the last of its chain, else at the start of a new chain.
func (g *Graph) place(o *Op) {
	prev := o.prev[0]
	if prev != nil && prev.author == o.author && int(prev.pos)+1 == len(g.chains[prev.chain].ops) {
		o.chain, o.pos = prev.chain, prev.pos+1
		return
	}
	o.chain, o.pos = uint32(len(g.chains)), 0
}

// sibling returns an op of the author and prev of o, the first of a new chain,
// that was there before: the two are a fork. A rotated key can have chains of
// other prevs only, if the key before has forked.
func (g *Graph) sibling(o *Op) *Op {
	if prev := o.prev[0]; prev != nil && prev.author == o.author {
		return g.chains[prev.chain].ops[prev.pos+1]
	}
	for _, c := range o.author.chains {
		if first := g.chains[c].ops[0]; first.prev == o.prev {
			return first
		}
	}
	return nil
}

// union is identity.Union, remembering results, so that ops with the same
// past share one roster.
func (g *Graph) union(a, b *identity.Roster) *identity.Roster {
	if a == b {
		return a
	}
	pair := [2]*identity.Roster{a, b}
	if u, ok := g.unions[pair]; ok {
		return u
	}
	if len(g.unions) >= maxUnions {
		clear(g.unions)
	}
	u := identity.Union(a, b)
	g.unions[pair] = u
	return u
}
