package adversary

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// What travels between nodes, written anew from docs/p2p.md and docs/sync.md so
// that every field can be a lie.

// hello is the first frame of a sync, which shows nothing.
func hello() []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, 0)
	return dagcbor.AppendArray(b, 0)
}

// A ref names an op in a summary: author and op by the first bytes of their marks.
type ref struct {
	author [6]byte
	seq    uint64
	op     [6]byte
}

// A claim is an opening summary. The zero value states nothing, of mesh zero.
type claim struct {
	mesh     dag.ID
	salt     [8]byte
	purpose  uint64
	anchor   []ref
	branches []ref
	vector   []ref // without checks
	hashes   uint64
	filter   []byte
	sketch   []byte
}

func mark(salt [8]byte, of [32]byte) (tag [6]byte) {
	sum := sha256.Sum256(append(salt[:], of[:]...))
	copy(tag[:], sum[:])
	return tag
}

// refOf names an op truly, for a session with that salt.
func refOf(salt [8]byte, op *dag.Op) ref {
	return ref{mark(salt, [32]byte(op.Author())), op.Seq(), mark(salt, op.ID())}
}

func (c claim) encode() []byte {
	b := dagcbor.AppendArray(nil, 11)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendUint(b, 0)
	tag := mark(c.salt, c.mesh)
	b = dagcbor.AppendBytes(b, tag[:])
	b = dagcbor.AppendBytes(b, c.salt[:])
	b = dagcbor.AppendUint(b, c.purpose)
	for _, list := range [][]ref{c.anchor, c.branches} {
		b = dagcbor.AppendArray(b, len(list))
		for _, r := range list {
			b = r.append(dagcbor.AppendArray(b, 3))
		}
	}
	b = dagcbor.AppendArray(b, len(c.vector))
	for _, r := range c.vector {
		b = r.append(dagcbor.AppendArray(b, 5))
		b = dagcbor.AppendUint(b, 0)
		b = dagcbor.AppendBytes(b, nil)
	}
	b = dagcbor.AppendUint(b, c.hashes)
	b = dagcbor.AppendBytes(b, c.filter)
	return dagcbor.AppendBytes(b, c.sketch)
}

func (r ref) append(b []byte) []byte {
	b = dagcbor.AppendBytes(b, r.author[:])
	b = dagcbor.AppendUint(b, r.seq)
	return dagcbor.AppendBytes(b, r.op[:])
}

// An encodedOp is an op as it travels; its parts need not belong together.
type encodedOp struct{ block, body []byte }

func encoded(s *dag.Signed) encodedOp { return encodedOp{s.Block(), s.Body()} }

// forged is s with another signature.
func forged(s *dag.Signed) encodedOp {
	block := append([]byte(nil), s.Block()...)
	block[len(block)-40] ^= 1
	return encodedOp{block, s.Body()}
}

// opsFrame is a sync frame of ops.
func opsFrame(ops ...encodedOp) []byte {
	b := dagcbor.AppendArray(nil, 1)
	b = dagcbor.AppendUint(b, 1)
	for _, op := range ops {
		b = append(append(b, op.block...), op.body...)
	}
	return b
}

// Frames of one number: the end of an answer, of one that was cut, fin.
func endFrame() []byte { return dagcbor.AppendUint(dagcbor.AppendArray(nil, 1), 2) }

// cutFrame ends an answer at a limit, ackFrame says that so many units of ops frames were taken.
func cutFrame() []byte { return dagcbor.AppendUint(dagcbor.AppendArray(nil, 1), 3) }

func ackFrame(units int) []byte {
	return dagcbor.AppendUint(dagcbor.AppendUint(dagcbor.AppendArray(nil, 2), 8), uint64(units))
}

func finFrame(satisfied bool) []byte {
	return dagcbor.AppendBool(dagcbor.AppendUint(dagcbor.AppendArray(nil, 2), 7), satisfied)
}

// framed is frames as they are on a stream, each behind its length.
func framed(frames ...[]byte) (b []byte) {
	for _, f := range frames {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

// compressed marks a frame's length: what follows is the length of what it expands to, and DEFLATE.
const compressed = 1 << 31

// squeezed is b behind the length that is claimed for it, compressed, as a frame or a part of one.
func squeezed(claimed uint32, b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is wrong
	}
	_, _ = w.Write(b)
	_ = w.Close()
	frame := append(binary.BigEndian.AppendUint32(nil, claimed), out.Bytes()...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))|compressed), frame...)
}

// gossipShort is an op as gossip carries it with its body compressed, of the length claimed.
func gossipShort(block []byte, claimed uint64, body []byte) []byte {
	b := dagcbor.AppendArray(nil, 4)
	b = dagcbor.AppendUint(b, 2)
	b = dagcbor.AppendBytes(b, block)
	b = dagcbor.AppendUint(b, claimed)
	return dagcbor.AppendBytes(b, squeezed(0, body)[8:])
}

// gossipOp is an op as gossip carries it, gossipHeads an announcement of heads
// in the name of a node; they must ascend.
func gossipOp(op encodedOp) []byte {
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendBytes(b, op.block)
	return dagcbor.AppendBytes(b, op.body)
}

func gossipHeads(sender identity.PublicKey, heads ...dag.ID) []byte {
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendUint(b, 1)
	b = dagcbor.AppendBytes(b, sender[:])
	b = dagcbor.AppendArray(b, len(heads))
	for _, id := range heads {
		b = dagcbor.AppendLink(b, id)
	}
	return b
}

// inName is a block with another author than who signed it.
func inName(block []byte, signer, author identity.PublicKey) []byte {
	return bytes.Replace(block, signer[:], author[:], 1)
}

// sort brings the lists of a claim into the order that its encoding demands.
func (c *claim) sort() {
	compare := func(a, b ref) int {
		return cmp.Or(bytes.Compare(a.author[:], b.author[:]), cmp.Compare(a.seq, b.seq), bytes.Compare(a.op[:], b.op[:]))
	}
	for _, list := range [][]ref{c.anchor, c.branches, c.vector} {
		slices.SortFunc(list, compare)
	}
}

// sorted returns IDs in ascending order.
func sorted(ids []dag.ID) []dag.ID {
	slices.SortFunc(ids, dag.ID.Compare)
	return ids
}

// slicesOf calls f n times.
func slicesOf[T any](n int, f func() T) (list []T) {
	for range n {
		list = append(list, f())
	}
	return list
}
