package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/causeway-sync/causeway/identity"
)

func newKey(std stdio) *cobra.Command {
	c := group("key", "Make and look after keys",
		`Key makes and shows keys. They are Ed25519 keys in OpenSSH's format: ssh-keygen
reads and writes the same files. A passphrase is asked for at the terminal or
read from --passphrase-fd, never taken from the command line.`)
	c.AddCommand(newKeyNew(std), newKeyList(std), newKeyShow(std), newKeyPasswd(std))
	return c
}

// keyInfo is what the commands print of a key: its public half.
type keyInfo struct {
	File          string             `json:"file"`
	PublicKey     identity.PublicKey `json:"public_key"`
	Fingerprint   string             `json:"fingerprint"`
	AuthorizedKey string             `json:"authorized_key"`
	Encrypted     bool               `json:"encrypted"`
}

func newKeyInfo(file string, k identity.PublicKey, encrypted bool) keyInfo {
	return keyInfo{File: file, PublicKey: k, Fingerprint: k.Fingerprint(), AuthorizedKey: k.AuthorizedKey(), Encrypted: encrypted}
}

func (k keyInfo) write(w io.Writer) {
	fmt.Fprintf(w, "file\t%s\n", k.File)
	fmt.Fprintf(w, "public key\t%s\n", k.PublicKey)
	fmt.Fprintf(w, "fingerprint\t%s\n", k.Fingerprint)
	fmt.Fprintf(w, "ssh\t%s\n", k.AuthorizedKey)
	fmt.Fprintf(w, "encrypted\t%s\n", yesNo(k.Encrypted))
}

func newKeyNew(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "new <file>",
		Short: "Make a new key file",
		Long: `New writes a new Ed25519 key to a file that must not exist yet, as ssh-keygen -t
ed25519 does, and its public half to the same name with .pub.`,
		Example: `  causeway key new ~/.ssh/causeway-operator
  causeway key new --no-passphrase ./node-key
  causeway key new --passphrase-fd 3 ./op-key 3</run/secrets/op-key`,
		Args: exactly(1, "the file"),
	}
	out, secret := outputFlag(c), passphraseFlag(c, std)
	comment := c.Flags().String("comment", "causeway", "comment to store beside the key")
	plain := c.Flags().Bool("no-passphrase", false, "do not encrypt the file")
	c.MarkFlagsMutuallyExclusive("no-passphrase", "passphrase-fd")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file := args[0]
		if strings.ContainsAny(*comment, "\r\n") {
			return usageError{errors.New("--comment holds a line end")}
		}
		for _, f := range []string{file, file + ".pub"} {
			if _, err := os.Lstat(f); err == nil {
				return fmt.Errorf("%s exists already", f)
			}
		}
		var passphrase []byte
		var err error
		if !*plain {
			if passphrase, err = secret.fresh(cmd.Context(), file); err != nil {
				return err
			}
		}
		k, err := identity.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		if err := identity.WriteKeyFile(file, k, *comment, passphrase); err != nil {
			return err
		}
		if err := writePublic(file+".pub", k.Public(), *comment); err != nil {
			return err
		}
		info := newKeyInfo(file, k.Public(), len(passphrase) > 0)
		return out.write(std.out, info, info.write)
	}
	return c
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

func newKeyShow(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "show <file>",
		Short: "Show the public half of a key file",
		Long:  "Show prints the public half of a key file. It needs no passphrase.",
		Example: `  causeway key show ~/.ssh/causeway-operator
  causeway key show -o json ./op-key | jq -r .fingerprint`,
		Args: exactly(1, "the file"),
	}
	out := outputFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		info, err := readPublic(args[0])
		if err != nil {
			return err
		}
		return out.write(std.out, info, info.write)
	}
	return c
}

// readPublic returns the public half of a private key file. OpenSSH's format
// holds it outside what the passphrase encrypts.
func readPublic(file string) (keyInfo, error) {
	k, err := identity.ReadKeyFile(file, nil)
	if err == nil {
		return newKeyInfo(file, k.Public(), false), nil
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
	return newKeyInfo(file, pub, true), nil
}

func newKeyList(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the keys in the data directory",
		Long:    "List shows the public half of every key file in the data directory.",
		Example: "  causeway key list --data-dir a",
		Args:    exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		keys, err := listKeys(*dir)
		if err != nil {
			return err
		}
		return out.write(std.out, keys, func(w io.Writer) {
			fmt.Fprintln(w, "FILE\tPUBLIC KEY\tFINGERPRINT\tENCRYPTED")
			for _, k := range keys {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.File, k.PublicKey, k.Fingerprint, yesNo(k.Encrypted))
			}
		})
	}
	return c
}

// listKeys returns the private keys among the files directly in dir, by name.
func listKeys(dir string) ([]keyInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	keys := []keyInfo{}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || !isKeyFile(file) {
			continue
		}
		info, err := readPublic(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, info)
	}
	return keys, nil
}

// isKeyFile reports whether file begins as an OpenSSH private key does.
func isKeyFile(file string) bool {
	const begin = "-----BEGIN OPENSSH PRIVATE KEY-----"
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(begin))
	_, err = io.ReadFull(f, b)
	return err == nil && string(b) == begin
}

func newKeyPasswd(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd <file>",
		Short: "Change the passphrase of a key file",
		Long: `Passwd encrypts a key file anew with another passphrase; an empty one leaves it
unencrypted. The file is replaced in one step. With --passphrase-fd the first
line is the old passphrase, if there is one, and the next line the new one.`,
		Example: `  causeway key passwd ~/.ssh/causeway-operator`,
		Args:    exactly(1, "the file"),
	}
	secret := passphraseFlag(c, std)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file := args[0]
		k, err := identity.ReadKeyFile(file, func() ([]byte, error) {
			return secret.read(cmd.Context(), fmt.Sprintf("Passphrase for %s: ", file))
		})
		if err != nil {
			return err
		}
		passphrase, err := secret.fresh(cmd.Context(), file)
		if err != nil {
			return err
		}
		if err := replaceKeyFile(cmd.Context(), file, k, publicComment(file), passphrase); err != nil {
			return err
		}
		fmt.Fprintf(std.err, "The passphrase of %s is changed.\n", file)
		return nil
	}
	return c
}

// publicComment returns the comment in file's .pub: the one in the file itself
// is not to be had from the parser.
func publicComment(file string) string {
	line, err := os.ReadFile(file + ".pub")
	if err != nil {
		return "causeway"
	}
	_, comment, err := identity.ParseAuthorizedKey(string(line))
	if err != nil {
		return "causeway"
	}
	return comment
}

// replaceKeyFile writes k beside file and renames it into place, so that at
// every moment file holds a whole key.
func replaceKeyFile(ctx context.Context, file string, k *identity.PrivateKey, comment string, passphrase []byte) error {
	if err := ctx.Err(); err != nil {
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
