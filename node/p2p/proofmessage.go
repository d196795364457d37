package p2p

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// Kinds of messages about fork proofs (docs/p2p.md, section 12).
const (
	proofList   = 0 // [0, [author…]]
	proofProofs = 1 // [1, [proof…], more]
)

// maxProof bounds a fork proof, in bytes: two blocks.
const maxProof = 1 + 2*dag.MaxBlock

func encodeProofList(authors []identity.PublicKey) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, proofList)
	b = dagcbor.AppendArray(b, len(authors))
	for _, a := range authors {
		b = dagcbor.AppendBytes(b, a[:])
	}
	return b
}

// decodeProofList parses the authors of whom a peer holds proofs, which
// ascend. The error wraps ErrMalformed.
func decodeProofList(p []byte) ([]identity.PublicKey, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	if kind := d.Uint(); d.Err() == nil && kind != proofList {
		return nil, fmt.Errorf("%w: a list of proofs of kind %d", ErrMalformed, kind)
	}
	var authors []identity.PublicKey
	for range d.Array(maxProofs) {
		var a identity.PublicKey
		d.Fixed(a[:])
		if n := len(authors); d.Err() == nil && n > 0 && authors[n-1].Compare(a) >= 0 {
			return nil, fmt.Errorf("%w: authors are not ascending", ErrMalformed)
		}
		authors = append(authors, a)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: list of proofs: %v", ErrMalformed, err)
	}
	return authors, nil
}

func encodeProofs(proofs [][]byte, more bool) []byte {
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendUint(b, proofProofs)
	b = dagcbor.AppendArray(b, len(proofs))
	for _, p := range proofs {
		b = dagcbor.AppendBytes(b, p)
	}
	if more {
		return dagcbor.AppendUint(b, 1)
	}
	return dagcbor.AppendUint(b, 0)
}

// decodeProofs parses a frame of proofs, which alias it and are not verified. The
// error wraps ErrMalformed.
func decodeProofs(p []byte) (proofs [][]byte, more bool, err error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(3)
	if kind := d.Uint(); d.Err() == nil && kind != proofProofs {
		return nil, false, fmt.Errorf("%w: proofs of kind %d", ErrMalformed, kind)
	}
	for range d.Array(maxProofsFrame) {
		proofs = append(proofs, d.Bytes(maxProof))
	}
	rest := d.Uint()
	if err := d.Finish(); err != nil {
		return nil, false, fmt.Errorf("%w: proofs: %v", ErrMalformed, err)
	}
	if rest > 1 {
		return nil, false, fmt.Errorf("%w: more is %d", ErrMalformed, rest)
	}
	return proofs, rest == 1, nil
}
