package p2p

import (
	"crypto/ed25519"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/identity"
)

// PeerID returns the libp2p peer ID of a node key: the key itself, in an
// identity multihash. The error is for keys that are not 32 canonical bytes.
func PeerID(k identity.PublicKey) (peer.ID, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(k[:])
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrPeerID, err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrPeerID, err)
	}
	return id, nil
}

// NodeKey returns the node key that a peer ID holds, or [ErrPeerID].
func NodeKey(id peer.ID) (identity.PublicKey, error) {
	pub, err := id.ExtractPublicKey()
	if err != nil {
		return identity.PublicKey{}, fmt.Errorf("%w: %v", ErrPeerID, err)
	}
	raw, err := pub.Raw()
	if err != nil || len(raw) != ed25519.PublicKeySize || pub.Type() != crypto.Ed25519 {
		return identity.PublicKey{}, fmt.Errorf("%w: %s", ErrPeerID, id)
	}
	return identity.PublicKey(raw), nil
}

// hostKey returns the node key as libp2p wants it.
func hostKey(k *identity.PrivateKey) (crypto.PrivKey, error) {
	seed := k.Seed()
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
}

// ParsePeerAddr parses a multiaddr that ends in /p2p/<peer ID> and returns the
// peer with its address. The error wraps [ErrAddress].
func ParsePeerAddr(s string) (peer.AddrInfo, error) {
	if len(s) > 2*maxAddr {
		return peer.AddrInfo{}, fmt.Errorf("%w: longer than %d bytes", ErrAddress, 2*maxAddr)
	}
	a, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q: %v", ErrAddress, s, err)
	}
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q: %v", ErrAddress, s, err)
	}
	if len(info.Addrs) == 0 {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q: it has a peer ID and no address", ErrAddress, s)
	}
	if _, err := NodeKey(info.ID); err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q: %w", ErrAddress, s, err)
	}
	return *info, nil
}
