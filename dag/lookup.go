package dag

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// At returns the author's ops at seq, ascending by ID: at most one of an
// honest author, one for each branch of a forker that reaches it, none if the
// graph holds none. It takes time in proportion to the author's branches. The
// slice is the caller's.
func (g *Graph) At(key identity.PublicKey, seq uint64) []*Op {
	g.mu.RLock()
	defer g.mu.RUnlock()
	a, ok := g.authors[key]
	if !ok {
		return nil
	}
	var ops []*Op
	for _, number := range a.chains {
		c := g.chains[number].ops // each op the next in seq
		if first := c[0].seq; seq >= first && seq-first < uint64(len(c)) {
			ops = append(ops, c[seq-first])
		}
	}
	slices.SortFunc(ops, byID)
	return ops
}

// HeadsOf returns those of ops, all of one graph, that are in the past of no
// other of them, without duplicates, ascending by ID. It takes time in
// proportion to the ops. The slice is the caller's.
func HeadsOf(ops []*Op) []*Op {
	var past *clock
	for _, o := range slices.Backward(ops) { // mostly the last ones are the heads
		if past.get(o.chain) <= o.pos { // else its past is there too
			past = union(past, o.past).raise(o.chain, o.pos)
		}
	}
	heads := make([]*Op, 0, min(len(ops), MaxParents))
	for _, o := range ops {
		if past.get(o.chain) <= o.pos {
			heads = append(heads, o)
		}
	}
	slices.SortFunc(heads, byID)
	return slices.Compact(heads)
}

// DecodeNext parses the op with which b begins: its block, directly followed
// by its body container, whose length the header states. It returns the op,
// which keeps its part of b, and what follows it in b. A returned error is a
// *[Refusal], as of [Decode].
func DecodeNext(b []byte) (u *Unverified, rest []byte, err error) {
	head := b[:min(len(b), MaxBlock)]
	d := dagcbor.NewDecoder(head)
	h, _, _ := readBlock(d, head)
	n := d.Offset()
	if d.Err() != nil {
		n, h.Size = len(head), 0 // Decode says what is wrong with it
	}
	end := n + int(min(h.Size, uint64(len(b)-n))) // a body that is cut has the wrong size
	u, err = Decode(b[:n:n], b[n:end:end])
	if err != nil {
		return nil, nil, err
	}
	return u, b[end:], nil
}
