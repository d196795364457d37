package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/pem"

	"github.com/hdevalence/ed25519consensus"
	"golang.org/x/crypto/ssh"
)

// SSHNamespace is the namespace in which operators sign statements, the -n of
// `ssh-keygen -Y sign` (docs/op.md, section 2).
const SSHNamespace = "statement@causeway"

const (
	sshsigMagic   = "SSHSIG"
	sshsigHash    = "sha512"
	sshsigVersion = 1
	sshsigPEM     = "SSH SIGNATURE"
)

// A StatementSigner signs statements for an operator: a [PrivateKey], or
// something that asks an ssh-agent or a person.
type StatementSigner interface {
	// Public returns the key that signs.
	Public() PublicKey
	// SignStatement signs a statement's payload as `ssh-keygen -Y sign` does,
	// with [SSHNamespace] and sha512.
	SignStatement(payload []byte) (Signature, error)
}

// SignStatement implements [StatementSigner]. It does not fail.
func (k *PrivateKey) SignStatement(payload []byte) (Signature, error) {
	return Signature(ed25519.Sign(k.key, SSHSignedData(payload))), nil
}

// SSHSignedData returns the bytes that an SSH signature of payload covers
// (OpenSSH's PROTOCOL.sshsig): what an ssh-agent is asked to sign.
func SSHSignedData(payload []byte) []byte {
	hash := sha512.Sum512(payload)
	return append([]byte(sshsigMagic), ssh.Marshal(struct {
		Namespace, Reserved, HashAlgorithm string
		Hash                               []byte
	}{SSHNamespace, "", sshsigHash, hash[:]})...)
}

// verifyStatement is the counterpart of SignStatement, by the rules of [Verify].
func verifyStatement(pub PublicKey, payload []byte, sig Signature) bool {
	return ed25519consensus.Verify(pub[:], SSHSignedData(payload), sig[:])
}

// sshsigBlob follows the magic in a signature file. The fields are those of
// PROTOCOL.sshsig, in order.
type sshsigBlob struct {
	Version       uint32
	PublicKey     []byte
	Namespace     string
	Reserved      string
	HashAlgorithm string
	Signature     []byte
}

// FormatSSHSignature returns the armored file that `ssh-keygen -Y verify`
// reads, for a signature made by a [StatementSigner].
func FormatSSHSignature(pub PublicKey, sig Signature) []byte {
	blob := ssh.Marshal(sshsigBlob{
		Version:       sshsigVersion,
		PublicKey:     pub.ssh().Marshal(),
		Namespace:     SSHNamespace,
		HashAlgorithm: sshsigHash,
		Signature:     ssh.Marshal(ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: sig[:]}),
	})
	return pem.EncodeToMemory(&pem.Block{Type: sshsigPEM, Bytes: append([]byte(sshsigMagic), blob...)})
}

// ParseSSHSignature parses the armored file that
// `ssh-keygen -Y sign -n statement@causeway` writes. It checks the format
// only, not the signature. It returns [ErrSSHSignature] for anything else.
func ParseSSHSignature(armored []byte) (PublicKey, Signature, error) {
	if len(armored) > maxSSHSignatureSize {
		return PublicKey{}, Signature{}, ErrSSHSignature
	}
	block, rest := pem.Decode(armored)
	if block == nil || block.Type != sshsigPEM || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
		return PublicKey{}, Signature{}, ErrSSHSignature
	}
	raw, ok := bytes.CutPrefix(block.Bytes, []byte(sshsigMagic))
	var blob sshsigBlob
	if !ok || ssh.Unmarshal(raw, &blob) != nil || blob.Version != sshsigVersion ||
		blob.Namespace != SSHNamespace || blob.Reserved != "" || blob.HashAlgorithm != sshsigHash {
		return PublicKey{}, Signature{}, ErrSSHSignature
	}
	var key struct {
		Format string
		Blob   []byte
	}
	if ssh.Unmarshal(blob.PublicKey, &key) != nil || key.Format != ssh.KeyAlgoED25519 || len(key.Blob) != ed25519.PublicKeySize {
		return PublicKey{}, Signature{}, ErrSSHSignature
	}
	var sig struct {
		Format string
		Blob   []byte
	}
	if ssh.Unmarshal(blob.Signature, &sig) != nil || sig.Format != ssh.KeyAlgoED25519 || len(sig.Blob) != ed25519.SignatureSize {
		return PublicKey{}, Signature{}, ErrSSHSignature
	}
	return PublicKey(key.Blob), Signature(sig.Blob), nil
}
