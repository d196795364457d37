package dag

import (
	"fmt"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A Signed op is an [Unverified] one whose author vouches for it. Whether it is
// valid depends on its past; see [Graph.Add]. It is immutable.
type Signed struct{ *Unverified }

// Verify checks the signatures of ops, all in one batch, and if that fails
// one by one to name the bad ones. Both results are as long as us: for each op
// either a Signed one or a *[Refusal] for [ReasonSignature].
func Verify(us []*Unverified) ([]*Signed, []error) {
	signed := make([]*Signed, len(us))
	errs := make([]error, len(us))
	batch := identity.NewBatch(len(us))
	for _, u := range us {
		batch.Add(u.header.Author, identity.DomainOp, u.signed, u.signature)
	}
	all := len(us) > 1 && batch.Verify()
	for i, u := range us {
		if all || identity.Verify(u.header.Author, identity.DomainOp, u.signed, u.signature) {
			signed[i] = &Signed{u}
		} else {
			errs[i] = &Refusal{Reason: ReasonSignature, ID: u.id}
		}
	}
	return signed, errs
}

// AssumeVerified skips the check of the signature, for an op that was checked
// before and came from where nothing else can write: a node's own log, whose
// chained hash vouches for it.
func AssumeVerified(u *Unverified) *Signed { return &Signed{u} }

// Sign makes an op of h and body, signed by key. It fills in h's Author, Size,
// Transactions, Statements and Schemas; the rest is the caller's, see [Graph.Draft]. An
// error says that the op would be refused by any [Decode]; it wraps a *[Refusal].
func Sign(h Header, body Body, key *identity.PrivateKey) (*Signed, error) {
	container := body.Encode()
	h.Author = key.Public()
	h.Size = uint64(len(container))
	h.Transactions, h.Statements, h.Schemas = body.Roots()

	block := dagcbor.AppendArray(make([]byte, 0, 512), 2)
	start := len(block)
	block = h.append(block)
	sig := key.Sign(identity.DomainOp, block[start:])
	block = dagcbor.AppendBytes(block, sig[:])
	u, err := Decode(block, container)
	if err != nil {
		return nil, fmt.Errorf("dag: sign: %w", err)
	}
	return &Signed{u}, nil
}
