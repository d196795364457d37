package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/causeway-sync/causeway/identity"
)

// compare finds what falls and returns, and whose rights change.
func (p *Preview) compare(before, after *identity.Roster, given map[identity.StatementID]bool) {
	was, is := standingIn(before), standingIn(after)
	for _, s := range was {
		if _, ok := find(is, s.ID); !ok && !given[s.ID] {
			p.Fall = append(p.Fall, s)
		}
	}
	for _, s := range is {
		if _, ok := find(was, s.ID); !ok && !given[s.ID] {
			p.Return = append(p.Return, s)
		}
	}
	p.Operators = changes(operatorRights(before), operatorRights(after))
	p.Nodes = changes(nodeRights(before), nodeRights(after))
}

// standingIn returns the statements that have effect in r, by ID: those by which
// somebody is in, the restrictions and the policies.
func standingIn(r *identity.Roster) []StatementName {
	var list []StatementName
	add := func(s *identity.Statement, name string) {
		list = append(list, StatementName{ID: s.ID(), Kind: s.Kind().String(), Name: name})
	}
	for _, o := range r.Operators() {
		add(r.Statement(o.ID), o.Name)
	}
	for _, a := range r.Nodes() {
		id := a.ID
		if a.Rotation != nil {
			id = *a.Rotation
		}
		add(r.Statement(id), a.OperatorName)
	}
	for _, i := range r.Invitations() {
		add(r.Statement(i.ID), "")
	}
	for _, s := range slices.Concat(r.Restrictions(), r.Policies()) {
		if s.InForce {
			add(s.Statement, "")
		}
	}
	slices.SortFunc(list, func(a, b StatementName) int { return a.ID.Compare(b.ID) })
	return slices.CompactFunc(list, func(a, b StatementName) bool { return a.ID == b.ID })
}

func find(sorted []StatementName, id identity.StatementID) (int, bool) {
	return slices.BinarySearchFunc(sorted, id, func(s StatementName, id identity.StatementID) int { return s.ID.Compare(id) })
}

// rights are what an operator or a node may do, for people.
type rights struct {
	MemberChange        // Before is not used
	text         string // of what it may do
}

// operatorRights returns what the operators of r may do, by ID.
func operatorRights(r *identity.Roster) []rights {
	var list []rights
	for _, o := range r.Operators() {
		text := fmt.Sprintf("%s of %s, %d nodes", o.Role, quoted(o.Patterns), o.Nodes)
		for _, id := range o.Restrictions {
			text += ", " + restrictionText(r, id)
		}
		list = append(list, rights{MemberChange{Operator: o.ID, Name: o.Name}, text})
	}
	return list
}

// nodeRights returns what the keys of r may do, by operator, slot and index.
func nodeRights(r *identity.Roster) []rights {
	var list []rights
	for _, a := range r.Nodes() {
		text := "writes"
		if a.Role == identity.RoleReader {
			text = "reads"
		}
		if a.Revoked != nil {
			text = "revoked by " + a.Revoked.String()
		}
		key := a.Key
		list = append(list, rights{MemberChange{Operator: a.Operator, Name: a.OperatorName, Node: &key}, text})
	}
	return list
}

func quoted(patterns []identity.Pattern) string {
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = fmt.Sprintf("%q", string(p))
	}
	return strings.Join(texts, " ")
}

func restrictionText(r *identity.Roster, id identity.StatementID) string {
	s := r.Statement(id)
	if s == nil {
		return id.String()
	}
	if c, ok := s.Content.(identity.Narrow); ok {
		return fmt.Sprintf("narrowed to %s of %s, %d nodes by %s", c.Role, quoted(c.Patterns), c.Nodes, id)
	}
	return "revoked by " + id.String()
}

// changes returns whose rights differ, those of before first.
func changes(before, after []rights) []MemberChange {
	const absent = "absent"
	type member struct {
		operator identity.StatementID
		node     identity.PublicKey // zero for the operator itself
	}
	of := func(r rights) member {
		if r.Node == nil {
			return member{operator: r.Operator}
		}
		return member{r.Operator, *r.Node}
	}
	texts := make(map[member]string, len(after))
	for _, b := range after {
		texts[of(b)] = b.text
	}
	list := []MemberChange{}
	known := make(map[member]bool, len(before))
	for _, a := range before {
		known[of(a)] = true
		c := a.MemberChange
		c.Before, c.After = a.text, absent
		if text, ok := texts[of(a)]; ok {
			c.After = text
		}
		if c.Before != c.After {
			list = append(list, c)
		}
	}
	for _, b := range after {
		if !known[of(b)] {
			c := b.MemberChange
			c.Before, c.After = absent, b.text
			list = append(list, c)
		}
	}
	return list
}
