package dag

import (
	"bytes"
	"fmt"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A Fork names two different ops of one author with the same prev. Both are
// valid and both count; their blocks prove to anyone that the author signed
// both, see [AppendForkProof].
type Fork struct {
	Author identity.PublicKey
	A, B   ID // ascending
}

func newFork(author identity.PublicKey, a, b ID) Fork {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return Fork{Author: author, A: a, B: b}
}

// VerifyFork checks, from the two blocks alone and in either order, that they
// are different ops of one mesh, one author and one prev, both signed by that
// author, whom it returns. Whether either is valid is not looked at: an author
// who follows the protocol never signs both. Errors wrap [ErrForkProof].
func VerifyFork(a, b []byte) (identity.PublicKey, error) {
	if bytes.Equal(a, b) {
		return identity.PublicKey{}, fmt.Errorf("%w: one block twice", ErrForkProof)
	}
	ha, err := verifyBlock(a)
	if err != nil {
		return identity.PublicKey{}, err
	}
	hb, err := verifyBlock(b)
	if err != nil {
		return identity.PublicKey{}, err
	}
	switch {
	case ha.Author != hb.Author:
		return identity.PublicKey{}, fmt.Errorf("%w: two authors", ErrForkProof)
	case !sameHash((*[32]byte)(ha.Prev), (*[32]byte)(hb.Prev)):
		return identity.PublicKey{}, fmt.Errorf("%w: two prevs", ErrForkProof)
	case !sameHash((*[32]byte)(ha.Mesh), (*[32]byte)(hb.Mesh)):
		return identity.PublicKey{}, fmt.Errorf("%w: two meshes", ErrForkProof)
	case ha.Mesh == nil:
		return identity.PublicKey{}, fmt.Errorf("%w: founding ops of two meshes", ErrForkProof)
	}
	return ha.Author, nil
}

// verifyBlock parses a block alone and checks its signature.
func verifyBlock(block []byte) (*Header, error) {
	u := Unverified{block: block}
	if refusal := u.decodeBlock(); refusal != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrForkProof, refusal.Reason, refusal.Detail)
	}
	if !identity.Verify(u.header.Author, identity.DomainOp, u.signed, u.signature) {
		return nil, fmt.Errorf("%w: %s", ErrForkProof, ReasonSignature)
	}
	return &u.header, nil
}

// AppendForkProof appends the encoding of the proof that the two blocks are,
// [block, block] ascending by ID (docs/op.md section 3), if [VerifyFork] accepts them.
func AppendForkProof(dst, a, b []byte) ([]byte, error) {
	if _, err := VerifyFork(a, b); err != nil {
		return nil, err
	}
	if blockID(a).Compare(blockID(b)) > 0 {
		a, b = b, a
	}
	dst = dagcbor.AppendArray(dst, 2)
	dst = append(dst, a...)
	return append(dst, b...), nil
}

// ParseForkProof parses a proof, verifies it and returns the fork it proves.
// Errors wrap [ErrForkProof].
func ParseForkProof(proof []byte) (Fork, error) {
	f, _, err := parseForkProof(proof)
	return f, err
}

// ForkHeaders is [ParseForkProof], and returns what the author signed: the
// headers of A and B. They have mesh, author and prev in common, and seq if both are valid.
func ForkHeaders(proof []byte) (Fork, [2]*Header, error) {
	f, blocks, err := parseForkProof(proof)
	if err != nil {
		return Fork{}, [2]*Header{}, err
	}
	var headers [2]*Header
	for i, block := range blocks {
		if headers[i], err = verifyBlock(block); err != nil {
			return Fork{}, [2]*Header{}, err
		}
	}
	return f, headers, nil
}

// parseForkProof parses and verifies a proof and returns its blocks, parts of proof.
func parseForkProof(proof []byte) (Fork, [2][]byte, error) {
	if len(proof) > 1+2*MaxBlock {
		return Fork{}, [2][]byte{}, fmt.Errorf("%w: %d bytes: %w", ErrForkProof, len(proof), ErrLimit)
	}
	d := dagcbor.NewDecoder(proof)
	d.Tuple(2)
	start := d.Offset()
	readBlock(d, proof)
	middle := d.Offset()
	readBlock(d, proof)
	if err := d.Finish(); err != nil {
		return Fork{}, [2][]byte{}, fmt.Errorf("%w: %w", ErrForkProof, err)
	}
	a, b := proof[start:middle], proof[middle:]
	author, err := VerifyFork(a, b)
	if err != nil {
		return Fork{}, [2][]byte{}, err
	}
	f := Fork{Author: author, A: blockID(a), B: blockID(b)}
	if f.A.Compare(f.B) > 0 {
		return Fork{}, [2][]byte{}, fmt.Errorf("%w: blocks not ascending", ErrForkProof)
	}
	return f, [2][]byte{a, b}, nil
}
