package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newMemberAdd(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Admit an operator by its public keys",
		Long: `Add admits an operator whose public keys are known, with a role, key patterns
and a number of nodes. Unlike an invite it needs no secret: the operator then
enrols its nodes with its own key ("causeway member enrol").

A pattern is a key; "*" stands for one segment between slashes, "**" at the end
for all the rest. To admit within a grant of your own you need to be an admin.`,
		Example: `  causeway member add team-a --key team-a.pub --pattern '/registry/*/team-a/**' --nodes 3
  causeway member add auditor --key ed25519:… --role reader --expires 720h --dry-run`,
		Args: exactly(1, "the operator's name"),
	}
	ch := newChange(c, std)
	var g grantFlags
	keys := c.Flags().StringArray("key", nil, "public key of the operator: a .pub file or the key's text; may be repeated")
	c.Flags().StringVar(&g.role, "role", "writer", "what it may do: reader, writer or admin")
	c.Flags().StringArrayVar(&g.patterns, "pattern", nil, "keys that its nodes may write; may be repeated (default '**', all)")
	c.Flags().Uint64Var(&g.nodes, "nodes", 1, "how many nodes it may enrol")
	expires := c.Flags().Duration("expires", 0, `after which time "causeway member expire" revokes it; 0 for never`)
	_ = c.MarkFlagRequired("key")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		role, patterns, err := g.grant()
		if err != nil {
			return err
		}
		if *expires < 0 {
			return usageError{fmt.Errorf("--expires %s has passed", *expires)}
		}
		pubs, err := publicKeys(*keys)
		if err != nil {
			return usageError{fmt.Errorf("--key: %w", err)}
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		as, err := s.speaker(ch.as, isAdmin)
		if err != nil {
			return err
		}
		grant := identity.Grant{Role: role, Patterns: patterns, Nodes: g.nodes}
		if *expires > 0 {
			grant.Expires = uint64(time.Now().Add(*expires).UnixMilli())
		}
		done, err := ch.make(cmd, s, as, draft{content: identity.Admit{Name: args[0], Keys: pubs, Grant: grant}})
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}
