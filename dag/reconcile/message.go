package reconcile

import (
	"encoding/binary"
	"math/bits"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// kind is the first item of every message (docs/sync.md section 3).
type kind uint8

const (
	kindSummary kind = 0
	kindOps     kind = 1
	kindEnd     kind = 2
	kindCut     kind = 3
	kindAsk     kind = 4
	kindMore    kind = 5
	kindSymbols kind = 6
	kindFin     kind = 7
	kindAck     kind = 8
	kindWithout kind = 9
)

// purpose says why a summary is sent.
type purpose uint8

const (
	purposeOpen   purpose = 0 // the first frame of a session
	purposeFull   purpose = 1 // the answer to an ask: the same state, without an anchor
	purposeRepair purpose = 2 // something stated is still missing: presume nothing
	purposePlain  purpose = 3 // the last one again, with a vector in place of its sketch
)

// A message is one of *summary, batch, end, ask, more, *symbols, fin, ack, without.
type message interface{ encode() []byte }

// A summary states what its sender holds: everything in the past of the anchor
// and of the tips, these included.
type summary struct {
	mesh     tag
	salt     salt
	purpose  purpose
	anchor   []ref          // ascending
	branches []ref          // ascending: tips of authors that the sender knows to have forked
	vector   []tip          // ascending by author: tips of the others
	filter   filter         // of all the ops of the authors of branches since the anchor
	sketch   []riblt.Symbol // in place of the vector
}

// A tip is the last op of an author who has one branch, and how many of its
// ops came since the anchor, of which some are named in passing.
type tip struct {
	ref
	span   uint64  // the seqs of the author's ops since the anchor are seq-span to seq
	checks []check // of the ops at seq-d, d = 1 to 24, 48, 96 … below span, then span
}

// denseChecks is how many ops directly before a tip have a check each. Who is
// further behind than that misses a fork if its own branch is shorter than the
// gap between the checks there.
const denseChecks = 24

// checkSize returns how many bytes of a check are sent: where there are few,
// one alone may have to show a fork.
func checkSize(span uint64) int {
	if span <= denseChecks {
		return len(check{})
	}
	return 1
}

// countChecks returns how many checks a tip of that span has.
func countChecks(span uint64) int {
	if span <= denseChecks {
		return int(span)
	}
	return denseChecks + bits.Len64((span-1)/denseChecks) // 48, 96 … below span, and span
}

// checkSeq returns the seq of check i of t.
func (t tip) checkSeq(i int) uint64 {
	switch {
	case i == len(t.checks)-1:
		return t.seq - t.span
	case i < denseChecks:
		return t.seq - uint64(i) - 1
	}
	return t.seq - denseChecks<<(i-denseChecks+1)
}

// A batch is a frame of operations, parents first.
type batch struct {
	ops []byte // for each op its block, directly followed by its body
}

// end ends an answer. cut says that the sender stopped at a limit of its own.
type end struct{ cut bool }

// ask asks for a summary without an anchor.
type ask struct{}

// more asks for more symbols of the last summary, or for the vector.
type more struct{}

// symbols are more of the last summary's sketch.
type symbols struct{ sketch []riblt.Symbol }

// fin says that the sender asks for nothing more. satisfied says that it holds
// everything the receiver's summaries stated.
type fin struct{ satisfied bool }

// ack says that so many units of ops frames were taken since the last ack.
type ack struct{ units int }

// without names authors, ascending, of whom the answer to its sender's next
// summary is to leave out all operations, and whatever builds on them.
type without struct{ authors []tag }

// units is how much of the window an ops frame of so many bytes takes.
func units(frame int) int { return (frame + TargetFrame - 1) / TargetFrame }

// Lengths in bytes, for allocating once.
const (
	refSize    = 1 + 7 + 9 + 7
	tipSize    = refSize + 9 + 2
	batchHead  = 2 // the message's array and kind
	symbolSize = riblt.ItemSize + symbolHash
)

func appendHead(b []byte, fields int, k kind) []byte {
	return dagcbor.AppendUint(dagcbor.AppendArray(b, fields), uint64(k))
}

func (s *summary) encode() []byte {
	b := make([]byte, 0, 64+(len(s.anchor)+len(s.branches))*refSize+len(s.vector)*(tipSize+32)+len(s.filter.bits)+len(s.sketch)*symbolSize)
	b = appendHead(b, 11, kindSummary)
	b = dagcbor.AppendUint(b, Version)
	b = dagcbor.AppendBytes(b, s.mesh[:])
	b = dagcbor.AppendBytes(b, s.salt[:])
	b = dagcbor.AppendUint(b, uint64(s.purpose))
	b = appendRefs(b, s.anchor)
	b = appendRefs(b, s.branches)
	b = dagcbor.AppendArray(b, len(s.vector))
	for _, t := range s.vector {
		b = dagcbor.AppendArray(b, 5)
		b = t.ref.append(b)
		b = dagcbor.AppendUint(b, t.span)
		checks := make([]byte, 0, 64)
		for _, c := range t.checks {
			checks = append(checks, c[:checkSize(t.span)]...)
		}
		b = dagcbor.AppendBytes(b, checks)
	}
	b = dagcbor.AppendUint(b, uint64(s.filter.hashes))
	b = dagcbor.AppendBytes(b, s.filter.bits)
	return dagcbor.AppendBytes(b, appendSketch(nil, s.sketch))
}

func appendRefs(b []byte, refs []ref) []byte {
	b = dagcbor.AppendArray(b, len(refs))
	for _, r := range refs {
		b = r.append(dagcbor.AppendArray(b, 3))
	}
	return b
}

func (r ref) append(b []byte) []byte {
	b = dagcbor.AppendBytes(b, r.author[:])
	b = dagcbor.AppendUint(b, r.seq)
	return dagcbor.AppendBytes(b, r.op[:])
}

func appendSketch(b []byte, sketch []riblt.Symbol) []byte {
	var h [8]byte
	for _, s := range sketch {
		b = append(b, s.Sum[:]...)
		binary.BigEndian.PutUint64(h[:], s.Hash)
		b = append(b, h[8-symbolHash:]...)
	}
	return b
}

func (m batch) encode() []byte {
	return append(appendHead(make([]byte, 0, batchHead+len(m.ops)), 1, kindOps), m.ops...)
}

func (m end) encode() []byte {
	if m.cut {
		return appendHead(nil, 1, kindCut)
	}
	return appendHead(nil, 1, kindEnd)
}

func (ask) encode() []byte  { return appendHead(nil, 1, kindAsk) }
func (more) encode() []byte { return appendHead(nil, 1, kindMore) }

func (m *symbols) encode() []byte {
	return dagcbor.AppendBytes(appendHead(nil, 2, kindSymbols), appendSketch(nil, m.sketch))
}

func (m fin) encode() []byte { return dagcbor.AppendBool(appendHead(nil, 2, kindFin), m.satisfied) }

func (m ack) encode() []byte { return dagcbor.AppendUint(appendHead(nil, 2, kindAck), uint64(m.units)) }

func (m without) encode() []byte {
	b := make([]byte, 0, len(m.authors)*len(tag{}))
	for _, a := range m.authors {
		b = append(b, a[:]...)
	}
	return dagcbor.AppendBytes(appendHead(nil, 2, kindWithout), b)
}

// meshTag returns how a summary of that salt names the mesh.
func meshTag(s salt, mesh dag.ID) tag { return s.op(mesh).tag() }
