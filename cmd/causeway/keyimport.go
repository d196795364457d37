package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

// maxImport bounds what is read as a private key from standard input, in bytes.
const maxImport = 64 << 10

func newKeyImport(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "import <source> <file>",
		Short: "Make a key file of a key made elsewhere",
		Long: `Import writes the Ed25519 key in source to a new key file, under a new
passphrase, and its public half to the same name with .pub. Source is a private
key file that only its owner may read, or "-" for standard input: in OpenSSH's
format, or in PKCS#8's, not encrypted. With --passphrase-fd or
--passphrase-credential the first line is the source's passphrase, if it has
one, and the next line the new one.`,
		Example: `  causeway key import ~/.ssh/id_ed25519 ./op-key
  openssl genpkey -algorithm ed25519 | causeway key import - ./op-key`,
		Args: exactly(2, "the source or the file"),
	}
	out := outputFlag(c)
	file := newKeyFileFlags(c, std)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		source, name := args[0], args[1]
		if source == "-" && file.secret.fd == 0 {
			return usageError{errors.New("--passphrase-fd 0 needs a source file: standard input cannot hold both")}
		}
		if err := file.check(name); err != nil {
			return err
		}
		k, err := readForeignKey(cmd.Context(), std, file.secret, source)
		if err != nil {
			return err
		}
		info, err := file.write(cmd.Context(), name, k, cmp.Or(readComment(source), defaultComment))
		if err != nil {
			return err
		}
		return out.write(std.out, info, info.write)
	}
	return c
}

// readForeignKey reads a private key in any format that is understood.
func readForeignKey(ctx context.Context, std stdio, secret *passphrases, source string) (*identity.PrivateKey, error) {
	passphrase := func() ([]byte, error) {
		return secret.read(ctx, fmt.Sprintf("Passphrase for %s: ", source))
	}
	if source != "-" {
		return identity.ImportKeyFile(source, passphrase)
	}
	text, err := io.ReadAll(io.LimitReader(std.in, maxImport+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	k, err := identity.ImportKey(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return k, nil
}
