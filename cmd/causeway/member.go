package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newMember(std stdio) *cobra.Command {
	c := group("member", "Show and change who belongs to the mesh",
		`Member shows the operators of the mesh, their grants and nodes, and changes them.
Every command that changes something signs a statement with the operator's key,
shows what that would do and asks before it does it; --dry-run only shows it.
Statements are carried by operations and count at every node.`)
	c.AddCommand(
		newMemberList(std), newMemberAdd(std), newMemberRequest(std), newMemberEnrol(std),
		newMemberNarrow(std), newMemberRevoke(std), newMemberReadmit(std), newMemberExpire(std),
		newMemberQuota(std), newMemberEndorse(std),
	)
	return c
}

func newMemberList(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the operators of the mesh, their nodes and what restricts them",
		Long: `List shows every operator admitted to the mesh, whoever was thrown out included:
role, nodes, patterns of keys, and state; below each its nodes with their keys,
and at the end the revocations and narrowings in force. With -o json it has
everything that the roster holds.`,
		Example: `  causeway member list
  causeway member list -o json | jq -r '.operators[].name'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		roster, err := admin.NewClient(*dir).Roster(cmd.Context())
		if err != nil {
			return err
		}
		return out.write(std.out, roster, func(w io.Writer) { writeRoster(w, roster, time.Now()) })
	}
	return c
}

// writeRoster writes r for people.
func writeRoster(w io.Writer, r admin.Roster, now time.Time) {
	s := site{roster: r}
	fmt.Fprintln(w, "NAME\tROLE\tNODES\tPATTERNS\tADMITTED BY\tSTATE\tID")
	for i := range r.Operators {
		o := &r.Operators[i]
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\n", printable(o.Name), o.Role, len(o.Nodes), o.Slots,
			orDash(patternText(o.Patterns)), printable(s.speakerName(o.Sponsor)), operatorState(o, now), o.ID)
		for _, e := range o.Nodes {
			for _, k := range e.Keys {
				fmt.Fprintf(w, "  slot %d\tkey %d of %d\t\t%s\t%s\t%s\t%s\n", e.Slot, k.Index, e.Rotations, k.Key, k.Key.Fingerprint(), keyState(k), e.ID)
			}
		}
	}
	for _, x := range r.Restrictions {
		if x.InForce {
			fmt.Fprintf(w, "%s\t\t\t%s\tby %s\tin force\t%s\n", x.Kind, printable(s.subjectName(x)), printable(s.speakerName(x.As)), x.ID)
		}
	}
}

func patternText(patterns []identity.Pattern) string {
	quoted := make([]string, len(patterns))
	for i, p := range patterns {
		quoted[i] = strconv.Quote(string(p))
	}
	return strings.Join(quoted, " ")
}

func operatorState(o *admin.Operator, now time.Time) string {
	switch {
	case o.Revoked != nil:
		return "revoked"
	case o.Expires != nil && now.After(*o.Expires):
		return "expired " + o.Expires.Format(time.DateOnly)
	case len(o.Restrictions) > 0:
		return "narrowed"
	case o.Expires != nil:
		return "until " + o.Expires.Format(time.DateOnly)
	}
	return "-"
}

func keyState(k admin.NodeKey) string {
	switch {
	case k.Revoked != nil && k.Forked:
		return "revoked, forked"
	case k.Revoked != nil:
		return "revoked"
	case k.Forked:
		return "forked"
	}
	return "-"
}

// subjectName says for people whom a restriction restricts.
func (s *site) subjectName(x admin.Restriction) string {
	if x.Key != nil {
		return x.Key.String()
	}
	if x.Subject == (identity.StatementID{}) { // a readmission: of what it ends
		ended := make([]string, len(x.Supersedes))
		for i, id := range x.Supersedes {
			ended[i] = id.String()
		}
		return strings.Join(ended, " ")
	}
	if o := s.byID(x.Subject); o != nil {
		return o.Name
	}
	for _, o := range s.roster.Operators {
		for _, e := range o.Nodes {
			if e.ID == x.Subject {
				return fmt.Sprintf("node %d of %s", e.Slot, o.Name)
			}
		}
	}
	return x.Subject.String()
}
