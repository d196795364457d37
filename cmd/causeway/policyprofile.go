package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/kube/profile"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newPolicyProfile(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "profile shared|independent",
		Short: "Set the rules by which Kubernetes clusters share the mesh",
		Long: `Profile sets all the rules for the keys of a kube-apiserver at once, in place of
a profile that the same operator set before for the same root. With "shared",
all replicates that is not a site's own; with "independent", only what
--replicate lists. Values of built-in kinds must be well-formed objects where
they replicate.

Set it before the first kube-apiserver starts: a key that becomes local, or stops
being so, shows another value at once, and nothing is copied.

Rules of your own go between those of the profile, above or below, by their
--priority; --print shows the profile's and needs no node.`,
		Example: `  causeway policy profile shared --print
  causeway policy profile shared --dry-run
  causeway policy profile independent --replicate '/registry/configmaps/team-a/**' --yes`,
		ValidArgs: []string{string(profile.Shared), string(profile.Independent)},
		Args:      exactly(1, "the profile's name, shared or independent"),
	}
	ch := newChange(c, std)
	f := newProfileFlags(c)
	k := newKeepFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		name := profile.Name(args[0])
		if k.before != "" {
			return usageError{errors.New("--before is for restrictions of one operator; name operations with --keep")}
		}
		policies, err := f.policies(name, nil)
		if err != nil {
			return err
		}
		if f.print {
			return f.show(cmd.Context(), ch, name)
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		if f.admin != "" {
			if policies, err = f.policiesOf(s, name); err != nil {
				return err
			}
		}
		as, err := s.speaker(ch.as, isAdmin)
		if err != nil {
			return err
		}
		before := s.profiles(f.root, as)
		if setAlready(before, policies) {
			return ch.print(changed{Statements: []identity.StatementID{}, Preview: admin.Preview{
				Statements: []admin.StatementEffect{}, Fall: []admin.StatementName{}, Return: []admin.StatementName{},
				Operators: []admin.MemberChange{}, Nodes: []admin.MemberChange{},
			}})
		}
		keep, err := k.heads(cmd, s, identity.StatementID{}, nil)
		if err != nil {
			return err
		}
		drafts := make([]draft, len(policies))
		for i, rules := range policies {
			drafts[i].content = identity.Policy{Rules: rules, Keep: keep}
		}
		for _, p := range before {
			drafts[0].supersedes = append(drafts[0].supersedes, p.ID)
		}
		drafts[0].supersedes = sortedIDs(drafts[0].supersedes)
		f.announce(std.err, name, policies)
		done, err := ch.make(cmd, s, as, drafts...)
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}

// profileFlags say what a profile leaves open.
type profileFlags struct {
	root      string
	replicate []string
	local     []string
	admin     string
	print     bool
}

func newProfileFlags(c *cobra.Command) *profileFlags {
	f := &profileFlags{}
	c.Flags().StringVar(&f.root, "root", profile.DefaultRoot, "where the kube-apiservers keep their keys: their --etcd-prefix")
	c.Flags().StringArrayVar(&f.replicate, "replicate", nil, "of independent: a pattern of keys that replicate; may be repeated")
	c.Flags().StringArrayVar(&f.local, "local", nil, "a further pattern of keys that stay local; may be repeated")
	c.Flags().StringVar(&f.admin, "admin", "", "the operator whose nodes alone write RBAC, webhooks and the like (default: all write them with shared; they stay local with independent)")
	c.Flags().BoolVar(&f.print, "print", false, "show the rules, and do nothing")
	return f
}

// policies returns the rules of each statement.
func (f *profileFlags) policies(name profile.Name, admin *identity.StatementID) ([][]identity.PolicyRule, error) {
	o := profile.Options{Admin: admin}
	for _, list := range []struct {
		flag  string
		texts []string
		to    *[]identity.Pattern
	}{{"--replicate", f.replicate, &o.Replicate}, {"--local", f.local, &o.Local}} {
		for _, text := range list.texts {
			p, err := identity.ParsePattern([]byte(text))
			if err != nil {
				return nil, usageError{fmt.Errorf("%s %q: %w", list.flag, text, err)}
			}
			*list.to = append(*list.to, p)
		}
	}
	policies, err := profile.Policies(name, f.root, o)
	if err != nil {
		return nil, usageError{err}
	}
	if len(policies) > dag.MaxStatements {
		return nil, usageError{fmt.Errorf("these patterns need %d statements, and an operation carries %d: list fewer, without * where the kind goes", len(policies), dag.MaxStatements)}
	}
	return policies, nil
}

// policiesOf is policies with the operator of --admin.
func (f *profileFlags) policiesOf(s *site, name profile.Name) ([][]identity.PolicyRule, error) {
	o, err := s.operator(f.admin)
	if err != nil {
		return nil, err
	}
	return f.policies(name, &o.ID)
}

// show prints the rules. It asks a node only who --admin is.
func (f *profileFlags) show(ctx context.Context, ch *change, name profile.Name) error {
	policies, err := f.policies(name, nil)
	if err != nil {
		return err
	}
	if f.admin != "" {
		s := &site{}
		if s.roster, err = admin.NewClient(*ch.dir).Roster(ctx); err != nil {
			return err
		}
		if policies, err = f.policiesOf(s, name); err != nil {
			return err
		}
	}
	rules := []admin.Rule{}
	for _, p := range policies {
		for _, r := range p[1:] { // without the marker
			rules = append(rules, shownRule(r))
		}
	}
	return ch.out.write(ch.std.out, rules, func(w io.Writer) {
		fmt.Fprintln(w, "PATTERN\tPRIORITY\tMODE\tOWNER\tFORM")
		for _, r := range rules {
			owner := ""
			if r.Owner != nil {
				owner = f.admin
			}
			fmt.Fprintf(w, "%q\t%d\t%s\t%s\t%s\n", string(r.Pattern), r.Priority, r.Mode, orDash(printable(owner)), orDash(formText(r.Form)))
		}
	})
}

// announce says what is to be set, before what that would change.
func (f *profileFlags) announce(w io.Writer, name profile.Name, policies [][]identity.PolicyRule) {
	rules := 0
	for _, p := range policies {
		rules += len(p) - 1
	}
	fmt.Fprintf(w, "profile %s: %d rules for the keys below %s, in %d statements; --print shows them\n", name, rules, printable(f.root), len(policies))
}

func shownRule(r identity.PolicyRule) admin.Rule {
	shown := admin.Rule{Pattern: r.Pattern, Priority: r.Priority, Mode: r.Mode, Owner: r.Owner}
	if r.Form != nil {
		shown.Form = &admin.Form{Kind: r.Form.Kind, APIVersions: r.Form.Versions}
	}
	return shown
}

// profiles returns the policies in force of that speaker that set a profile of
// the root: their first rule says so.
func (s *site) profiles(root string, as *identity.StatementID) []admin.Policy {
	var found []admin.Policy
	for _, p := range s.roster.Policies {
		if _, ok := profile.Of(root, p.Rules[0].Pattern); ok && p.InForce && sameSpeaker(p.As, as) {
			found = append(found, p)
		}
	}
	return found
}

// setAlready reports whether the policies in force are those, in whatever order.
func setAlready(inForce []admin.Policy, policies [][]identity.PolicyRule) bool {
	return len(inForce) == len(policies) && !slices.ContainsFunc(policies, func(rules []identity.PolicyRule) bool {
		return !slices.ContainsFunc(inForce, func(p admin.Policy) bool {
			return slices.EqualFunc(p.Rules, rules, func(have admin.Rule, want identity.PolicyRule) bool {
				return sameRule(have, shownRule(want))
			})
		})
	})
}

func sameRule(a, b admin.Rule) bool {
	if (a.Form != nil) != (b.Form != nil) ||
		a.Form != nil && (a.Form.Kind != b.Form.Kind || !slices.Equal(a.Form.APIVersions, b.Form.APIVersions)) {
		return false
	}
	return a.Pattern == b.Pattern && a.Priority == b.Priority && a.Mode == b.Mode && sameSpeaker(a.Owner, b.Owner)
}
