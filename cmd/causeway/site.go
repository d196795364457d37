package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// asRoot is the value of --as for a founder's vote.
const asRoot = "root"

// speaker returns as whom the issuer speaks: as --as says, or as the root if the
// issuer's vote is enough for that, or as the first of its operators for
// which may holds. nil is the root.
func (s *site) speaker(as string, may func(*admin.Operator) bool) (*identity.StatementID, error) {
	switch {
	case as == asRoot:
		if !s.issuer.Founder {
			return nil, fmt.Errorf("%s is no founder's key", s.issuer.Key)
		}
		return nil, nil
	case as != "":
		o, err := s.operator(as)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(s.issuer.Operators, o.ID) {
			return nil, fmt.Errorf("%s is no key of operator %s", s.issuer.Key, printable(o.Name))
		}
		return &o.ID, nil
	case s.issuer.Founder && s.roster.Threshold == 1:
		return nil, nil
	}
	for _, id := range s.issuer.Operators {
		if o := s.byID(id); o != nil && o.Revoked == nil && may(o) {
			return &o.ID, nil
		}
	}
	if s.issuer.Founder {
		return nil, nil // with the votes of others
	}
	return nil, fmt.Errorf("%s is no key of an operator that may do this", s.issuer.Key)
}

// admin reports whether the operator may admit others: for speaker.
func isAdmin(o *admin.Operator) bool { return o.Role == identity.RoleAdmin }

// above returns what speaker needs for a change of subject, an operator: an
// admin among its sponsors.
func (s *site) above(subject *admin.Operator) func(*admin.Operator) bool {
	return func(o *admin.Operator) bool {
		if !isAdmin(o) {
			return false
		}
		for at := subject.Sponsor; at != nil; {
			if *at == o.ID {
				return true
			}
			next := s.byID(*at)
			if next == nil {
				return false
			}
			at = next.Sponsor
		}
		return false
	}
}

// aboveNodesOf is above for the nodes of an operator, which may also do it itself.
func (s *site) aboveNodesOf(of *admin.Operator) func(*admin.Operator) bool {
	above := s.above(of)
	return func(o *admin.Operator) bool { return o.ID == of.ID || above(o) }
}

func (s *site) byID(id identity.StatementID) *admin.Operator {
	for i := range s.roster.Operators {
		if s.roster.Operators[i].ID == id {
			return &s.roster.Operators[i]
		}
	}
	return nil
}

// minIDPrefix is how many hex digits name a statement at least.
const minIDPrefix = 8

// isID reports whether text is the whole of a statement's ID.
func isID(text string, id identity.StatementID) bool {
	return strings.TrimPrefix(text, "stmt:") == hex.EncodeToString(id[:])
}

// names reports whether text is a statement's ID or the beginning of it.
func names(text string, id identity.StatementID) bool {
	digits := strings.TrimPrefix(text, "stmt:")
	return len(digits) >= minIDPrefix && strings.HasPrefix(hex.EncodeToString(id[:]), digits)
}

// errSeveral says that text names several things.
func errSeveral(what, text string, ids []identity.StatementID) error {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return fmt.Errorf("several %s are called %q, name one by its ID: %s", what, text, strings.Join(list, ", "))
}

// operator returns the operator with that ID or name. A whole ID names nobody
// else, whatever others call themselves. A name that several have is an error that lists them.
func (s *site) operator(text string) (*admin.Operator, error) {
	var found []*admin.Operator
	for i := range s.roster.Operators {
		o := &s.roster.Operators[i]
		if isID(text, o.ID) {
			return o, nil
		}
		if o.Name == text || names(text, o.ID) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no operator is called %q: causeway member list shows them", text)
	case 1:
		return found[0], nil
	}
	var ids []identity.StatementID
	for _, o := range found {
		ids = append(ids, o.ID)
	}
	return nil, errSeveral("operators", text, ids)
}

// node returns the enrolment that holds a key, named by its text form or
// fingerprint, with its operator.
func (s *site) node(text string) (*admin.Operator, *admin.Enrolment, identity.PublicKey, error) {
	for i := range s.roster.Operators {
		o := &s.roster.Operators[i]
		for j := range o.Nodes {
			for _, k := range o.Nodes[j].Keys {
				if k.Key.String() == text || k.Key.Fingerprint() == text {
					return o, &o.Nodes[j], k.Key, nil
				}
			}
		}
	}
	return nil, nil, identity.PublicKey{}, fmt.Errorf("no node has the key %q: causeway member list shows them", text)
}

// place returns the node that text names: by one of its keys, or as
// OPERATOR/SLOT the one in that slot which is not revoked.
func (s *site) place(text string) (*admin.Operator, *admin.Enrolment, error) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 || strings.HasPrefix(text, "ed25519:") || strings.HasPrefix(text, "SHA256:") {
		o, e, _, err := s.node(text)
		return o, e, err
	}
	slot, err := strconv.ParseUint(text[i+1:], 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("%q is neither a node's key nor OPERATOR/SLOT", text)
	}
	o, err := s.operator(text[:i])
	if err != nil {
		return nil, nil, err
	}
	var found *admin.Enrolment
	for j := range o.Nodes {
		e := &o.Nodes[j]
		if e.Slot != slot || !slices.ContainsFunc(e.Keys, func(k admin.NodeKey) bool { return k.Revoked == nil }) {
			continue
		}
		if found != nil {
			return nil, nil, fmt.Errorf("several nodes are in slot %d of %s: name one by its key", slot, o.Name)
		}
		found = e
	}
	if found == nil {
		return nil, nil, fmt.Errorf("no node that is not revoked is in slot %d of %s: causeway member list shows them", slot, o.Name)
	}
	return o, found, nil
}

// invitation returns the invite with that ID.
func (s *site) invitation(text string) (*admin.Invitation, error) {
	var found []*admin.Invitation
	var ids []identity.StatementID
	for i := range s.roster.Invitations {
		if v := &s.roster.Invitations[i]; names(text, v.ID) {
			found, ids = append(found, v), append(ids, v.ID)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no invite has the ID %q: causeway member list -o json shows them", text)
	case 1:
		return found[0], nil
	}
	return nil, errSeveral("invites", text, ids)
}

// grantFlags say what an operator is given.
type grantFlags struct {
	role     string
	patterns []string
	nodes    uint64
}

// grant returns the role and patterns; without any, all keys.
func (g *grantFlags) grant() (identity.Role, []identity.Pattern, error) {
	var role identity.Role
	if err := role.UnmarshalText([]byte(g.role)); err != nil {
		return 0, nil, usageError{fmt.Errorf("--role %q is not reader, writer or admin", g.role)}
	}
	texts := g.patterns
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	patterns := make([]identity.Pattern, len(texts))
	for i, text := range texts {
		p, err := identity.ParsePattern([]byte(text))
		if err != nil {
			return 0, nil, usageError{fmt.Errorf("--pattern %q: %w", text, err)}
		}
		patterns[i] = p
	}
	if g.nodes == 0 {
		return 0, nil, usageError{errors.New("--nodes must be greater than 0")}
	}
	return role, patterns, nil
}

// publicKeys reads keys given as text or as .pub files, sorted.
func publicKeys(texts []string) ([]identity.PublicKey, error) {
	keys := make([]identity.PublicKey, len(texts))
	for i, text := range texts {
		var err error
		switch {
		case strings.HasPrefix(text, "ed25519:"):
			keys[i], err = identity.ParsePublicKey(text)
		case strings.HasPrefix(text, "ssh-"):
			keys[i], _, err = identity.ParseAuthorizedKey(text)
		default:
			keys[i], _, err = readPublicFile(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	slices.SortFunc(keys, identity.PublicKey.Compare)
	return slices.Compact(keys), nil
}
