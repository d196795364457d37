package reconcile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity"
)

// SaltSize is the length of a session's salt in bytes.
const SaltSize = 8

// A salt keys all the short names of one summary, so that nobody can prepare
// two ops or keys of one name (docs/sync.md section 3).
type salt [SaltSize]byte

// next returns the salt of the summary after this one in a session.
func (s salt) next() salt {
	h := sha256.Sum256(append(s[:], "causeway next salt"...))
	return salt(h[:SaltSize])
}

// A tag is the short name of an op, an author or a mesh.
type tag [6]byte

func (t tag) compare(b tag) int { return bytes.Compare(t[:], b[:]) }

// A mark is the salted hash of an ID or a key, of which all its short names are parts.
type mark [sha256.Size]byte

func (s salt) mark(x [32]byte) mark {
	var in [SaltSize + 32]byte
	copy(in[:], s[:])
	copy(in[SaltSize:], x[:])
	return sha256.Sum256(in[:])
}

func (s salt) op(id dag.ID) mark                  { return s.mark(id) }
func (s salt) author(key identity.PublicKey) mark { return s.mark(key) }

func (m mark) tag() tag { return tag(m[:6]) }

// check is a shorter name still, for ops that are looked at only to find where a
// fork began. Of a long span only its first byte is sent (checkSize).
func (m mark) check() check { return check(m[6:8]) }

type check [2]byte

// word seeds the hashes of a filter.
func (m mark) word() uint64 { return binary.BigEndian.Uint64(m[24:]) }

// A ref names an op by its author and seq, and by its hash among the branches
// of a forker.
type ref struct {
	author tag
	seq    uint64
	op     tag
}

func (s salt) ref(op *dag.Op) ref {
	return ref{author: s.author(op.Author()).tag(), seq: op.Seq(), op: s.op(op.ID()).tag()}
}

func (r ref) compare(b ref) int {
	return cmp.Or(r.author.compare(b.author), cmp.Compare(r.seq, b.seq), r.op.compare(b.op))
}

// seqSize is the length of a seq in an item of a sketch: no author writes 2^40 ops.
const seqSize = 5

var _ [len(tag{}) + seqSize + len(tag{})]byte = riblt.Item{}

// item returns r as an item of a sketch.
func (r ref) item() (it riblt.Item) {
	b := append(it[:0], r.author[:]...)
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], r.seq)
	b = append(b, seq[8-seqSize:]...)
	_ = append(b, r.op[:]...)
	return it
}

func refOf(it riblt.Item) ref {
	var seq [8]byte
	copy(seq[8-seqSize:], it[len(tag{}):])
	return ref{author: tag(it[:6]), seq: binary.BigEndian.Uint64(seq[:]), op: tag(it[6+seqSize:])}
}

// symbolHash is the length of a symbol's hash on the wire.
const symbolHash = 6

// hash is the hash of the items of a sketch.
func (s salt) hash(it *riblt.Item) uint64 {
	var in [SaltSize + riblt.ItemSize]byte
	copy(in[:], s[:])
	copy(in[SaltSize:], it[:])
	h := sha256.Sum256(in[:])
	return binary.BigEndian.Uint64(h[:]) >> (64 - 8*symbolHash)
}
