package reconcile

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
)

// A state is what a node holds at one moment: the heads, and everything in
// their past.
type state struct {
	heads []*dag.Op // ascending by ID
	tips  []*dag.Op // per author, the last ops of its branches
}

// stateOf reads the state of g.
func stateOf(g *dag.Graph) state { return stateUnder(g, g.Heads()) }

// stateUnder returns the state in which heads were the heads of g, though g
// may have grown since: tips is what the past of heads ends in. Of an author
// with more than MaxAnchor branches it names only so many.
func stateUnder(g *dag.Graph, heads []*dag.Op) state {
	st := state{heads: heads}
	isHead := make(map[*dag.Op]bool, len(st.heads))
	for _, h := range st.heads {
		isHead[h] = true
	}
	for _, author := range g.Authors() {
		branches := g.Tips(author)
		ends := make([]*dag.Op, 0, len(branches))
		for _, t := range branches {
			// An op added since the heads were read is not part of the state.
			for t != nil && !isHead[t] && !covered(t, st.heads) {
				t = t.Prev()
			}
			if t != nil {
				ends = append(ends, t)
			}
		}
		if len(ends) > 1 {
			ends = reduce(ends)
		}
		st.tips = append(st.tips, ends...)
	}
	return st
}

// summary states st to a peer that holds anchor. An author none of whose tips
// lies outside the past of the anchor has not moved and is left out.
func (st state) summary(mesh dag.ID, p purpose, anchor []*dag.Op) *summary {
	s := &summary{mesh: mesh, purpose: p}
	isHead := make(map[*dag.Op]bool, len(st.heads))
	for _, h := range st.heads {
		isHead[h] = true
	}
	for _, a := range anchor {
		s.anchor = append(s.anchor, anchorOp{id: a.ID(), head: isHead[a]})
	}
	for _, t := range st.tips {
		if !covered(t, anchor) {
			s.tips = append(s.tips, tip{author: t.Author(), seq: t.Seq(), id: t.ID(), head: isHead[t]})
		}
	}
	s.tips = bound(s.tips)
	slices.SortFunc(s.tips, tip.compare)
	return s
}

// bound cuts a vector to MaxAuthorTips of each author and MaxTips in all,
// heads before others, since heads make the next anchor. What is left out is
// only understated: the peer sends it again.
func bound(tips []tip) []tip {
	if len(tips) <= MaxAuthorTips {
		return tips
	}
	slices.SortStableFunc(tips, func(a, b tip) int {
		if a.head != b.head {
			if a.head {
				return -1
			}
			return +1
		}
		return a.compare(b)
	})
	count := make(map[[32]byte]int, len(tips))
	tips = slices.DeleteFunc(tips, func(t tip) bool {
		count[t.author]++
		return count[t.author] > MaxAuthorTips
	})
	return tips[:min(len(tips), MaxTips)]
}

// heads returns the IDs of the sender's heads that s states.
func (s *summary) heads() []dag.ID {
	var ids []dag.ID
	for _, a := range s.anchor {
		if a.head {
			ids = append(ids, a.id)
		}
	}
	for _, t := range s.tips {
		if t.head {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// heldBy reports whether g holds everything that s states.
func (s *summary) heldBy(g *dag.Graph) bool {
	return knowsAnchor(g, s) && !slices.ContainsFunc(s.tips, func(t tip) bool {
		_, ok := g.Get(t.id)
		return !ok
	})
}
