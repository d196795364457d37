package main

import (
	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newMemberNarrow(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "narrow OPERATOR",
		Short: "Take a part of an operator's grant away",
		Long: `Narrow leaves an operator, and all that it admitted, no more than the role, the
patterns and the number of nodes given here. What it wrote up to the keep heads
stands; later writes outside what is left have no effect at any node, whenever
they arrive. A narrowing of the same operator by the same operator is replaced,
so that narrowing again can also give back, up to what was granted.`,
		Example: `  causeway member narrow team-a --pattern '/registry/*/team-a/**' --dry-run
  causeway member narrow team-a --role reader`,
		Args: exactly(1, "the operator's name or ID"),
	}
	ch := newChange(c, std)
	var g grantFlags
	c.Flags().StringVar(&g.role, "role", "", "what it may still do: reader, writer or admin (default: as granted)")
	c.Flags().StringArrayVar(&g.patterns, "pattern", nil, "keys that its nodes may still write; may be repeated (default '**', as granted)")
	c.Flags().Uint64Var(&g.nodes, "nodes", 0, "how many nodes it may still have (default: as granted)")
	k := newKeepFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		o, err := s.operator(args[0])
		if err != nil {
			return err
		}
		if g.role == "" {
			g.role = o.Role.String()
		}
		if g.nodes == 0 {
			g.nodes = o.Slots
		}
		role, patterns, err := g.grant()
		if err != nil {
			return err
		}
		as, err := s.speaker(ch.as, s.above(o))
		if err != nil {
			return err
		}
		keep, err := k.heads(cmd, s, o.ID, nil)
		if err != nil {
			return err
		}
		d := draft{content: identity.Narrow{Operator: o.ID, Role: role, Patterns: patterns, Nodes: g.nodes, Keep: keep}}
		for _, r := range s.inForce(o.ID, as) {
			if r.Kind == identity.KindNarrow.String() {
				d.supersedes = append(d.supersedes, r.ID)
			}
		}
		done, err := ch.make(cmd, s, as, d)
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}

// inForce returns the restrictions in force of a subject that were issued as
// whom, by ID.
func (s *site) inForce(subject identity.StatementID, as *identity.StatementID) []admin.Restriction {
	var list []admin.Restriction
	for _, r := range s.roster.Restrictions {
		if r.InForce && r.Subject == subject && sameSpeaker(r.As, as) {
			list = append(list, r)
		}
	}
	return list
}

// sameSpeaker reports whether two statements were issued as the same operator.
func sameSpeaker(a, b *identity.StatementID) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
