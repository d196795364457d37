package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// MaxMemorySize is the greatest length in bytes of what is remembered of a peer.
const MaxMemorySize = 8 + (MaxAnchor+maxOffered)*34

// maxOffered bounds the heads of what was sent to a peer. What the deepest of
// them do not have in their past is forgotten, and counts as new when it is sent again.
const maxOffered = 512

// A memory is what is kept of a peer between sessions (docs/sync.md section 5).
type memory struct {
	anchor  []dag.ID // ascending; what both are believed to hold
	offered []dag.ID // ascending; the heads of what was sent, or held once, beyond that
}

// encode returns the stored form: [0, [hash…], [hash…]].
func (m memory) encode() []byte {
	b := make([]byte, 0, 16+(len(m.anchor)+len(m.offered))*34)
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendUint(b, Version)
	for _, ids := range [...][]dag.ID{m.anchor, m.offered} {
		b = dagcbor.AppendArray(b, len(ids))
		for _, id := range ids {
			b = dagcbor.AppendBytes(b, id[:])
		}
	}
	return b
}

// decodeMemory parses what encode made. No bytes are an empty memory.
func decodeMemory(b []byte) (m memory, err error) {
	if len(b) == 0 {
		return memory{}, nil
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(3)
	if v := d.Uint(); d.Err() == nil && v != Version {
		return memory{}, fmt.Errorf("%w: version %d", ErrMemory, v)
	}
	for i, ids := range [...]*[]dag.ID{&m.anchor, &m.offered} {
		n := d.Array([...]int{MaxAnchor, maxOffered}[i])
		*ids = makeFor[dag.ID](d, n)
		for i := range n {
			var id dag.ID
			d.Fixed(id[:])
			if d.Err() == nil && i > 0 && (*ids)[i-1].Compare(id) >= 0 {
				d.Fail(errOrder)
			}
			if d.Err() != nil {
				break
			}
			*ids = append(*ids, id)
		}
	}
	if err := d.Finish(); err != nil {
		return memory{}, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return m, nil
}

// headIDs returns the IDs of the heads of ops, ascending: of more than limit
// the deepest.
func headIDs(ops []*dag.Op, limit int) []dag.ID {
	heads := dag.HeadsOf(ops)
	if len(heads) > limit {
		slices.SortStableFunc(heads, func(a, b *dag.Op) int { return cmp.Compare(b.Depth(), a.Depth()) })
		heads = heads[:limit]
	}
	var ids []dag.ID
	for _, op := range heads {
		ids = append(ids, op.ID())
	}
	slices.SortFunc(ids, dag.ID.Compare)
	return ids
}

// find returns those of ids that g holds, and whether it holds all of them.
func find(g *dag.Graph, ids []dag.ID) (ops []*dag.Op, all bool) {
	for _, id := range ids {
		if op, ok := g.Get(id); ok {
			ops = append(ops, op)
		}
	}
	return ops, len(ops) == len(ids)
}
