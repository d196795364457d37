package dag

// Draft returns the header of the next op of an author who has seen the whole
// graph: mesh, seq, prev, parents, depth and running totals, for a body of size bytes that
// holds so many writes. Wall and Epoch are left for the caller. prev is one of
// the author's [Graph.Prevs], nil if there are none; it is for the caller to know which, since of a
// forker the graph holds several.
//
// The parents are the heads. If there are more than [MaxParents], they are the
// one that has prev in its past (or is prev) and the least of the others by
// ID: the op is then a fold that must carry no transactions of a snapshot
// with all heads, and whole reports false. In an empty graph Draft returns the
// header of a founding op.
func (g *Graph) Draft(prev *Op, size, writes int) (h Header, whole bool) {
	heads := g.Heads()
	whole = len(heads) <= MaxParents
	if !whole {
		heads = fold(heads, prev)
	}
	if mesh, ok := g.Mesh(); ok && len(heads) > 0 {
		h.Mesh = &mesh
	}
	h.Seq = 1
	h.Bytes, h.Writes = uint64(size), uint64(writes)
	if prev != nil {
		id := prev.id
		h.Prev = &id
		h.Seq = prev.seq + 1
		h.Bytes += prev.bytes
		h.Writes += prev.writes
	}
	for _, o := range heads {
		h.Parents = append(h.Parents, o.id)
		h.Depth = max(h.Depth, o.depth)
	}
	h.Depth++
	return h, whole
}

// fold picks MaxParents of heads, which ascend by ID, one of them above prev.
func fold(heads []*Op, prev *Op) []*Op {
	picked := heads[:MaxParents:MaxParents]
	if prev == nil || inPastOf(picked, prev) {
		return picked
	}
	for _, o := range heads[MaxParents:] {
		if o == prev || o.InPast(prev) {
			return append(picked[:MaxParents-1:MaxParents-1], o)
		}
	}
	return picked
}
