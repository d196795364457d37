package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/sshagent"
)

func newKeyShow(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "show <file>",
		Short: "Show the public half of a key file",
		Long: `Show prints the public half of a private key file, or of a .pub file. It needs
no passphrase.`,
		Example: `  causeway key show ~/.ssh/causeway-operator
  causeway key show -o json ./op-key | jq -r .fingerprint`,
		Args: exactly(1, "the file"),
	}
	out := outputFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		info, err := readEither(args[0])
		if err != nil {
			return err
		}
		return out.write(std.out, info, info.write)
	}
	return c
}

// readEither returns the public half in a private key file or a .pub file.
func readEither(file string) (keyInfo, error) {
	if !strings.HasSuffix(file, ".pub") {
		return readPublic(file)
	}
	pub, comment, err := readPublicFile(file)
	if err != nil {
		return keyInfo{}, err
	}
	return newKeyInfo(keyPublic, file, pub, comment), nil
}

// exportFormats are what `key export` writes: one line each, of a key and its comment.
var exportFormats = map[string]func(keyInfo) string{
	"ssh":         func(k keyInfo) string { return strings.TrimSpace(k.AuthorizedKey + " " + printable(k.Comment)) },
	"key":         func(k keyInfo) string { return k.PublicKey.String() },
	"fingerprint": func(k keyInfo) string { return k.Fingerprint },
	"allowed-signers": func(k keyInfo) string {
		return fmt.Sprintf("* namespaces=%q %s", identity.SSHNamespace, k.AuthorizedKey)
	},
}

func newKeyExport(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "export <file>",
		Short: "Print the public half of a key in one line",
		Long: `Export prints the public half of a private key file, or of a .pub file, for other
programs and other people:

  ssh              the line of a .pub or authorized_keys file
  key              the text form in statements, "ed25519:…"
  fingerprint      "SHA256:…", as ssh-keygen -l shows it
  allowed-signers  the line with which ssh-keygen -Y verify checks its statements

It never prints a private key: that is in the file, which can be copied, and
given another passphrase with passwd.`,
		Example: `  causeway key export ./op-key >op-key.pub
  causeway key export --format fingerprint a/node.key`,
		Args: exactly(1, "the file"),
	}
	out := outputFlag(c)
	format := c.Flags().String("format", "ssh", "what to print: ssh, key, fingerprint or allowed-signers")
	c.RunE = func(_ *cobra.Command, args []string) error {
		line, ok := exportFormats[*format]
		if !ok {
			return usageError{fmt.Errorf("--format %q is not ssh, key, fingerprint or allowed-signers", *format)}
		}
		info, err := readEither(args[0])
		if err != nil {
			return err
		}
		return out.write(std.out, struct {
			Format string `json:"format"`
			Text   string `json:"text"`
		}{*format, line(info)}, func(w io.Writer) { fmt.Fprintln(w, line(info)) })
	}
	return c
}

func newKeyList(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys in the data directory, or in ssh-agent",
		Long: `List shows the public half of every key file in the data directory; with --agent,
of every Ed25519 key that ssh-agent holds.`,
		Example: `  causeway key list --data-dir a
  causeway key list --agent -o json | jq -r '.[].fingerprint'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	inAgent := c.Flags().Bool("agent", false, "list the keys of ssh-agent")
	c.MarkFlagsMutuallyExclusive("agent", "data-dir")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		list := func() ([]keyInfo, error) { return listAgent(cmd.Context()) }
		if !*inAgent {
			list = func() ([]keyInfo, error) { return listKeys(*dir) }
		}
		keys, err := list()
		if err != nil {
			return err
		}
		return out.write(std.out, keys, func(w io.Writer) {
			fmt.Fprintln(w, "FILE\tPUBLIC KEY\tFINGERPRINT\tENCRYPTED\tCOMMENT")
			for _, k := range keys {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", orDash(k.File), k.PublicKey, k.Fingerprint, yesNo(k.Encrypted), orDash(printable(k.Comment)))
			}
		})
	}
	return c
}

// listAgent returns the keys that ssh-agent holds.
func listAgent(ctx context.Context) ([]keyInfo, error) {
	agent, err := sshagent.Find()
	if err != nil {
		return nil, err
	}
	held, err := agent.Keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := []keyInfo{}
	for _, k := range held {
		keys = append(keys, newKeyInfo(keyAgent, "", k.Public, k.Comment))
	}
	return keys, nil
}

// listKeys returns the private keys among the files directly in dir, by name.
func listKeys(dir string) ([]keyInfo, error) {
	if err := checkDataDir(dir); err != nil {
		return nil, err
	}
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
