package dag

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// Prevs returns the ops that the key's next op may name as prev, ascending by
// ID: its tips or, for a key without an op that a rotation made an author, the ops of
// the old key that carry the rotation first: one, unless the old key has
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
	ops := slices.Clone(g.rotations[*a.Rotation])
	slices.SortFunc(ops, byID)
	return ops
}

// checkChain is rule 4, by the roster of the past: prev is the author's own or,
// for a key that a rotation made an author, the op that carries the rotation
// first; and seq follows it.
func (g *Graph) checkChain(o *Op, roster *identity.Roster) *Refusal {
	prev := o.prev[0]
	if prev == nil || prev.author != o.author {
		a, ok := roster.Author(o.author.key)
		rotated := ok && a.Rotation != nil
		switch {
		case prev == nil && rotated:
			return refusef(ReasonPrevAuthor, "no prev, but the key took over from %v", *a.From)
		case prev != nil && !(rotated && slices.Contains(g.rotations[*a.Rotation], prev)):
			return refusef(ReasonPrevAuthor, "prev is of %v", prev.author.key)
		}
	}
	if prev != nil && o.seq != prev.seq+1 {
		return refusef(ReasonSeq, "seq %d after %d", o.seq, prev.seq)
	}
	return nil
}

// linkRotations remembers the rotations of its author's that o is the first of its chain to carry.
func (g *Graph) linkRotations(o *Op, statements []*identity.Statement) {
	for _, s := range statements {
		if s.Kind() != identity.KindRotate || s.Issuer != o.author.key {
			continue
		}
		id := s.ID()
		if !slices.ContainsFunc(g.rotations[id], func(c *Op) bool { return c == o || o.InPast(c) }) {
			g.rotations[id] = append(g.rotations[id], o)
		}
	}
}
