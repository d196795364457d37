package dag

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// A succession is from a key to another that it rotates to.
type succession struct{ from, to identity.PublicKey }

// Prevs returns the ops that the key's next op may name as prev, ascending by
// ID: its tips or, for a key without an op that a rotation made an author, the ops of
// the old key that first carry a rotation to it: one, unless the old key has
// forked. The slice is the caller's; for a key that is to begin with seq 1 it is empty.
func (g *Graph) Prevs(key identity.PublicKey) []*Op {
	if tips := g.Tips(key); len(tips) > 0 {
		return tips
	}
	a, ok := g.Roster().Author(key) // may take a while
	if !ok || a.Rotation == nil {
		return nil
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	ops := slices.Clone(g.rotations[succession{*a.From, key}])
	slices.SortFunc(ops, byID)
	return ops
}

// checkChain is rule 4, by the roster of the past: prev is the author's own or,
// for a key that a rotation made an author, the op of the key before that first
// carries a rotation to it; and seq follows it.
func (g *Graph) checkChain(o *Op, roster *identity.Roster) *Refusal {
	prev := o.prev[0]
	if prev == nil || prev.author != o.author {
		a, ok := roster.Author(o.author.key)
		rotated := ok && a.Rotation != nil
		switch {
		case prev == nil && rotated:
			return refusef(ReasonPrevAuthor, "no prev, but the key took over from %v", *a.From)
		case prev != nil && !(rotated && slices.Contains(g.rotations[succession{*a.From, a.Key}], prev)):
			return refusef(ReasonPrevAuthor, "prev is of %v", prev.author.key)
		}
	}
	if prev != nil && o.seq != prev.seq+1 {
		return refusef(ReasonSeq, "seq %d after %d", o.seq, prev.seq)
	}
	return nil
}

// linkRotations remembers to which keys o is the first of its chain to carry a rotation by its author.
func (g *Graph) linkRotations(o *Op, statements []*identity.Statement) {
	for _, s := range statements {
		c, ok := s.Content.(identity.Rotate)
		if !ok || s.Issuer != o.author.key {
			continue
		}
		to := succession{s.Issuer, c.Key}
		if !slices.ContainsFunc(g.rotations[to], func(c *Op) bool { return c == o || o.InPast(c) }) {
			g.rotations[to] = append(g.rotations[to], o)
		}
	}
}
