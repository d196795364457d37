package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// invitation is what invite prints.
type invitation struct {
	Ticket  string    `json:"ticket"` // a secret
	Expires time.Time `json:"expires"`
}

func newInvite(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "invite",
		Short: "Print a ticket that lets its bearer join the mesh once",
		Long: `Invite signs an invitation with the operator's key and prints a ticket. Whoever
holds the ticket can join the mesh, once, as an operator with the role, key
patterns and number of nodes given here: it is a secret. It is redeemed at this
node, which must be running then, at an address that the joiner can reach.

A pattern is a key; "*" stands for one segment between slashes, "**" at the end
for all the rest.`,
		Example: `  causeway invite --data-dir a | causeway join --data-dir b
  causeway invite --pattern '/registry/*/team-a/**' --nodes 3 --expires 2h >ticket`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "")
	var req admin.InviteRequest
	role := c.Flags().String("role", "writer", "what the operator may do: reader, writer or admin")
	c.Flags().StringArrayVar(&req.Patterns, "pattern", nil, "keys that its nodes may write; may be repeated (default '**', all)")
	c.Flags().Uint64Var(&req.Nodes, "nodes", 1, fmt.Sprintf("how many nodes it may enrol, at most %d", admin.MaxInviteNodes))
	c.Flags().DurationVar(&req.Lifetime, "expires", admin.DefaultInviteLifetime, "how long the ticket can be redeemed, at most "+admin.MaxInviteLifetime.String())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := req.Role.UnmarshalText([]byte(*role)); err != nil {
			return usageError{fmt.Errorf("--role %q is not reader, writer or admin", *role)}
		}
		if req.Nodes == 0 || req.Lifetime <= 0 {
			return usageError{errors.New("--nodes and --expires must be greater than 0")}
		}
		full, err := req.Complete()
		if err != nil {
			return usageError{err}
		}
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		inv, err := invite(cmd, *dir, operator, full)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "The ticket is a secret. It lets its bearer join once, until %s.\n", inv.Expires.Local().Format(time.DateTime))
		return out.write(std.out, inv, func(w io.Writer) { fmt.Fprintln(w, inv.Ticket) })
	}
	return c
}

// invite asks the node of dir what an invitation must name, and signs it here:
// the operator's key is no business of the node's.
func invite(cmd *cobra.Command, dir string, operator *operatorFlags, req admin.InviteRequest) (invitation, error) {
	client := admin.NewClient(dir)
	if _, err := client.Status(cmd.Context()); err != nil { // before a passphrase is asked for
		return invitation{}, err
	}
	signer, err := operatorSigner(cmd.Context(), operator, dir)
	if err != nil {
		return invitation{}, err
	}
	site, err := client.InviteSite(cmd.Context(), signer.Public())
	if err != nil {
		return invitation{}, err
	}
	ticket, expires, err := node.Invite(site, signer, req, time.Now())
	return invitation{Ticket: ticket, Expires: expires}, err
}
