package reconcile

import (
	"cmp"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity"
)

// A state is what a node holds at one moment: the heads, and everything in
// their past.
type state struct {
	g     *dag.Graph
	heads []*dag.Op // ascending by ID
	tips  []*dag.Op // per author, the last ops of its branches

	sketchFrom int // authors in a vector from which it becomes a sketch
}

// stateOf reads the state of g.
func stateOf(g *dag.Graph) state { return stateUnder(g, g.Heads()) }

// stateUnder returns the state in which heads were the heads of g, though g
// may have grown since: tips is what the past of heads ends in.
func stateUnder(g *dag.Graph, heads []*dag.Op) state {
	st := state{g: g, heads: heads, sketchFrom: minSketch}
	isHead := make(map[*dag.Op]bool, len(st.heads))
	for _, h := range st.heads {
		isHead[h] = true
	}
	for _, author := range g.Authors() {
		branches := g.Tips(author)
		ends := make([]*dag.Op, 0, len(branches))
		for _, t := range branches {
			// An op added since the heads were read is not part of the state.
			for t != nil && t.Author() == author && !isHead[t] && !covered(t, st.heads) {
				t = t.Prev()
			}
			if t != nil && t.Author() == author {
				ends = append(ends, t)
			}
		}
		if len(ends) > 1 {
			ends = dag.HeadsOf(ends)
		}
		st.tips = append(st.tips, ends...)
	}
	return st
}

// moved returns the tips that are neither in anchor nor in its past: apart those of
// authors with one branch and those of authors known to have forked.
func (st state) moved(anchor []*dag.Op) (single, forked []*dag.Op) {
	for _, t := range st.tips {
		switch {
		case covered(t, anchor):
		case st.g.Forked(t.Author()):
			forked = append(forked, t)
		default:
			single = append(single, t)
		}
	}
	return single, forked
}

// summary states st to a peer that holds anchor. It also returns the ops it
// states beside the anchor and, if it has a sketch, the encoder of that.
func (st state) summary(s salt, mesh dag.ID, p purpose, anchor []*dag.Op) (*summary, []*dag.Op, *riblt.Encoder) {
	sum := &summary{mesh: meshTag(s, mesh), salt: s, purpose: p, anchor: refsOf(s, anchor)}
	single, forked := st.moved(anchor)
	if len(forked) > 0 {
		sum.filter = filterOf(s, forked, anchor)
		forked = st.bound(forked, MaxAuthorTips)
		sum.branches = refsOf(s, forked)
	}
	if len(single) >= st.sketchFrom && p != purposePlain {
		enc := riblt.NewEncoder(s.hash, itemsOf(s, single))
		sum.sketch = enc.Next(min(1+len(single)/sketchShare, MaxSymbols))
		return sum, append(single, forked...), enc
	}
	single = st.bound(single, 1)
	for _, t := range single {
		tip := tip{ref: s.ref(t)}
		if p != purposeRepair {
			tip.span = spanOf(st.g, t, anchor)
			tip.checks = checksOf(st.g, s, t, tip.span)
		}
		sum.vector = append(sum.vector, tip)
	}
	slices.SortFunc(sum.vector, func(a, b tip) int { return a.author.compare(b.author) })
	// Two authors of one tag are a chance of 2^-48; one of them is then left out.
	sum.vector = slices.CompactFunc(sum.vector, func(a, b tip) bool { return a.author == b.author })
	return sum, append(single, forked...), nil
}

// bound cuts a list of tips to perAuthor of each author and MaxTips in all,
// heads before others, since heads make the next anchor. What is left out is
// only understated: the peer sends it again.
func (st state) bound(tips []*dag.Op, perAuthor int) []*dag.Op {
	if len(tips) <= perAuthor {
		return tips
	}
	isHead := make(map[*dag.Op]int, len(st.heads))
	for _, h := range st.heads {
		isHead[h] = 1
	}
	slices.SortFunc(tips, func(a, b *dag.Op) int {
		return cmp.Or(isHead[b]-isHead[a], cmp.Compare(b.Depth(), a.Depth()), a.ID().Compare(b.ID()))
	})
	count := make(map[[32]byte]int, len(tips))
	tips = slices.DeleteFunc(tips, func(t *dag.Op) bool {
		count[t.Author()]++
		return count[t.Author()] > perAuthor
	})
	return tips[:min(len(tips), MaxTips)]
}

// refsOf returns the names of ops, ascending.
func refsOf(s salt, ops []*dag.Op) []ref {
	refs := make([]ref, 0, len(ops))
	for _, op := range ops {
		refs = append(refs, s.ref(op))
	}
	slices.SortFunc(refs, ref.compare)
	return slices.Compact(refs)
}

// tagsOf returns the tags of the first MaxWithout authors, ascending.
func tagsOf(s salt, authors []identity.PublicKey) []tag {
	tags := make([]tag, 0, min(len(authors), MaxWithout))
	for _, key := range authors[:min(len(authors), MaxWithout)] {
		tags = append(tags, s.author(key).tag())
	}
	slices.SortFunc(tags, tag.compare)
	return slices.Compact(tags)
}

// itemsOf returns ops as items of a sketch.
func itemsOf(s salt, ops []*dag.Op) []riblt.Item {
	items := make([]riblt.Item, len(ops))
	for i, op := range ops {
		items[i] = s.ref(op).item()
	}
	return items
}

// filterOf returns the filter of all ops since the anchor that end in tips, the tips of
// forked authors: none if they are too many for one.
func filterOf(s salt, tips, anchor []*dag.Op) filter {
	const most = MaxFilter * 8 / minFilterBits
	seen := make(map[*dag.Op]bool)
	for _, t := range tips {
		for op := t; op != nil && op.Author() == t.Author() && !seen[op] && !covered(op, anchor); op = op.Prev() {
			if seen[op] = true; len(seen) > most {
				return filter{}
			}
		}
	}
	f := newFilter(len(seen))
	for op := range seen {
		f.put(s.op(op.ID()))
	}
	return f
}

// spanOf returns how far below t the first op of its author since the anchor
// is, if the author has one branch.
func spanOf(g *dag.Graph, t *dag.Op, anchor []*dag.Op) uint64 {
	since := func(seq uint64) bool {
		ops := g.At(t.Author(), seq)
		return len(ops) > 0 && !covered(ops[0], anchor)
	}
	first, last := uint64(1), t.Seq() // the least seq since is in [first, last]
	for first < last {
		if mid := first + (last-first)/2; since(mid) {
			last = mid
		} else {
			first = mid + 1
		}
	}
	return t.Seq() - first
}

// checksOf returns the checks of t, the tip of an author with one branch.
func checksOf(g *dag.Graph, s salt, t *dag.Op, span uint64) []check {
	if span == 0 {
		return nil
	}
	tip := tip{ref: ref{seq: t.Seq()}, span: span, checks: make([]check, countChecks(span))}
	for i := range tip.checks {
		if ops := g.At(t.Author(), tip.checkSeq(i)); len(ops) > 0 {
			tip.checks[i] = s.op(ops[0].ID()).check()
		}
	}
	return tip.checks
}

// covered reports whether op is one of ops or in the past of one.
func covered(op *dag.Op, ops []*dag.Op) bool {
	for _, o := range ops {
		if o == op || o.InPast(op) {
			return true
		}
	}
	return false
}
