package dag

import (
	"cmp"

	"github.com/causeway-sync/causeway/identity"
)

// An Op is a valid operation in a [Graph], which alone can make one. It is
// immutable and safe for concurrent use. Ops of different graphs must not be
// compared with each other.
//
// It holds no more than causality and validation need: block and body are with
// the [Signed] op that was added, or in the node's store.
type Op struct {
	id      ID
	author  *author
	prev    [1]*Op // an array, so that it can be the parents of most ops
	parents []*Op  // nil if they are prev alone
	// past counts, for each chain but the op's own, the ops in its past; of
	// its own chain the past holds the first pos ops.
	past   *clock
	roster *identity.Roster // of the past and the op's own statements

	chain uint32 // number of the op's chain in its graph
	pos   uint32 // position in it, from 0

	seq    uint64
	depth  uint64
	wall   uint64
	bytes  uint64
	writes uint64

	epoch      uint32 // at most MaxEpoch
	size       uint32 // at most MaxBody
	statements bool
}

// ID returns the op's ID.
func (o *Op) ID() ID { return o.id }

// Author returns the public key of the node that signed the op.
func (o *Op) Author() identity.PublicKey { return o.author.key }

// Seq returns the op's position in its author's prev-chain, from 1.
func (o *Op) Seq() uint64 { return o.seq }

// Prev returns the author's own previous op, nil for its first.
func (o *Op) Prev() *Op { return o.prev[0] }

// Parents returns the op's parents, ascending by ID; empty for the founding
// op. The caller must not modify the slice.
func (o *Op) Parents() []*Op {
	if o.parents == nil && o.prev[0] != nil {
		return o.prev[:]
	}
	return o.parents
}

// Depth returns 1 + the greatest depth of the parents, 1 for the founding op.
func (o *Op) Depth() uint64 { return o.depth }

// Wall returns the time in ms since 1970 that the author's clock is said to
// have shown. It is for people and decides nothing.
func (o *Op) Wall() uint64 { return o.wall }

// Epoch returns the revision window that the op claims, 0 for none.
func (o *Op) Epoch() uint64 { return uint64(o.epoch) }

// Bytes returns the running total of body sizes on the author's chain, this
// op included.
func (o *Op) Bytes() uint64 { return o.bytes }

// Writes returns the running total of writes on the author's chain, this op included.
func (o *Op) Writes() uint64 { return o.writes }

// Size returns the length of the op's body container in bytes.
func (o *Op) Size() int { return int(o.size) }

// HasBody reports whether the op has a body.
func (o *Op) HasBody() bool { return o.size > 0 }

// HasStatements reports whether the op carries statements.
func (o *Op) HasStatements() bool { return o.statements }

// Chain returns the number of the op's chain. The ops of one chain are each
// the prev of the next; an honest author has one chain, and each fork begins
// another. Numbers are dense from 0 in the order of arrival: they are local to
// the graph, and to this run of the process.
func (o *Op) Chain() uint32 { return o.chain }

// Position returns the op's position in its chain, from 0.
func (o *Op) Position() uint32 { return o.pos }

// InPast reports whether a is strictly in the past of o: reachable from o
// along one or more parents. It takes time logarithmic in the number of chains
// and allocates nothing.
func (o *Op) InPast(a *Op) bool {
	if a.depth >= o.depth {
		return false
	}
	if a.chain == o.chain {
		return a.pos < o.pos
	}
	return o.past.get(a.chain) > a.pos
}

// InPastOf implements identity.Place: it reports whether o is strictly in the
// past of p, an op of the same graph.
func (o *Op) InPastOf(p identity.Place) bool { return p.(*Op).InPast(o) }

// CompareWrites compares write aw of transaction atx of op a with write bw of
// transaction btx of op b in the order of docs/op.md section 5: by depth, op
// ID, transaction and write. It returns -1, 0 or +1. A write that has another
// in its past is the greater.
func CompareWrites(a *Op, atx, aw uint32, b *Op, btx, bw uint32) int {
	return cmp.Or(compareOps(a, b), cmp.Compare(atx, btx), cmp.Compare(aw, bw))
}

// compareOps orders ops by depth, then ID: a total order that extends causality.
func compareOps(a, b *Op) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(a.depth, b.depth), a.id.Compare(b.id))
}
