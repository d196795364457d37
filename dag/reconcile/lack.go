package reconcile

import (
	"cmp"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// known returns ops of our graph that the sender of st holds: it holds their
// past too. The anchor was found, and the sketch decoded.
//
// Unless strict, they include what is presumed: of an author with one branch
// whose tip is not known here, our own chain as far as the tip's checks agree with it
// (docs/sync.md section 4). For an honest author that is so.
// Where it is not, the sender finds ops it stated or needs missing, and asks
// again with a repair, which is answered strictly.
func (st *statement) known(n *names, strict bool) []*dag.Op {
	known := slices.Concat(st.anchor, st.equal)
	branches, _ := n.ops(st.branches)
	known = append(known, branches...)
	for _, t := range st.vector {
		known = append(known, n.presumed(t, strict)...)
	}
	for _, r := range st.theirs {
		known = append(known, n.presumed(tip{ref: r}, strict)...)
	}
	return known
}

// maxCandidates bounds how many branches of an author a check is compared
// with: among many, one would agree by chance.
const maxCandidates = 4

// presumed returns the ops of t's author that whoever has t holds, as far as
// t tells: t itself if it is known here. Else, unless strict, if we know one branch of the
// author, the last op on it that its check confirms, which takes two of one
// byte where the next contradicts; of more branches what two checks confirm.
func (n *names) presumed(t tip, strict bool) []*dag.Op {
	if op := n.op(t.ref); op != nil {
		return []*dag.Op{op}
	}
	key, ok := n.authors[t.author]
	if !ok || strict {
		return nil
	}
	tips := n.g.Tips(key)
	if len(tips) > 1 {
		return n.confirmed(key, t)
	}
	var agreed []*dag.Op
	fork := false
	for i := range t.checks {
		i = len(t.checks) - 1 - i // from the oldest
		for _, op := range n.g.At(key, t.checkSeq(i)) {
			if fork = !n.agrees(op, t, i); !fork {
				agreed = append(agreed, op)
			}
		}
		if fork {
			break
		}
	}
	switch {
	case !fork && tips[0].Seq() < t.seq:
		return tips // a prefix
	case fork && checkSize(t.span) == 1 && len(agreed) > 0:
		agreed = agreed[:len(agreed)-1] // the last may agree by chance
	}
	return agreed[max(0, len(agreed)-1):]
}

// agrees reports whether op agrees with check i of t, as far as that was sent.
func (n *names) agrees(op *dag.Op, t tip, i int) bool {
	size := checkSize(t.span)
	c := n.salt.op(op.ID()).check()
	return string(c[:size]) == string(t.checks[i][:size])
}

// confirmed returns the ops of an author of several branches that whoever has
// t holds. One op in 256 agrees with a check of one byte by chance: so an op is
// confirmed by its own and that of an op after it.
func (n *names) confirmed(key identity.PublicKey, t tip) (known []*dag.Op) {
	var before []*dag.Op // those that agreed with the last check
	for i := range t.checks {
		i = len(t.checks) - 1 - i
		var agree []*dag.Op
		candidates := n.g.At(key, t.checkSeq(i))
		if len(candidates) > maxCandidates {
			candidates = nil
		}
		for _, op := range candidates {
			if n.agrees(op, t, i) {
				agree = append(agree, op)
				for _, b := range before {
					if op.InPast(b) {
						known = append(known, b)
					}
				}
			}
		}
		before = agree
	}
	return known
}

// lacks returns the ops of our graph that the sender of st lacks, if it holds
// known, parents first. Of an author for whom it sent a filter,
// what is in that is taken as held too, if its parents are: for all it holds it holds the past of.
//
// If strict, the result is never less than what an honest sender lacks, but
// for a miss of the filter. It is exactly that if our graph knows all that st
// states, or if not strict and no author forked.
func (st *statement) lacks(n *names, known []*dag.Op) []*dag.Op {
	ops := n.g.Since(known)
	if st.filter.hashes == 0 {
		return ops
	}
	filtered := make(map[[32]byte]bool)
	for _, r := range st.branches {
		if key, ok := n.authors[r.author]; ok {
			filtered[key] = true
		}
	}
	held := make(map[*dag.Op]bool) // of ops: few, as they are forkers'
	lacks := func(op *dag.Op) bool {
		_, among := slices.BinarySearchFunc(ops, op, causally)
		return among && !held[op]
	}
	lacked := make([]*dag.Op, 0, len(ops))
	for _, op := range ops {
		if filtered[op.Author()] && st.filter.has(st.salt.op(op.ID())) && !slices.ContainsFunc(op.Parents(), lacks) {
			held[op] = true
		} else {
			lacked = append(lacked, op)
		}
	}
	return lacked
}

// spared returns ops less those of the authors that the sender of st takes
// none of now, and less what builds on them. ops are parents first.
func (st *statement) spared(n *names, ops []*dag.Op) []*dag.Op {
	if len(st.without) == 0 {
		return ops
	}
	authors := make(map[identity.PublicKey]bool, len(st.without))
	for _, t := range st.without {
		if key, ok := n.authors[t]; ok {
			authors[key] = true
		}
	}
	out := make(map[*dag.Op]bool)
	left := make([]*dag.Op, 0, len(ops))
	for _, op := range ops {
		if authors[op.Author()] || slices.ContainsFunc(op.Parents(), func(p *dag.Op) bool { return out[p] }) {
			out[op] = true
		} else {
			left = append(left, op)
		}
	}
	return left
}

// causally is the order of Graph.Since: by depth, then ID.
func causally(a, b *dag.Op) int {
	return cmp.Or(cmp.Compare(a.Depth(), b.Depth()), a.ID().Compare(b.ID()))
}
