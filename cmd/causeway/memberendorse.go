package main

import (
	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newMemberEndorse(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "endorse STATEMENT",
		Short: "Back another founder's statement with one's own vote",
		Long: `Endorse adds a founder's vote to a statement that another founder made as the
root. In a mesh whose threshold is above 1, a statement of the root stands once
that many founders back it.`,
		Example: `  causeway member endorse stmt:5f0c… --operator-key founder-2.pub --dry-run`,
		Args:    exactly(1, "the statement's ID"),
	}
	ch := newChange(c, std)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := identity.ParseStatementID(args[0])
		if err != nil {
			return usageError{err}
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		if _, err := s.speaker(asRoot, nil); err != nil {
			return err
		}
		done, err := ch.make(cmd, s, nil, draft{content: identity.Endorse{Statement: id}})
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}
