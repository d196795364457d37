package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/causeway-sync/causeway/identity"
)

func newKey(std stdio) *cobra.Command {
	c := group("key", "Make and look after keys",
		`Key makes, shows and changes keys. They are Ed25519 keys in OpenSSH's format:
ssh-keygen reads and writes the same files. A passphrase is asked for at the
terminal or read from --passphrase-fd or --passphrase-credential, never taken
from the command line or the environment.`)
	c.AddCommand(
		newKeyNew(std), newKeyList(std), newKeyShow(std),
		newKeyExport(std), newKeyImport(std), newKeyPasswd(std),
		newKeyRotate(std), newKeyRevoke(std),
	)
	return c
}

// Kinds of keyInfo: where the key is.
const (
	keyPrivate = "private" // a private key file
	keyPublic  = "public"  // a .pub file
	keyAgent   = "agent"   // ssh-agent
)

// keyInfo is what the commands print of a key: its public half.
type keyInfo struct {
	File          string             `json:"file"` // empty for one of ssh-agent
	Kind          string             `json:"kind"`
	PublicKey     identity.PublicKey `json:"public_key"`
	Fingerprint   string             `json:"fingerprint"`
	AuthorizedKey string             `json:"authorized_key"`
	Comment       string             `json:"comment"`   // anybody's text; empty if there is none
	Encrypted     bool               `json:"encrypted"` // only of a private key file
}

func newKeyInfo(kind, file string, k identity.PublicKey, comment string) keyInfo {
	return keyInfo{File: file, Kind: kind, PublicKey: k, Fingerprint: k.Fingerprint(), AuthorizedKey: k.AuthorizedKey(), Comment: comment}
}

func (k keyInfo) write(w io.Writer) {
	fmt.Fprintf(w, "file\t%s\n", k.File)
	fmt.Fprintf(w, "public key\t%s\n", k.PublicKey)
	fmt.Fprintf(w, "fingerprint\t%s\n", k.Fingerprint)
	fmt.Fprintf(w, "ssh\t%s\n", k.AuthorizedKey)
	fmt.Fprintf(w, "comment\t%s\n", orDash(printable(k.Comment)))
	if k.Kind == keyPrivate {
		fmt.Fprintf(w, "encrypted\t%s\n", yesNo(k.Encrypted))
	}
}

// readPublic returns the public half of a private key file. OpenSSH's format
// holds it outside what the passphrase encrypts.
func readPublic(file string) (keyInfo, error) {
	k, err := identity.ReadKeyFile(file, nil)
	if err == nil {
		return newKeyInfo(keyPrivate, file, k.Public(), readComment(file)), nil
	}
	if !errors.Is(err, identity.ErrPassphraseNeeded) {
		return keyInfo{}, err
	}
	b, err := os.ReadFile(file) // bounded: ReadKeyFile has just parsed it
	if err != nil {
		return keyInfo{}, err
	}
	_, err = ssh.ParseRawPrivateKey(b)
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) || missing.PublicKey == nil {
		return keyInfo{}, fmt.Errorf("%s: holds no public key", file)
	}
	pub, _, err := identity.ParseAuthorizedKey(string(ssh.MarshalAuthorizedKey(missing.PublicKey)))
	if err != nil {
		return keyInfo{}, fmt.Errorf("%s: %w", file, err)
	}
	info := newKeyInfo(keyPrivate, file, pub, readComment(file))
	info.Encrypted = true
	return info, nil
}

// defaultComment is the comment of a key that has none.
const defaultComment = "causeway"

// readComment returns the comment in file's .pub, empty if there is none. The one in
// the file itself is not to be had from the parser.
func readComment(file string) string {
	_, comment, err := readPublicFile(file + ".pub")
	if err != nil {
		return ""
	}
	return comment
}

// maxPublicFile bounds a .pub file, in bytes.
const maxPublicFile = 16 << 10

// readPublicFile reads the line in a .pub file.
func readPublicFile(file string) (pub identity.PublicKey, comment string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return identity.PublicKey{}, "", fmt.Errorf("%s: %w", file, errors.Unwrap(err))
	}
	defer f.Close()
	line, err := io.ReadAll(io.LimitReader(f, maxPublicFile))
	if err != nil {
		return identity.PublicKey{}, "", err
	}
	if pub, comment, err = identity.ParseAuthorizedKey(string(line)); err != nil {
		return identity.PublicKey{}, "", fmt.Errorf("%s: %w", file, err)
	}
	return pub, comment, nil
}
