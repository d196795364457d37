package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newMemberExpire(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "expire",
		Short: "Revoke every operator whose time is over",
		Long: `Expire revokes the operators whose grants have run out, keeping all that this
node has of them. Nobody's clock decides that: a grant's end is a reminder, and
this command is how somebody acts on it. Run it from cron with --yes.`,
		Example: `  causeway member expire --dry-run
  causeway member expire --yes --operator-key SHA256:…`,
		Args: exactly(0, ""),
	}
	ch := newChange(c, std)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		var drafts []draft
		var as *identity.StatementID
		left := 0 // whose time is over and who stay
		now := time.Now()
		k := &keepFlags{}
		for i := range s.roster.Operators {
			o := &s.roster.Operators[i]
			if o.Expires == nil || now.Before(*o.Expires) || o.Revoked != nil {
				continue
			}
			by, err := s.speaker(ch.as, s.above(o))
			if err != nil {
				fmt.Fprintf(std.err, "%s expired %s, but: %s\n", printable(o.Name), o.Expires.Format(time.DateTime), oneLine(err))
				left++
				continue
			}
			if len(drafts) > 0 && !sameSpeaker(as, by) {
				fmt.Fprintf(std.err, "%s expired too; run the command again for it\n", printable(o.Name))
				continue
			}
			keep, err := k.heads(cmd, s, o.ID, nil)
			if err != nil {
				return err
			}
			as = by
			drafts = append(drafts, draft{content: identity.Revoke{Subject: o.ID, Keep: keep}})
		}
		if len(drafts) == 0 {
			if left > 0 {
				return fmt.Errorf("%d operators whose time is over stay", left)
			}
			fmt.Fprintln(std.err, "No operator's time is over.")
			return nil
		}
		done, err := ch.make(cmd, s, as, drafts...)
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}
