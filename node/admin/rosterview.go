package admin

import (
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// NewRoster describes the roster of g.
func NewRoster(mesh dag.ID, g *dag.Graph) Roster {
	r := g.Roster()
	view := Roster{
		Mesh: mesh, Version: r.Version(), Founders: []identity.PublicKey{},
		Operators: []Operator{}, Invitations: []Invitation{}, Restrictions: []Restriction{}, Policies: []Policy{}, Quotas: []Quota{},
	}
	if found := r.Found(); found != nil {
		c := found.Content.(identity.Found)
		view.Threshold, view.Founders = c.Threshold, c.Founders
	}
	nodes := enrolments(r, g)
	for _, o := range r.Operators() {
		view.Operators = append(view.Operators, Operator{
			ID: o.ID, Name: o.Name, Keys: o.Keys, Role: o.Role, Patterns: patterns(o.Patterns), Slots: o.Nodes,
			Expires: timeOf(o.Expires), Narrowed: []identity.StatementID{}, Nodes: notNil(nodes[o.ID]),
		})
	}
	for _, i := range r.Invitations() {
		v := Invitation{ID: i.ID, Issuer: i.Issuer, Host: i.Host, Role: i.Role, Patterns: patterns(i.Patterns), Slots: i.Nodes,
			Expires: time.UnixMilli(int64(i.Invite.Expires)).UTC()}
		if i.Redeemed != (identity.StatementID{}) {
			v.Redeemed = &i.Redeemed
		}
		view.Invitations = append(view.Invitations, v)
	}
	return view
}

// enrolments returns the nodes of the operators.
func enrolments(r *identity.Roster, g *dag.Graph) map[identity.StatementID][]Enrolment {
	nodes := make(map[identity.StatementID][]Enrolment)
	for _, e := range r.Nodes() {
		n := Enrolment{ID: e.ID, Slot: e.Slot, Rotations: e.Rotations}
		if a, ok := r.Author(e.Node); ok {
			n.Keys = append(n.Keys, NodeKey{Key: a.Key, Index: a.Index, Revoked: a.Revoked, Forked: g.Forked(a.Key)})
		}
		nodes[e.Operator] = append(nodes[e.Operator], n)
	}
	return nodes
}

// Explain says how r keeps a key, and whether node may write it.
func Explain(r *identity.Roster, node identity.PublicKey, key []byte) Explanation {
	e := Explanation{Key: key, Mode: identity.ModeMerge, Others: []OtherRule{}}
	if rule, ok := r.PolicyOf(key); ok {
		v := newRule(rule)
		e.Mode, e.Rule = rule.Mode, &v
		if rule.Owner != nil {
			e.Owner = operatorName(r, *rule.Owner)
		}
	}
	if err := r.Standing(node).MayWrite(key); e.Mode == identity.ModeLocal {
		e.MayWrite = true
	} else if err != nil {
		e.Reason = err.Error()
	} else {
		e.MayWrite = true
	}
	return e
}

func newRule(r identity.PolicyRule) Rule {
	v := Rule{Pattern: r.Pattern, Priority: r.Priority, Mode: r.Mode, Owner: r.Owner}
	if r.Form != nil {
		v.Form = &Form{Kind: r.Form.Kind, APIVersions: r.Form.Versions}
	}
	return v
}

func operatorName(r *identity.Roster, id identity.StatementID) string {
	o, ok := r.Operator(id)
	if !ok {
		return ""
	}
	return o.Name
}

func patterns(ps []identity.Pattern) []identity.Pattern { return notNil(ps) }

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
	t := time.UnixMilli(int64(ms)).UTC()
	return &t
}
