package dag

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// An Unverified op is sound in its form: its block and body are the one
// encoding of what they hold, within the bounds, and the body has the roots
// the header states. Who made it is not known yet; see [Verify]. It is immutable.
type Unverified struct {
	id           ID
	header       Header
	signature    identity.Signature
	block, body  []byte
	signed       []byte // sub-slice of block that the signature covers
	transactions []Transaction
	statements   []*identity.Statement
	schemas      [][]byte
	writes       int
}

// Decode parses an op from its block and its body container, which is empty
// for an op without a body. It keeps both: they must not change afterwards. A
// returned error is a *[Refusal]; it depends on the bytes alone.
func Decode(block, body []byte) (*Unverified, error) {
	u := &Unverified{id: blockID(block), block: block, body: body}
	refusal := u.decodeBlock()
	if refusal == nil {
		refusal = u.decodeBody()
	}
	if refusal != nil {
		refusal.ID = u.id
		return nil, refusal
	}
	return u, nil
}

func (u *Unverified) decodeBlock() *Refusal {
	if len(u.block) > MaxBlock {
		return refusef(ReasonLimit, "block of %d bytes: %w", len(u.block), ErrLimit)
	}
	d := dagcbor.NewDecoder(u.block)
	u.header, u.signature, u.signed = readBlock(d, u.block)
	if err := d.Finish(); err != nil {
		switch {
		case errors.Is(err, errVersion):
			return &Refusal{Reason: ReasonVersion, Detail: err}
		case errors.Is(err, dagcbor.ErrTooLong):
			return refusef(ReasonLimit, "%w: %w", ErrLimit, err)
		}
		return &Refusal{Reason: ReasonMalformed, Detail: err}
	}
	return u.header.checkForm()
}

func (u *Unverified) decodeBody() *Refusal {
	if refusal := u.checkSize(len(u.body)); refusal != nil {
		return refusal
	}
	body, err := DecodeBody(u.body)
	if err != nil {
		return formRefusal(ReasonBody, err)
	}
	if refusal := u.checkRoots(body); refusal != nil {
		return refusal
	}
	if n := len(body.Transactions); n > 0 {
		u.transactions = make([]Transaction, n)
	}
	for i, b := range body.Transactions {
		if u.transactions[i], err = DecodeTransaction(b); err != nil {
			return formRefusal(ReasonTransaction, fmt.Errorf("transaction %d: %w", i, err))
		}
		if u.writes += len(u.transactions[i]); u.writes > MaxWrites {
			return refusef(ReasonLimit, "more than %d writes: %w", MaxWrites, ErrLimit)
		}
	}
	u.schemas = body.Schemas
	return u.decodeStatements(body.Statements)
}

// formRefusal refuses for reason, or for ReasonLimit if err wraps ErrLimit.
func formRefusal(reason Reason, err error) *Refusal {
	if errors.Is(err, ErrLimit) {
		reason = ReasonLimit
	}
	return &Refusal{Reason: reason, Detail: err}
}

func sameHash(a, b *[32]byte) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// ID returns the op's ID.
func (u *Unverified) ID() ID { return u.id }

// Header returns the header, which the caller must not modify.
func (u *Unverified) Header() *Header { return &u.header }

// Block returns the encoded header and signature, which the caller must not modify.
func (u *Unverified) Block() []byte { return u.block }

// Body returns the body container, empty without a body. The caller must not modify it.
func (u *Unverified) Body() []byte { return u.body }

// Transactions returns the op's transactions, in order. They alias the body,
// and the caller must not modify them.
func (u *Unverified) Transactions() []Transaction { return u.transactions }

// Statements returns the statements the op carries, in order, their
// signatures not looked at. The caller must not modify the slice.
func (u *Unverified) Statements() []*identity.Statement { return u.statements }

// Schemas returns the merge schemas the op carries, in order, whatever is in
// them. They alias the body, and the caller must not modify them.
func (u *Unverified) Schemas() [][]byte { return u.schemas }

// Footprint returns about how many bytes of memory the op occupies.
func (u *Unverified) Footprint() int {
	return int(unsafe.Sizeof(*u)) + len(u.block) + 2*len(u.header.Parents)*len(ID{}) +
		len(u.body) + u.writes*int(unsafe.Sizeof(Write{})) + len(u.transactions)*int(unsafe.Sizeof(Transaction{}))
}
