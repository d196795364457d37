package dag

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// ID names an operation: the sha2-256 hash of its block, the digest within its
// CIDv1 (dag-cbor, docs/op.md section 2). The zero ID names nothing.
type ID [32]byte

// idTextLen is the length of an ID's text: 'b' and 36 bytes in base32.
const idTextLen = 59

// CID returns the ID as a CIDv1.
func (id ID) CID() cid.Cid {
	// Encoding a digest of a known length under a known code cannot fail.
	mh, err := multihash.Encode(id[:], multihash.SHA2_256)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.DagCBOR, mh)
}

// String returns the CID's base32 text, "bafyrei…".
func (id ID) String() string { return id.CID().String() }

// Compare orders IDs by their bytes: -1, 0 or +1.
func (id ID) Compare(b ID) int { return bytes.Compare(id[:], b[:]) }

// MarshalText implements encoding.TextMarshaler with the text of String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts what
// [ParseID] accepts and leaves id as it was on error.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID parses the text of an ID. It accepts the one text that String
// returns, no other base or CID version. The error wraps [ErrID].
func ParseID(s string) (ID, error) {
	if len(s) != idTextLen {
		return ID{}, fmt.Errorf("%w: %d characters, want %d", ErrID, len(s), idTextLen)
	}
	c, err := cid.Decode(s)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %v", ErrID, err)
	}
	mh := []byte(c.Hash())
	p := c.Prefix()
	if p.Version != 1 || p.Codec != cid.DagCBOR || p.MhType != multihash.SHA2_256 || len(mh) != 2+len(ID{}) || c.String() != s {
		return ID{}, fmt.Errorf("%w: not a dag-cbor sha2-256 CIDv1 in base32", ErrID)
	}
	return ID(mh[2:]), nil
}

// blockID returns the ID of a block.
func blockID(block []byte) ID { return sha256.Sum256(block) }
