package admin

import (
	"slices"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// NewRoster describes the roster of g; shown are proofs of forks beside those in it.
func NewRoster(mesh dag.ID, g *dag.Graph, shown Proofs) Roster {
	r := g.Roster()
	view := Roster{
		Mesh: mesh, Version: r.Version(), Founders: []identity.PublicKey{},
		Operators: []Operator{}, Invitations: []Invitation{}, Restrictions: []Restriction{}, Policies: []Policy{}, Quotas: []Quota{},
	}
	if found := r.Found(); found != nil {
		c := found.Content.(identity.Found)
		view.Threshold, view.Founders = c.Threshold, c.Founders
	}
	nodes := enrolments(r, g, shown)
	for _, o := range r.Operators() {
		view.Operators = append(view.Operators, Operator{
			ID: o.ID, Name: o.Name, Sponsor: o.Sponsor, Rank: o.Rank, Keys: o.Keys,
			Role: o.Role, Patterns: notNil(o.Patterns), Slots: o.Nodes, Expires: timeOf(o.Expires),
			Restrictions: notNil(o.Restrictions), Revoked: o.Revoked, Nodes: notNil(nodes[o.ID]),
		})
	}
	for _, i := range r.Invitations() {
		v := Invitation{ID: i.ID, Issuer: i.Issuer, As: i.Sponsor, Host: i.Host, Role: i.Role, Patterns: notNil(i.Patterns), Slots: i.Nodes,
			Expires: Moment(i.Invite.Expires), Revoked: i.Revoked}
		if i.Redeemed != (identity.StatementID{}) {
			v.Redeemed = &i.Redeemed
		}
		view.Invitations = append(view.Invitations, v)
	}
	for _, s := range r.Restrictions() {
		view.addRestriction(s)
	}
	for _, s := range r.Policies() {
		c := s.Statement.Content.(identity.Policy)
		p := Policy{ID: s.Statement.ID(), Issuer: s.Statement.Issuer, As: s.By, Rules: []Rule{}, Keep: links(c.Keep), Standing: standing(s)}
		for _, rule := range c.Rules {
			p.Rules = append(p.Rules, newRule(rule))
		}
		view.Policies = append(view.Policies, p)
	}
	return view
}

// addRestriction adds a revoke, a narrow, a readmit or a quota.
func (view *Roster) addRestriction(s identity.Restriction) {
	v := Restriction{ID: s.Statement.ID(), Kind: s.Statement.Kind().String(), Issuer: s.Statement.Issuer, As: s.By,
		Supersedes: notNil(s.Statement.Supersedes), Keep: links(s.Statement.KeepHeads()), Standing: standing(s)}
	switch c := s.Statement.Content.(type) {
	case identity.Revoke:
		v.Subject, v.Key = c.Subject, c.Key
	case identity.Narrow:
		v.Subject, v.Role, v.Patterns, v.Slots = c.Operator, c.Role, c.Patterns, c.Nodes
	case identity.Quota:
		view.Quotas = append(view.Quotas, Quota{ID: v.ID, Issuer: v.Issuer, As: v.As, Subject: c.Subject, Bytes: c.Bytes, Writes: c.Writes, Standing: v.Standing})
		return
	}
	view.Restrictions = append(view.Restrictions, v)
}

// enrolments returns the nodes of the operators, by slot.
func enrolments(r *identity.Roster, g *dag.Graph, shown Proofs) map[identity.StatementID][]Enrolment {
	nodes := make(map[identity.StatementID][]Enrolment)
	for _, a := range r.Nodes() { // by operator, slot and index
		list := nodes[a.Operator]
		i := slices.IndexFunc(list, func(e Enrolment) bool { return e.ID == a.ID })
		if i < 0 {
			i = len(list)
			list = append(list, Enrolment{ID: a.ID, Slot: a.Slot, Rotations: a.Rotations})
		}
		list[i].Keys = append(list[i].Keys, NodeKey{Key: a.Key, Index: a.Index, Revoked: a.Revoked, Forked: g.Forked(a.Key) || shown[a.Key] != nil})
		nodes[a.Operator] = list
	}
	return nodes
}

func newRule(r identity.PolicyRule) Rule {
	v := Rule{Pattern: r.Pattern, Priority: r.Priority, Mode: r.Mode, Owner: r.Owner}
	if r.Form != nil {
		v.Form = &Form{Kind: r.Form.Kind, APIVersions: r.Form.Versions}
	}
	return v
}

func standing(s identity.Restriction) Standing {
	return Standing{InForce: s.InForce, SupersededBy: s.SupersededBy}
}

func links(ids [][32]byte) []dag.ID {
	list := make([]dag.ID, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}

func operatorName(r *identity.Roster, id identity.StatementID) string {
	o, _ := r.Operator(id)
	return o.Name
}

// notNil makes an empty list that is written as one.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// timeOf returns the time that ms since 1970 are, nil for 0.
func timeOf(ms uint64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := Moment(ms)
	return &t
}
