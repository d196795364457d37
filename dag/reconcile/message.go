package reconcile

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// kind is the first item of every message (docs/sync.md section 3).
type kind uint8

const (
	kindSummary kind = 0
	kindOps     kind = 1
	kindDone    kind = 2
	kindAsk     kind = 3
	kindFin     kind = 4
)

// purpose says why a summary is sent.
type purpose uint8

const (
	purposeOpen   purpose = 0 // the first frame of a session
	purposeFull   purpose = 1 // the answer to an ask: the same state, without an anchor
	purposeRepair purpose = 2 // something stated is still missing: assume nothing
)

// A message is one of *summary, *batch, doneMessage, ask, fin.
type message interface{ encode() []byte }

// A summary states what its sender holds: everything in the past of the
// anchor and of the tips, these included.
type summary struct {
	mesh    dag.ID
	purpose purpose
	anchor  []anchorOp // ascending by id
	tips    []tip      // ascending by author, seq, id
}

// An anchorOp is an op that both sides are believed to hold.
type anchorOp struct {
	id   dag.ID
	head bool // it is still a head of the sender
}

// A tip is the last op of an author, or of a branch of one that forked.
type tip struct {
	author identity.PublicKey
	seq    uint64
	id     dag.ID
	head   bool
}

func (t tip) compare(b tip) int {
	if c := t.author.Compare(b.author); c != 0 {
		return c
	}
	switch {
	case t.seq < b.seq:
		return -1
	case t.seq > b.seq:
		return +1
	}
	return t.id.Compare(b.id)
}

// A batch is a frame of operations, parents first.
type batch struct {
	ops []encodedOp
}

type encodedOp struct{ block, body []byte }

// doneMessage ends an answer. more says that the sender stopped at its limit.
type doneMessage struct{ more bool }

// ask asks for a summary without an anchor.
type ask struct{}

// fin says that the sender asks for nothing more. satisfied says that it holds
// everything the receiver's summaries stated.
type fin struct{ satisfied bool }

// Lengths in bytes, for allocating once.
const (
	anchorOpSize = 1 + 34 + 1
	tipSize      = 1 + 34 + 9 + 34 + 1
	batchHead    = 2 + 3     // the message's array and kind, the list's array
	opHead       = 1 + 5 + 5 // the pair's array, two lengths
)

func (s *summary) encode() []byte {
	b := make([]byte, 0, 64+len(s.anchor)*anchorOpSize+len(s.tips)*tipSize)
	b = dagcbor.AppendArray(b, 7)
	b = dagcbor.AppendUint(b, uint64(kindSummary))
	b = dagcbor.AppendUint(b, Version)
	b = dagcbor.AppendBytes(b, s.mesh[:])
	b = dagcbor.AppendBytes(b, nil) // the salt, reserved
	b = dagcbor.AppendUint(b, uint64(s.purpose))
	b = dagcbor.AppendArray(b, len(s.anchor))
	for _, a := range s.anchor {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, a.id[:])
		b = dagcbor.AppendBool(b, a.head)
	}
	b = dagcbor.AppendArray(b, len(s.tips))
	for _, t := range s.tips {
		b = dagcbor.AppendArray(b, 4)
		b = dagcbor.AppendBytes(b, t.author[:])
		b = dagcbor.AppendUint(b, t.seq)
		b = dagcbor.AppendBytes(b, t.id[:])
		b = dagcbor.AppendBool(b, t.head)
	}
	return b
}

func (m *batch) encode() []byte {
	n := batchHead
	for _, op := range m.ops {
		n += op.size()
	}
	b := make([]byte, 0, n)
	b = dagcbor.AppendArray(b, 2)
	b = dagcbor.AppendUint(b, uint64(kindOps))
	b = dagcbor.AppendArray(b, len(m.ops))
	for _, op := range m.ops {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, op.block)
		b = dagcbor.AppendBytes(b, op.body)
	}
	return b
}

// size is an upper bound of what op takes in a frame, in bytes.
func (op encodedOp) size() int { return opHead + len(op.block) + len(op.body) }

func (m doneMessage) encode() []byte { return encodeFlag(kindDone, m.more) }
func (m fin) encode() []byte         { return encodeFlag(kindFin, m.satisfied) }
func (ask) encode() []byte           { return dagcbor.AppendUint(dagcbor.AppendArray(nil, 1), uint64(kindAsk)) }

func encodeFlag(k kind, v bool) []byte {
	b := dagcbor.AppendArray(make([]byte, 0, 3), 2)
	b = dagcbor.AppendUint(b, uint64(k))
	return dagcbor.AppendBool(b, v)
}
