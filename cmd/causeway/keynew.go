package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newKeyNew(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "new <file>",
		Short: "Make a new key file",
		Long: `New writes a new Ed25519 key to a file that must not exist yet, as ssh-keygen -t
ed25519 does, and its public half to the same name with .pub. The passphrase is
asked for twice; an empty one leaves the file unencrypted.`,
		Example: `  causeway key new ~/.ssh/causeway-operator
  causeway key new --no-passphrase ./node-key
  causeway key new --passphrase-fd 3 ./op-key 3</run/secrets/op-key`,
		Args: exactly(1, "the file"),
	}
	out := outputFlag(c)
	file := newKeyFileFlags(c, std)
	c.MarkFlagsMutuallyExclusive("no-passphrase", "passphrase-fd", "passphrase-credential")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := file.check(args[0]); err != nil {
			return err
		}
		k, err := identity.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		info, err := file.write(cmd.Context(), args[0], k, defaultComment)
		if err != nil {
			return err
		}
		return out.write(std.out, info, info.write)
	}
	return c
}

// keyFileFlags say how a new key file is written.
type keyFileFlags struct {
	secret  *passphrases
	comment string
	plain   bool
}

// newKeyFileFlags adds the flags of passphrases, --no-passphrase and --comment.
func newKeyFileFlags(c *cobra.Command, std stdio) *keyFileFlags {
	f := &keyFileFlags{secret: passphraseFlag(c, std)}
	c.Flags().StringVar(&f.comment, "comment", "", "comment to store beside the key")
	c.Flags().BoolVar(&f.plain, "no-passphrase", false, "do not encrypt the file")
	return f
}

// check refuses to replace a file, before anything is asked for.
func (f *keyFileFlags) check(file string) error {
	if strings.ContainsAny(f.comment, "\r\n") {
		return usageError{errors.New("--comment holds a line end")}
	}
	for _, name := range []string{file, file + ".pub"} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s exists already", name)
		}
	}
	return nil
}

// write writes k to file and its public half beside it.
func (f *keyFileFlags) write(ctx context.Context, file string, k *identity.PrivateKey, comment string) (keyInfo, error) {
	comment = cmp.Or(f.comment, comment)
	var passphrase []byte
	if !f.plain {
		var err error
		if passphrase, err = f.secret.fresh(ctx, file); err != nil {
			return keyInfo{}, err
		}
	}
	if err := identity.WriteKeyFile(file, k, comment, passphrase); err != nil {
		return keyInfo{}, err
	}
	if err := writePublic(file+".pub", k.Public(), comment); err != nil {
		return keyInfo{}, err
	}
	info := newKeyInfo(keyPrivate, file, k.Public(), comment)
	info.Encrypted = len(passphrase) > 0
	return info, nil
}

// writePublic writes the line ssh-keygen writes to a .pub file.
func writePublic(file string, k identity.PublicKey, comment string) error {
	line := strings.TrimSpace(k.AuthorizedKey()+" "+comment) + "\n"
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}
