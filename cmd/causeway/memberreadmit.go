package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/identity"
)

func newMemberReadmit(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "readmit OPERATOR | STATEMENT",
		Short: "Undo a revocation or another restriction",
		Long: `Readmit ends the revocations of an operator or of a node (--node), or the one
restriction whose statement is named. Whatever it made void counts again, at
every node, as if it had never been.`,
		Example: `  causeway member readmit team-a --dry-run
  causeway member readmit --node ed25519:…
  causeway member readmit 5f0c1d2e`,
		Args: atMost(1),
	}
	ch := newChange(c, std)
	node := c.Flags().String("node", "", "end the revocations of the node with this key")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if (*node != "") == (len(args) == 1) {
			return usageError{errors.New("name one of: an operator, a statement or --node")}
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		var ends []identity.StatementID
		if *node != "" {
			ends, err = s.revocationsOfNode(*node)
		} else {
			ends, err = s.revocationsOf(args[0])
		}
		if err != nil {
			return err
		}
		as, err := s.endsAs(ch.as, ends)
		if err != nil {
			return err
		}
		done, err := ch.make(cmd, s, as, draft{content: identity.Readmit{}, supersedes: sortedIDs(ends)})
		if err != nil {
			return err
		}
		return ch.print(done)
	}
	return c
}

// revocationsOf returns those in force of an operator, or the one restriction
// that text names.
func (s *site) revocationsOf(text string) ([]identity.StatementID, error) {
	found := s.restrictions(text)
	o, err := s.operator(text)
	switch {
	case len(found) == 1 && (o == nil || isID(text, found[0])):
		return found, nil
	case len(found) > 1:
		return nil, errSeveral("restrictions", text, found)
	case len(found) == 1:
		return nil, fmt.Errorf("%q is a restriction's ID and an operator's, name one by its whole ID: %s, %s", text, found[0], o.ID)
	case err != nil:
		return nil, err
	}
	ids := s.revocationsIn(o.ID)
	if len(ids) == 0 && o.Revoked != nil {
		return nil, fmt.Errorf("operator %s itself is not revoked, a sponsor of it is, by %s", printable(o.Name), o.Revoked)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("operator %s is not revoked", printable(o.Name))
	}
	return ids, nil
}

func (s *site) revocationsOfNode(text string) ([]identity.StatementID, error) {
	_, e, _, err := s.node(text)
	if err != nil {
		return nil, err
	}
	ids := s.revocationsIn(e.ID)
	if len(ids) == 0 {
		return nil, fmt.Errorf("node %s is not revoked", text)
	}
	return ids, nil
}

// revocationsIn returns the revocations in force of one subject.
func (s *site) revocationsIn(subject identity.StatementID) []identity.StatementID {
	var ids []identity.StatementID
	for _, r := range s.roster.Restrictions {
		if r.InForce && r.Subject == subject && r.Kind == identity.KindRevoke.String() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// endsAs returns as whom the issuer ends statements: as those issued them, if
// it can, or as a sponsor above.
func (s *site) endsAs(as string, ends []identity.StatementID) (*identity.StatementID, error) {
	if as != "" || s.issuer.Founder {
		return s.speaker(as, isAdmin)
	}
	for _, r := range s.roster.Restrictions {
		if r.As != nil && slices.Contains(ends, r.ID) && slices.Contains(s.issuer.Operators, *r.As) {
			return r.As, nil
		}
	}
	return s.speaker(as, isAdmin)
}

// sortedIDs returns ids ascending, each once.
func sortedIDs(ids []identity.StatementID) []identity.StatementID {
	slices.SortFunc(ids, identity.StatementID.Compare)
	return slices.Compact(ids)
}
