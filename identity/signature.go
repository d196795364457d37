package identity

import (
	"crypto/ed25519"

	"github.com/hdevalence/ed25519consensus"
)

// A Domain says what a signature is for. The signed bytes are the domain, a
// zero byte and the payload (docs/op.md, section 2), so that a signature made
// for one purpose never verifies for another.
type Domain string

// FirstVersion is the first version of the format that is frozen (docs/op.md):
// that of a mesh in which no version statement asks for a later one.
const FirstVersion = 1

// The domains of format version 1.
const (
	DomainOp      Domain = "causeway-op-v1"      // the header of an operation
	DomainConsent Domain = "causeway-consent-v1" // a node key's consent to be enrolled
	DomainTicket  Domain = "causeway-ticket-v1"  // a statement issued by a ticket key
	DomainRotate  Domain = "causeway-rotate-v1"  // a statement issued by a node key
)

func (d Domain) message(payload []byte) []byte {
	b := make([]byte, 0, len(d)+1+len(payload))
	b = append(append(b, d...), 0)
	return append(b, payload...)
}

// A Signature is an Ed25519 signature: R, then S.
type Signature [ed25519.SignatureSize]byte

// Verify reports whether sig is pub's signature of payload for the purpose d,
// by the rules of ZIP-215: S is canonical, A and R are any encodings of curve
// points, and [8][S]B = [8]R + [8][k]A. Any two nodes agree on every input,
// which RFC 8032 does not give. A signature it accepts may verify for several
// keys or messages if pub is of small order: see [PublicKey.Check].
func Verify(pub PublicKey, d Domain, payload []byte, sig Signature) bool {
	return ed25519consensus.Verify(pub[:], d.message(payload), sig[:])
}

// A Batch verifies many signatures at once, at about half the cost of one
// after the other. It is for one goroutine. Make it with [NewBatch].
type Batch struct {
	v ed25519consensus.BatchVerifier
	n int
}

// NewBatch returns an empty batch with room for n signatures; it grows as needed.
func NewBatch(n int) *Batch {
	return &Batch{v: ed25519consensus.NewPreallocatedBatchVerifier(n)}
}

// Add adds a signature, to be judged as [Verify] would. It keeps no reference to payload.
func (b *Batch) Add(pub PublicKey, d Domain, payload []byte, sig Signature) {
	b.v.Add(pub[:], d.message(payload), sig[:])
	b.n++
}

// Verify reports whether [Verify] accepts every signature added; an empty
// batch passes. If it reports false, the caller finds the bad ones one by one.
// The coefficients come from crypto/rand: a batch with a bad signature passes
// with a probability below 2^-120.
func (b *Batch) Verify() bool { return b.n == 0 || b.v.Verify() }
