package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newKeyRotate(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give the running node another key",
		Long: `Rotate makes the running node replace its own key: a last operation of the old
key names the new one, the node opens again with that, and its watchers start
over. It needs no operator's key, but its enrolment allows only a few.

The old key can still write until it is ended: if it may be in other hands, the
operator or a sponsor revokes it with "causeway key revoke".`,
		Example: `  causeway key rotate
  causeway key revoke ed25519:… --before 2h --dry-run`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		key, err := admin.NewClient(*dir).Rotate(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintln(std.err, `The old key can still write: end it with "causeway key revoke" if it may be in other hands.`)
		return out.write(std.out, struct {
			Node identity.PublicKey `json:"node"`
		}{key}, func(w io.Writer) { fmt.Fprintf(w, "node\t%s\n", key) })
	}
	return c
}

func newKeyRevoke(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke KEY",
		Short: "End one key of a node; its others go on",
		Long: `Revoke ends a key that a node has or had. What it wrote up to the keep heads
stands; what it wrote beside or after them has no effect anywhere. It is
"causeway member revoke --key".`,
		Example: `  causeway key revoke ed25519:… --dry-run
  causeway key revoke SHA256:… --before 2026-01-31T03:00:00Z`,
		Args: exactly(1, "the key"),
	}
	ch := newChange(c, std)
	k := newKeepFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		r, as, err := s.revokeNode(ch.as, args[0], true)
		if err != nil {
			return err
		}
		if r.Keep, err = k.heads(cmd, s, r.Subject, r.Key); err != nil {
			return err
		}
		done, err := ch.make(cmd, s, as, draft{content: r})
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}
