package dag

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A Body holds an op's transactions, statements and merge schemas, each in its encoding. The
// zero Body is that of an op without a body.
type Body struct {
	Transactions [][]byte // each the encoding of a [Transaction]
	Statements   [][]byte // each the encoding of an identity.Statement
	Schemas      [][]byte // each a merge schema, of any form
}

// Empty reports whether there is nothing in the body.
func (b Body) Empty() bool { return len(b.Transactions)+len(b.Statements)+len(b.Schemas) == 0 }

// bodyLists is the number of lists in a body container.
const bodyLists = 3

func (b Body) lists() [bodyLists][][]byte {
	return [...][][]byte{b.Transactions, b.Statements, b.Schemas}
}

// Encode returns the body container, nil if the body is empty.
func (b Body) Encode() []byte {
	if b.Empty() {
		return nil
	}
	n := 1 + bodyLists*5
	for _, list := range b.lists() {
		for _, item := range list {
			n += 5 + len(item)
		}
	}
	out := dagcbor.AppendArray(make([]byte, 0, n), bodyLists)
	for _, list := range b.lists() {
		out = dagcbor.AppendArray(out, len(list))
		for _, item := range list {
			out = dagcbor.AppendBytes(out, item)
		}
	}
	return out
}

// size returns the length of the body container without making it.
func (b Body) size() int {
	if b.Empty() {
		return 0
	}
	n := headSize(bodyLists)
	for _, list := range b.lists() {
		n += headSize(len(list))
		for _, item := range list {
			n += headSize(len(item)) + len(item)
		}
	}
	return n
}

// headSize returns the length of the head of an item with argument n.
func headSize(n int) int {
	switch {
	case n < 24:
		return 1
	case n <= 0xff:
		return 2
	case n <= 0xffff:
		return 3
	case n <= 0xffffffff:
		return 5
	default:
		return 9
	}
}

// DecodeBody parses a body container. Empty input is the empty Body; a
// container that holds nothing is refused, since it would be a second encoding of it.
// The items alias b; their own form is not looked at. Errors wrap [ErrBody] or [ErrLimit].
func DecodeBody(b []byte) (Body, error) {
	if len(b) == 0 {
		return Body{}, nil
	}
	if len(b) > MaxBody {
		return Body{}, fmt.Errorf("%w: body of %d bytes", ErrLimit, len(b))
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(bodyLists)
	body := Body{
		Transactions: readItems(d, MaxTransactions, MaxBody),
		Statements:   readItems(d, MaxStatements, MaxStatement),
		Schemas:      readItems(d, MaxSchemas, MaxSchema),
	}
	if err := d.Finish(); err != nil {
		return Body{}, fmt.Errorf("%w: %w", limitOr(err, ErrBody), err)
	}
	if body.Empty() {
		return Body{}, fmt.Errorf("%w: a container of nothing", ErrBody)
	}
	return body, nil
}

func readItems(d *dagcbor.Decoder, most, longest int) [][]byte {
	n := d.Array(most)
	if n == 0 {
		return nil
	}
	items := make([][]byte, n)
	for i := range items {
		items[i] = d.Bytes(longest)
	}
	return items
}

// Roots returns the Merkle roots over the transactions, the statements and the
// schemas, nil for an empty list (docs/op.md section 3).
func (b Body) Roots() (transactions, statements, schemas *[32]byte) {
	return merkleRoot(b.Transactions), merkleRoot(b.Statements), merkleRoot(b.Schemas)
}

// merkleRoot returns the root of RFC 6962 section 2.1, nil for no items. It
// adds leaves from the left and joins two complete subtrees of the same height
// as soon as there are two, which leaves one subtree for each one bit of the
// count; joining those from the right gives the same tree as splitting at the
// largest power of two.
func merkleRoot(items [][]byte) *[32]byte {
	if len(items) == 0 {
		return nil
	}
	var stack [bits.UintSize][32]byte
	top := 0
	h := sha256.New()
	for i, item := range items {
		h.Reset()
		h.Write([]byte{0})
		h.Write(item)
		h.Sum(stack[top][:0])
		top++
		for n := i + 1; n&1 == 0; n >>= 1 {
			stack[top-2] = merkleNode(stack[top-2], stack[top-1])
			top--
		}
	}
	for top > 1 {
		stack[top-2] = merkleNode(stack[top-2], stack[top-1])
		top--
	}
	root := stack[0]
	return &root
}

func merkleNode(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}
