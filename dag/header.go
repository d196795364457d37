package dag

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// version is the version of the format that this package reads and writes.
const version = identity.FirstVersion

// Version is the version of the format that [Sign] makes ops in. Where
// [identity.Roster.Version] says another, this build can make none that is valid.
const Version = version

// headerFields is the number of elements of an encoded header. Other versions
// may have another, up to maxHeaderFields, so that they are refused for what
// they are.
const (
	headerFields    = 15
	maxHeaderFields = 64
)

// A Header is what an author signs: the op's place in the DAG and the hashes
// of its body. docs/op.md section 3 defines the fields.
type Header struct {
	Mesh    *ID                // the founding op; nil in the founding op itself
	Author  identity.PublicKey // the node that signs
	Seq     uint64             // position on the author's chain, from 1
	Prev    *ID                // the author's own previous op; nil iff Seq is 1
	Parents []ID               // heads of the snapshot written against, ascending
	Depth   uint64             // 1 + the greatest depth of the parents
	Wall    uint64             // ms since 1970 by the author's clock; decides nothing
	Epoch   uint64             // revision window claimed with this op, 0 for none
	Bytes   uint64             // running total of Size over the author's chain, this op included
	Writes  uint64             // running total of writes over the author's chain, this op included
	Size    uint64             // length of the body container in bytes, 0 without a body

	Transactions *[32]byte // Merkle root over the transactions, nil without any
	Statements   *[32]byte // Merkle root over the statements, nil without any
	Schemas      *[32]byte // Merkle root over the merge schemas, nil without any
}

// append appends the header's encoding, which is what a signature covers.
func (h *Header) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, headerFields)
	b = dagcbor.AppendUint(b, version)
	b = appendOptionalLink(b, h.Mesh)
	b = dagcbor.AppendBytes(b, h.Author[:])
	b = dagcbor.AppendUint(b, h.Seq)
	b = appendOptionalLink(b, h.Prev)
	b = dagcbor.AppendArray(b, len(h.Parents))
	for _, p := range h.Parents {
		b = dagcbor.AppendLink(b, p)
	}
	for _, v := range [...]uint64{h.Depth, h.Wall, h.Epoch, h.Bytes, h.Writes, h.Size} {
		b = dagcbor.AppendUint(b, v)
	}
	b = appendOptionalHash(b, h.Transactions)
	b = appendOptionalHash(b, h.Statements)
	return appendOptionalHash(b, h.Schemas)
}

func appendOptionalLink(b []byte, id *ID) []byte {
	if id == nil {
		return dagcbor.AppendNull(b)
	}
	return dagcbor.AppendLink(b, *id)
}

func appendOptionalHash(b []byte, h *[32]byte) []byte {
	if h == nil {
		return dagcbor.AppendNull(b)
	}
	return dagcbor.AppendBytes(b, h[:])
}

func optionalLink(d *dagcbor.Decoder) *ID {
	if d.Null() {
		return nil
	}
	id := ID(d.Link())
	return &id
}

func optionalHash(d *dagcbor.Decoder) *[32]byte {
	if d.Null() {
		return nil
	}
	var h [32]byte
	d.Fixed(h[:])
	return &h
}

// errVersion makes an unknown version known through the decoder's sticky error.
var errVersion = errors.New("version not known")

// readBlock reads one block and returns its header, signature and the bytes
// that the signature covers, a sub-slice of in, which d decodes.
func readBlock(d *dagcbor.Decoder, in []byte) (h Header, sig identity.Signature, signed []byte) {
	d.Tuple(2)
	start := d.Offset()
	n := d.Array(maxHeaderFields)
	if v := d.Uint(); v != version {
		d.Fail(fmt.Errorf("%w: %d", errVersion, v))
	}
	if n != headerFields {
		d.Fail(dagcbor.ErrMalformed)
	}
	h.Mesh = optionalLink(d)
	d.Fixed(h.Author[:])
	h.Seq = d.Uint()
	h.Prev = optionalLink(d)
	if n := d.Array(MaxParents); n > 0 {
		h.Parents = make([]ID, n)
		for i := range h.Parents {
			h.Parents[i] = d.Link()
		}
	}
	for _, v := range [...]*uint64{&h.Depth, &h.Wall, &h.Epoch, &h.Bytes, &h.Writes, &h.Size} {
		*v = d.Uint()
	}
	h.Transactions = optionalHash(d)
	h.Statements = optionalHash(d)
	h.Schemas = optionalHash(d)
	signed = in[start:d.Offset()]
	d.Fixed(sig[:])
	return h, sig, signed
}

// checkForm checks what needs neither the body nor the past.
func (h *Header) checkForm() *Refusal {
	if (h.Prev == nil) != (h.Seq == 1) {
		return refusef(ReasonSeqPrev, "seq %d, prev given: %v", h.Seq, h.Prev != nil)
	}
	for i := 1; i < len(h.Parents); i++ {
		if bytes.Compare(h.Parents[i-1][:], h.Parents[i][:]) >= 0 {
			return refusef(ReasonParentOrder, "parent %d", i)
		}
	}
	if h.Size > MaxBody {
		return refusef(ReasonLimit, "body of %d bytes: %w", h.Size, ErrLimit)
	}
	return nil
}
