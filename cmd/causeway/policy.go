package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newPolicy(std stdio) *cobra.Command {
	c := group("policy", "Show and set how keys are kept",
		`Policy shows and sets how the keys that a pattern matches are kept: merge (the
default) or lww for replicated ones, local for keys that never leave their
node, owned for keys that only the nodes of one operator write. Among the rules
whose pattern matches a key the greatest priority holds.`)
	c.AddCommand(newPolicyList(std), newPolicySet(std), newPolicyUnset(std), newPolicyExplain(std), newPolicyProfile(std))
	return c
}

// policyRow is a rule with the statement it is of.
type policyRow struct {
	admin.Rule
	OwnerName string                `json:"owner_name,omitempty"`
	Statement identity.StatementID  `json:"statement"`
	As        *identity.StatementID `json:"as"`
	AsName    string                `json:"as_name"`
}

func newPolicyList(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the rules in force",
		Long: `List shows the rules of all policies in force. "causeway policy explain KEY" says
which of them holds for a key.`,
		Example: `  causeway policy list
  causeway policy list -o json | jq -r '.[] | select(.mode == "local").pattern'`,
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
		rows := policyRows(roster)
		return out.write(std.out, rows, func(w io.Writer) {
			fmt.Fprintln(w, "PATTERN\tPRIORITY\tMODE\tOWNER\tFORM\tSET BY\tSTATEMENT")
			for _, r := range rows {
				fmt.Fprintf(w, "%q\t%d\t%s\t%s\t%s\t%s\t%s\n", string(r.Pattern), r.Priority, r.Mode,
					orDash(printable(r.OwnerName)), orDash(formText(r.Form)), printable(r.AsName), r.Statement)
			}
		})
	}
	return c
}

// policyRows returns the rules in force, in the order of their statements.
func policyRows(roster admin.Roster) []policyRow {
	s := site{roster: roster}
	rows := []policyRow{}
	for _, p := range roster.Policies {
		if !p.InForce {
			continue
		}
		for _, r := range p.Rules {
			row := policyRow{Rule: r, Statement: p.ID, As: p.As, AsName: s.speakerName(p.As)}
			if r.Owner != nil {
				row.OwnerName = s.speakerName(r.Owner)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// speakerName returns the name of an operator, or the root's for nil.
func (s *site) speakerName(id *identity.StatementID) string {
	if id == nil {
		return asRoot
	}
	if o := s.byID(*id); o != nil {
		return o.Name
	}
	return id.String()
}

func formText(f *admin.Form) string {
	if f == nil {
		return ""
	}
	return f.Kind + " " + strings.Join(f.APIVersions, ",")
}

func newPolicySet(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "set PATTERN MODE",
		Short: "Set how the keys under a pattern are kept",
		Long: `Set makes a rule for the keys that a pattern matches, in place of the one that the
same operator set before for this pattern and priority. MODE is merge, lww,
local or owned.

What this node has delivered stays as it is judged by the rules before; with
--keep, only what those operations have in their past. A key that becomes local,
or stops being so, shows another value at once: watchers see a PUT or a DELETE,
and nothing is copied.

With --form, a value under the pattern must be a Kubernetes object of that kind
and of one of those versions, named as its key says; what another node writes
that is not has no effect.`,
		Example: `  causeway policy set '/registry/events/**' local --dry-run
  causeway policy set '/registry/*/team-a/**' owned --owner team-a --priority 10
  causeway policy set '/registry/configmaps/**' merge --form ConfigMap,v1`,
		Args: exactly(2, "the pattern or the mode"),
	}
	ch := newChange(c, std)
	priority := c.Flags().Uint64("priority", 1, "the rule of the greatest priority holds; the default rule for all keys has 0")
	owner := c.Flags().String("owner", "", "of mode owned: the operator whose nodes write these keys")
	form := c.Flags().String("form", "", "demand Kubernetes objects: KIND,APIVERSION[,APIVERSION…]")
	k := newKeepFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		rule, err := parseRule(args[0], args[1], *priority, *form)
		if err != nil {
			return usageError{err}
		}
		if (rule.Mode == identity.ModeOwned) != (*owner != "") {
			return usageError{errors.New("mode owned needs --owner, and no other mode has one")}
		}
		if k.before != "" {
			return usageError{errors.New("--before is for restrictions of one operator; name operations with --keep")}
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		if *owner != "" {
			o, err := s.operator(*owner)
			if err != nil {
				return err
			}
			rule.Owner = &o.ID
		}
		as, err := s.speaker(ch.as, isAdmin)
		if err != nil {
			return err
		}
		keep, err := k.heads(cmd, s, identity.StatementID{}, nil)
		if err != nil {
			return err
		}
		d := draft{
			content:    identity.Policy{Rules: []identity.PolicyRule{rule}, Keep: keep},
			supersedes: s.policiesFor(rule, as),
		}
		done, err := ch.make(cmd, s, as, d)
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}

func parseRule(pattern, mode string, priority uint64, form string) (identity.PolicyRule, error) {
	p, err := identity.ParsePattern([]byte(pattern))
	if err != nil {
		return identity.PolicyRule{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	rule := identity.PolicyRule{Pattern: p, Priority: priority}
	if err := rule.Mode.UnmarshalText([]byte(mode)); err != nil {
		return identity.PolicyRule{}, fmt.Errorf("mode %q is not merge, lww, local or owned", mode)
	}
	if form != "" {
		parts := strings.Split(form, ",")
		if len(parts) < 2 {
			return identity.PolicyRule{}, fmt.Errorf("--form %q names no version: KIND,APIVERSION", form)
		}
		rule.Form = &identity.Form{Kind: parts[0], Versions: parts[1:]}
	}
	return rule, nil
}

// policiesFor returns the policies in force of that speaker with one rule, for
// the same pattern and priority.
func (s *site) policiesFor(rule identity.PolicyRule, as *identity.StatementID) []identity.StatementID {
	var ids []identity.StatementID
	for _, p := range s.roster.Policies {
		if p.InForce && sameSpeaker(p.As, as) && len(p.Rules) == 1 &&
			p.Rules[0].Pattern == rule.Pattern && p.Rules[0].Priority == rule.Priority {
			ids = append(ids, p.ID)
		}
	}
	return sortedIDs(ids)
}

func newPolicyUnset(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "unset STATEMENT",
		Short: "End a policy",
		Long: `Unset ends all the rules that one statement set. The rules before them, of lesser
priority, hold again, also for what was written meanwhile.`,
		Example: `  causeway policy unset stmt:5f0c… --dry-run`,
		Args:    exactly(1, "the statement's ID"),
	}
	ch := newChange(c, std)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		var ends []identity.StatementID
		for _, p := range s.roster.Policies {
			if p.InForce && names(args[0], p.ID) {
				ends = append(ends, p.ID)
			}
		}
		if len(ends) != 1 {
			return fmt.Errorf("no one policy in force has the ID %q: causeway policy list shows them", args[0])
		}
		as, err := s.speaker(ch.as, isAdmin)
		if err != nil {
			return err
		}
		done, err := ch.make(cmd, s, as, draft{content: identity.Readmit{}, supersedes: ends})
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}

func newPolicyExplain(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Say how a key is kept, and why",
		Long: `Explain says which rule holds for a key, who set it, whether this node may write
the key, and which other rules match and go behind.`,
		Example: `  causeway policy explain /registry/events/default/web.1`,
		Args:    exactly(1, "the key"),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		e, err := admin.NewClient(*dir).Explain(cmd.Context(), []byte(args[0]))
		if err != nil {
			return err
		}
		return out.write(std.out, e, func(w io.Writer) { writeExplanation(w, e) })
	}
	return c
}

func writeExplanation(w io.Writer, e admin.Explanation) {
	fmt.Fprintf(w, "key\t%q\n", string(e.Key))
	fmt.Fprintf(w, "mode\t%s\n", e.Mode)
	if e.Owner != "" {
		fmt.Fprintf(w, "owner\t%s\n", printable(e.Owner))
	}
	if e.Rule == nil {
		fmt.Fprintf(w, "rule\tnone matches\n")
	} else {
		by := e.AsName
		if e.As == nil {
			by = asRoot
		}
		fmt.Fprintf(w, "rule\t%q, priority %d, set by %s\n", string(e.Rule.Pattern), e.Rule.Priority, printable(by))
		if e.Rule.Form != nil {
			fmt.Fprintf(w, "form\t%s\n", printable(formText(e.Rule.Form)))
		}
		if e.Statement != nil {
			fmt.Fprintf(w, "statement\t%s\n", e.Statement)
		}
	}
	fmt.Fprintf(w, "this node may write it\t%s\n", yesNo(e.MayWrite))
	if e.Reason != "" {
		fmt.Fprintf(w, "\t%s\n", oneLine(errors.New(e.Reason)))
	}
	for i, o := range e.Others {
		fmt.Fprintf(w, "%s\t%q %s, priority %d (%s)\n", []string{"goes before", ""}[min(i, 1)], string(o.Pattern), o.Mode, o.Priority, o.Why)
	}
}
