package main

import (
	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newMemberQuota(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "quota OPERATOR",
		Short: "Bound how much each node of an operator may ever write",
		Long: `Quota bounds the running totals of each node of an operator: the bytes of its
operations and the number of its writes, since it joined. A node that reaches
its quota refuses its clients with NOSPACE and warns from 80% on; a new quota
replaces the one before. 0 is no bound.`,
		Example: `  causeway member quota team-a --bytes 10000000000
  causeway member quota team-a --bytes 0 --writes 0`,
		Args: exactly(1, "the operator's name or ID"),
	}
	ch := newChange(c, std)
	bytes := c.Flags().Uint64("bytes", 0, "most bytes of operations; 0 for no bound")
	writes := c.Flags().Uint64("writes", 0, "most writes; 0 for no bound")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		o, err := s.operator(args[0])
		if err != nil {
			return err
		}
		as, err := s.speaker(ch.as, s.above(o))
		if err != nil {
			return err
		}
		d := draft{content: identity.Quota{Subject: o.ID, Bytes: *bytes, Writes: *writes}}
		for _, q := range s.roster.Quotas {
			if q.InForce && q.Subject == o.ID && sameSpeaker(q.As, as) {
				d.supersedes = append(d.supersedes, q.ID)
			}
		}
		d.supersedes = sortedIDs(d.supersedes)
		done, err := ch.make(cmd, s, as, d)
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}
