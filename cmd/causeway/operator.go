package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/sshagent"
	"github.com/causeway-sync/causeway/node"
)

// operatorFlags are the flags that say who acts: a name and a key.
type operatorFlags struct {
	name   string
	key    string // --operator-key: a file, a fingerprint or a public key
	secret *passphrases
}

// newOperatorFlags adds --operator-key and the flags of passphrases, and
// --operator-name if it has a default.
func newOperatorFlags(c *cobra.Command, std stdio, defaultName string) *operatorFlags {
	o := &operatorFlags{secret: passphraseFlag(c, std)}
	c.Flags().StringVar(&o.key, "operator-key", "", "the operator's key: a private key file, or a .pub file, a fingerprint or a public key of one in ssh-agent (default "+node.OperatorKeyFile+" in the data directory)")
	if defaultName != "" {
		c.Flags().StringVar(&o.name, "operator-name", defaultName, "the operator's name, for people")
	}
	return o
}

// errNoOperatorKey says that no key was named and that the data directory holds none.
var errNoOperatorKey = errors.New("name the operator's key with --operator-key")

// operatorSigner returns what signs statements for the operator whose key o
// names, by default that of dataDir: a private key, whose passphrase it may ask
// for, or a key in ssh-agent (docs/keys.md, "Which key signs"). ctx bounds the
// signing too. It returns an error that wraps errNoOperatorKey if none is
// named and none is there, and otherwise those of the key file or the agent.
func operatorSigner(ctx context.Context, o *operatorFlags, dataDir string) (identity.StatementSigner, error) {
	pub, named, err := namedKey(o.key)
	if err != nil {
		return nil, err
	}
	if named != "" {
		return agentSigner(ctx, named, pub)
	}
	file := o.key
	if file == "" {
		file = filepath.Join(dataDir, node.OperatorKeyFile)
	}
	signer, err := fileSigner(ctx, o.secret, file)
	if errors.Is(err, fs.ErrNotExist) && o.key == "" {
		return nil, fmt.Errorf("%s does not exist: %w", file, errNoOperatorKey)
	}
	return signer, err
}

// namedKey returns what name says of a key that an agent must hold: all of its
// public half, or its fingerprint. Both are empty if name is a private key file's.
func namedKey(name string) (pub identity.PublicKey, fingerprint string, err error) {
	switch {
	case strings.HasPrefix(name, "SHA256:"):
		return identity.PublicKey{}, name, nil
	case strings.HasPrefix(name, "ed25519:"):
		if pub, err = identity.ParsePublicKey(name); err != nil {
			return identity.PublicKey{}, "", usageError{fmt.Errorf("--operator-key: %w", err)}
		}
	case strings.HasSuffix(name, ".pub"):
		if pub, _, err = readPublicFile(name); err != nil {
			return identity.PublicKey{}, "", err
		}
	default:
		return identity.PublicKey{}, "", nil
	}
	return pub, pub.Fingerprint(), nil
}

// agentSigner returns the key with that fingerprint in the ssh-agent. pub is
// the key if it is known, else zero.
func agentSigner(ctx context.Context, fingerprint string, pub identity.PublicKey) (identity.StatementSigner, error) {
	agent, err := sshagent.Find()
	if err != nil {
		return nil, fmt.Errorf("the operator's key %s: %w", fingerprint, err)
	}
	if pub == (identity.PublicKey{}) {
		keys, err := agent.Keys(ctx)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if k.Public.Fingerprint() == fingerprint {
				pub = k.Public
			}
		}
		if pub == (identity.PublicKey{}) {
			return nil, fmt.Errorf("%w %s", sshagent.ErrNotHeld, fingerprint)
		}
	}
	signer, err := agent.Signer(ctx, pub)
	if err != nil {
		return nil, err // not signer: a nil pointer is no nil interface
	}
	return signer, nil
}

// fileSigner returns the key in a private key file. An ssh-agent that holds it
// is asked instead where there is only the .pub, or where the file is encrypted
// and no passphrase is offered by flag. Without either, the error matches fs.ErrNotExist.
func fileSigner(ctx context.Context, secret *passphrases, file string) (identity.StatementSigner, error) {
	info, err := readPublic(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		pub, _, perr := readPublicFile(file + ".pub")
		if errors.Is(perr, fs.ErrNotExist) {
			return nil, err
		}
		if perr != nil {
			return nil, perr
		}
		return agentSigner(ctx, pub.Fingerprint(), pub)
	case err == nil && info.Encrypted && !secret.offered():
		if signer, err := agentSigner(ctx, info.Fingerprint, info.PublicKey); err == nil {
			return signer, nil
		}
	}
	k, err := readKey(ctx, secret, file)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// readKey reads a private key file, asking for its passphrase if it has one.
func readKey(ctx context.Context, secret *passphrases, file string) (*identity.PrivateKey, error) {
	return identity.ReadKeyFile(file, func() ([]byte, error) {
		return secret.read(ctx, fmt.Sprintf("Passphrase for %s: ", file))
	})
}
