package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newMemberRevoke(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke [OPERATOR]",
		Short: "Throw an operator, a node, a key or an invite out",
		Long: `Revoke ends an operator and all that it admitted, or one of its nodes (--node), or
one key of a node that has others (--key), or an invite (--invite).

What the subject wrote up to the keep heads stands, by default everything that
this node has delivered. What it wrote beside or after them has no effect
anywhere, whenever it arrives: also what it claims to have written earlier. If a
key was stolen, name the last moment before that with --before, or operations
with --keep, and look at the --dry-run first: it says how much becomes void.
"causeway member readmit" undoes it, and brings back what was void.`,
		Example: `  causeway member revoke team-a --dry-run
  causeway member revoke --node ed25519:… --before 2h
  causeway member revoke --invite 5f0c1d2e`,
		Args: atMost(1),
	}
	ch := newChange(c, std)
	node := c.Flags().String("node", "", "revoke the node with this key or at this place (OPERATOR/SLOT), whatever keys it has")
	key := c.Flags().String("key", "", "revoke this key of a node only: its others go on")
	invite := c.Flags().String("invite", "", "revoke the invite with this ID")
	replace := c.Flags().StringArray("replace", nil, "end this revocation and put the new one in its place; may be repeated")
	k := newKeepFlags(c)
	c.MarkFlagsMutuallyExclusive("node", "key", "invite")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if named := *node != "" || *key != "" || *invite != ""; named == (len(args) == 1) {
			return usageError{errors.New("name one of: an operator, --node, --key or --invite")}
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		var r identity.Revoke
		var as *identity.StatementID
		switch {
		case len(args) == 1:
			r, as, err = s.revokeOperator(ch.as, args[0])
		case *invite != "":
			r, as, err = s.revokeInvite(ch.as, *invite)
		case *node != "":
			r, as, err = s.revokeNode(ch.as, *node, false)
		default:
			r, as, err = s.revokeNode(ch.as, *key, true)
		}
		if err != nil {
			return err
		}
		if r.Keep, err = k.heads(cmd, s, r.Subject, r.Key); err != nil {
			return err
		}
		d := draft{content: r}
		for _, text := range *replace {
			id, err := s.restriction(text)
			if err != nil {
				return err
			}
			d.supersedes = append(d.supersedes, id)
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

func (s *site) revokeOperator(as, text string) (identity.Revoke, *identity.StatementID, error) {
	o, err := s.operator(text)
	if err != nil {
		return identity.Revoke{}, nil, err
	}
	by, err := s.speaker(as, s.above(o))
	return identity.Revoke{Subject: o.ID}, by, err
}

func (s *site) revokeNode(as, text string, keyOnly bool) (identity.Revoke, *identity.StatementID, error) {
	var r identity.Revoke
	var o *admin.Operator
	if keyOnly {
		of, e, key, err := s.node(text)
		if err != nil {
			return identity.Revoke{}, nil, err
		}
		o, r = of, identity.Revoke{Subject: e.ID, Key: &key}
	} else {
		of, e, err := s.place(text)
		if err != nil {
			return identity.Revoke{}, nil, err
		}
		o, r = of, identity.Revoke{Subject: e.ID}
	}
	by, err := s.speaker(as, s.aboveNodesOf(o))
	return r, by, err
}

func (s *site) revokeInvite(as, text string) (identity.Revoke, *identity.StatementID, error) {
	v, err := s.invitation(text)
	if err != nil {
		return identity.Revoke{}, nil, err
	}
	by, err := s.speaker(as, func(o *admin.Operator) bool {
		if v.As == nil {
			return false
		}
		inviter := s.byID(*v.As)
		return inviter != nil && isAdmin(o) && (o.ID == inviter.ID || s.above(inviter)(o))
	})
	return identity.Revoke{Subject: v.ID}, by, err
}

// restriction returns the ID of the restriction or policy that text names.
func (s *site) restriction(text string) (identity.StatementID, error) {
	found := s.restrictions(text)
	switch len(found) {
	case 0:
		return identity.StatementID{}, fmt.Errorf("no restriction has the ID %q: causeway member list shows them", text)
	case 1:
		return found[0], nil
	}
	return identity.StatementID{}, errSeveral("restrictions", text, found)
}

// restrictions returns the IDs of all restrictions, policies and quotas that text names.
func (s *site) restrictions(text string) (ids []identity.StatementID) {
	note := func(id identity.StatementID) {
		if names(text, id) {
			ids = append(ids, id)
		}
	}
	for _, r := range s.roster.Restrictions {
		note(r.ID)
	}
	for _, p := range s.roster.Policies {
		note(p.ID)
	}
	for _, q := range s.roster.Quotas {
		note(q.ID)
	}
	return ids
}
