package identity

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
)

// A PrivateKey is an Ed25519 private key. It cannot be compared, and however
// it is printed or logged only a placeholder appears. Use it through the
// pointer that made it; the zero value is unusable.
type PrivateKey struct {
	_    [0]func() // incomparable: == on secrets leaks their content by timing
	seed [ed25519.SeedSize]byte
	key  ed25519.PrivateKey
	pub  PublicKey
}

const redacted = "identity.PrivateKey(redacted)"

// GenerateKey makes a key from 32 bytes of rand, which must be
// cryptographically secure (crypto/rand.Reader) outside tests.
func GenerateKey(rand io.Reader) (*PrivateKey, error) {
	var seed [ed25519.SeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("identity: generate key: %w", err)
	}
	return NewKeyFromSeed(seed), nil
}

// NewKeyFromSeed returns the key of an RFC 8032 seed.
func NewKeyFromSeed(seed [ed25519.SeedSize]byte) *PrivateKey {
	k := &PrivateKey{seed: seed, key: ed25519.NewKeyFromSeed(seed[:])}
	copy(k.pub[:], k.key.Public().(ed25519.PublicKey))
	return k
}

// Public returns the public key.
func (k *PrivateKey) Public() PublicKey { return k.pub }

// Seed returns the secret the key was made from, for handing the key to
// libp2p or into a ticket. Whoever holds it holds the key.
func (k *PrivateKey) Seed() [ed25519.SeedSize]byte { return k.seed }

// Sign signs payload for the purpose d. The signature is deterministic.
func (k *PrivateKey) Sign(d Domain, payload []byte) Signature {
	return Signature(ed25519.Sign(k.key, d.message(payload)))
}

// String returns a placeholder, never the key.
func (PrivateKey) String() string { return redacted }

// GoString returns a placeholder, never the key.
func (PrivateKey) GoString() string { return redacted }

// Format implements [fmt.Formatter], so that no verb prints the key.
func (PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer] with a placeholder, never the key.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }
