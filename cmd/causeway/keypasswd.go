package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newKeyPasswd(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd <file>",
		Short: "Change the passphrase of a key file",
		Long: `Passwd encrypts a key file anew with another passphrase; an empty one leaves it
unencrypted. The file is replaced in one step. With --passphrase-fd or
--passphrase-credential the first line is the old passphrase, if there is one,
and the next line the new one.`,
		Example: `  causeway key passwd ~/.ssh/causeway-operator`,
		Args:    exactly(1, "the file"),
	}
	secret, out := passphraseFlag(c, std), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file := args[0]
		k, err := readKey(cmd.Context(), secret, file)
		if err != nil {
			return err
		}
		passphrase, err := secret.fresh(cmd.Context(), file)
		if err != nil {
			return err
		}
		if err := replaceKeyFile(cmd.Context(), file, k, cmp.Or(readComment(file), defaultComment), passphrase); err != nil {
			return err
		}
		fmt.Fprintf(std.err, "The passphrase of %s is changed.\n", file)
		info, err := readPublic(file)
		if err != nil {
			return err
		}
		return out.write(std.out, info, func(io.Writer) {}) // nothing that can be seen has changed
	}
	return c
}

// replaceKeyFile writes k beside file and renames it into place, so that at
// every moment file holds a whole key.
func replaceKeyFile(ctx context.Context, file string, k *identity.PrivateKey, comment string, passphrase []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Behind a link the file itself is replaced: else it would keep the old passphrase.
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	next := file + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := identity.WriteKeyFile(next, k, comment, passphrase); err != nil {
		return err
	}
	if err := os.Rename(next, file); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
