package reconcile

import (
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// MaxAnchorSize is the greatest length in bytes of a stored anchor.
const MaxAnchorSize = 8 + MaxAnchor*34

// encodeAnchor returns the stored form of an anchor: [0, [hash…]], ascending
// (docs/sync.md section 5). ids must be ascending and at most MaxAnchor.
func encodeAnchor(ids []dag.ID) []byte {
	b := make([]byte, 0, 8+len(ids)*34)
	b = dagcbor.AppendArray(b, 2)
	b = dagcbor.AppendUint(b, Version)
	b = dagcbor.AppendArray(b, len(ids))
	for _, id := range ids {
		b = dagcbor.AppendBytes(b, id[:])
	}
	return b
}

// decodeAnchor parses what encodeAnchor made. No bytes are an empty anchor.
func decodeAnchor(b []byte) ([]dag.ID, error) {
	if len(b) == 0 {
		return nil, nil
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(2)
	if v := d.Uint(); d.Err() == nil && v != Version {
		return nil, fmt.Errorf("%w: version %d", ErrAnchor, v)
	}
	n := d.Array(MaxAnchor)
	ids := makeFor[dag.ID](d, n)
	for i := range n {
		var id dag.ID
		d.Fixed(id[:])
		if d.Err() != nil {
			break
		}
		if i > 0 && ids[i-1].Compare(id) >= 0 {
			d.Fail(errOrder)
			break
		}
		ids = append(ids, id)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	return ids, nil
}

// reduce returns the ops of the list that are in the past of no other, without
// duplicates, ascending by ID: the heads of what the list covers. If there are
// more than MaxAnchor it keeps the deepest.
func reduce(ops []*dag.Op) []*dag.Op {
	ops = slices.Clone(ops)
	// Deepest first: an op can be in the past of an earlier one only.
	slices.SortFunc(ops, func(a, b *dag.Op) int {
		switch {
		case a.Depth() > b.Depth():
			return -1
		case a.Depth() < b.Depth():
			return +1
		}
		return a.ID().Compare(b.ID())
	})
	var heads []*dag.Op
	for _, op := range ops {
		if !covered(op, heads) {
			heads = append(heads, op)
		}
		if len(heads) == MaxAnchor {
			break
		}
	}
	sortByID(heads)
	return heads
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

func sortByID(ops []*dag.Op) {
	slices.SortFunc(ops, func(a, b *dag.Op) int { return a.ID().Compare(b.ID()) })
}
