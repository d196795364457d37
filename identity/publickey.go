package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
	"golang.org/x/crypto/ssh"
)

// A PublicKey is an Ed25519 public key (RFC 8032). The zero value is no usable
// key: [PublicKey.Check] refuses it.
type PublicKey [ed25519.PublicKeySize]byte

const publicKeyPrefix = "ed25519:"

// ParsePublicKey parses the text form, "ed25519:" and the unpadded standard
// base64 of the 32 bytes. It returns [ErrKeyText] for any other text, and the
// error of [PublicKey.Check] for a key that no statement could name.
func ParsePublicKey(s string) (PublicKey, error) {
	text, ok := strings.CutPrefix(s, publicKeyPrefix)
	if !ok || len(text) != base64.RawStdEncoding.EncodedLen(len(PublicKey{})) {
		return PublicKey{}, ErrKeyText
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(PublicKey{}) {
		return PublicKey{}, ErrKeyText
	}
	k := PublicKey(b)
	if err := k.Check(); err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

// Check returns [ErrKeyNonCanonical] unless k is the canonical encoding of a
// curve point, and [ErrKeySmallOrder] if that point is of small order (then
// one signature would verify for many messages). It takes about 10 µs.
func (k PublicKey) Check() error {
	p, err := new(edwards25519.Point).SetBytes(k[:])
	if err != nil || !bytes.Equal(p.Bytes(), k[:]) {
		return ErrKeyNonCanonical
	}
	if p.MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return ErrKeySmallOrder
	}
	return nil
}

// String returns the text form that [ParsePublicKey] reads.
func (k PublicKey) String() string {
	return publicKeyPrefix + base64.RawStdEncoding.EncodeToString(k[:])
}

// MarshalText implements [encoding.TextMarshaler] with the form of [PublicKey.String].
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParsePublicKey] does.
// On error k is left as it was.
func (k *PublicKey) UnmarshalText(text []byte) error {
	parsed, err := ParsePublicKey(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}

// Compare orders keys by their bytes: -1, 0 or +1.
func (k PublicKey) Compare(b PublicKey) int { return bytes.Compare(k[:], b[:]) }

// Fingerprint returns what `ssh-keygen -l` prints for the key: "SHA256:" and
// the unpadded base64 of the hash of its SSH encoding.
func (k PublicKey) Fingerprint() string { return ssh.FingerprintSHA256(k.ssh()) }

// AuthorizedKey returns the line that stands for the key in OpenSSH's .pub,
// authorized_keys and allowed_signers files, without comment or line end.
func (k PublicKey) AuthorizedKey() string {
	return string(bytes.TrimSuffix(ssh.MarshalAuthorizedKey(k.ssh()), []byte("\n")))
}

// ParseAuthorizedKey parses a line of an OpenSSH .pub file. Options before the
// key are ignored, the comment is returned. It returns [ErrKeyText] for
// whatever is no such line, [ErrKeyType] for a key of another type and the
// error of [PublicKey.Check] for a bad one.
func ParseAuthorizedKey(line string) (k PublicKey, comment string, err error) {
	parsed, comment, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(bytes.TrimSpace(rest)) != 0 {
		return PublicKey{}, "", ErrKeyText
	}
	held, ok := parsed.(ssh.CryptoPublicKey)
	if !ok {
		return PublicKey{}, "", fmt.Errorf("%w: %s", ErrKeyType, parsed.Type())
	}
	pub, ok := held.CryptoPublicKey().(ed25519.PublicKey)
	if !ok || parsed.Type() != ssh.KeyAlgoED25519 {
		return PublicKey{}, "", fmt.Errorf("%w: %s", ErrKeyType, parsed.Type())
	}
	k = PublicKey(pub)
	if err := k.Check(); err != nil {
		return PublicKey{}, "", err
	}
	return k, comment, nil
}

func (k PublicKey) ssh() ssh.PublicKey {
	p, err := ssh.NewPublicKey(ed25519.PublicKey(k[:]))
	if err != nil { // fails for unsupported key types and wrong lengths only
		panic("identity: " + err.Error())
	}
	return p
}
