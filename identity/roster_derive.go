package identity

import (
	"bytes"
	"cmp"
	"slices"
)

// derive computes what a set of statements, sorted and without duplicates,
// amounts to (docs/op.md, section 6).
//
// Authority only grows: each operator found effective may make further
// statements effective, never the reverse, so the order in which they are
// tried does not matter and one pass over the statements of each key suffices.
// What takes a choice (which found, which redeem of an invite, which enrolment
// of a node) is chosen by a total order, before or after that growth.
func derive(entries []*entry) *Roster {
	r := &Roster{entries: entries}
	found := chooseFound(entries)
	if found == nil {
		return r
	}
	r.founding, r.found = found.founding, found.statement
	g := gather(r)
	founders := r.found.Content.(Found).Founders
	g.waiting = []authority{{Operator: &Operator{Keys: founders}, root: true}}
	for len(g.waiting) > 0 {
		next := g.waiting[len(g.waiting)-1]
		g.waiting = g.waiting[:len(g.waiting)-1]
		g.apply(next)
	}
	g.finish(r)
	return r
}

// chooseFound returns the entry that founds the mesh: of those whose issuer is
// among the founders they name, the one of the least founding op (a graph has
// one), then of the least statement ID.
func chooseFound(entries []*entry) *entry {
	var found *entry
	for _, e := range entries {
		c, ok := e.statement.Content.(Found)
		if !ok || !slices.Contains(c.Founders, e.statement.Issuer) {
			continue
		}
		if found == nil || bytes.Compare(e.founding[:], found.founding[:]) < 0 {
			found = e
		}
	}
	return found
}

// counts reports whether the entry's statement is one of this mesh.
func (r *Roster) counts(e *entry) bool {
	if mesh := e.statement.Mesh; mesh != nil {
		return *mesh == r.founding
	}
	return e.founding == r.founding
}

// growth is the state of one derivation: what was found effective so far.
type growth struct {
	foundID  StatementID                // what a consent in the founding op names
	byIssuer map[PublicKey][]*Statement // statements of this mesh, but redeems
	redeems  map[StatementID][]*entry   // redeems of this mesh, by invite

	waiting   []authority          // effective, their statements not yet tried
	effective map[StatementID]bool // what is in the lists below
	operators []*Operator
	authors   []*Author
	invites   []invited
	policies  []*Statement
}

// An authority may issue statements: an operator, or the founders.
type authority struct {
	*Operator
	root bool
}

func gather(r *Roster) *growth {
	g := &growth{
		foundID:   r.found.id,
		byIssuer:  map[PublicKey][]*Statement{},
		redeems:   map[StatementID][]*entry{},
		effective: map[StatementID]bool{},
	}
	for _, e := range r.entries {
		s := e.statement
		if !r.counts(e) {
			continue
		}
		if c, ok := s.Content.(Redeem); ok {
			g.redeems[c.Invite] = append(g.redeems[c.Invite], e)
		} else {
			g.byIssuer[s.Issuer] = append(g.byIssuer[s.Issuer], s)
		}
	}
	return g
}

// apply makes effective what the authority's keys issued within its means.
func (g *growth) apply(by authority) {
	for _, key := range by.Keys {
		for _, s := range g.byIssuer[key] {
			if g.effective[s.id] {
				continue
			}
			switch c := s.Content.(type) {
			case Admit:
				if by.mayGive(c.Grant) {
					g.admit(s, c.Name, c.Keys, c.Grant)
				}
			case Invite:
				if by.mayGive(c.Grant) {
					g.invite(s, c)
				}
			case Policy:
				if by.maySet(c) {
					g.effective[s.id] = true
					g.policies = append(g.policies, s)
				}
			case Enrol:
				if !by.root && *s.As == by.ID && c.Slot < by.Nodes && s.consented(g.foundID) {
					g.enrol(s, c, by.Operator)
				}
			}
		}
	}
}

// mayGive reports whether the authority may admit an operator with the grant.
// No role exceeds an admin's.
func (a authority) mayGive(g Grant) bool {
	return a.root || a.Role == RoleAdmin && containsAll(a.Patterns, g.Patterns)
}

func (a authority) maySet(p Policy) bool {
	if a.root {
		return true
	}
	for _, rule := range p.Rules {
		if a.Role != RoleAdmin || !containsAll(a.Patterns, []Pattern{rule.Pattern}) {
			return false
		}
	}
	return true
}

// admit makes s, an admit or a redeem, effective: its operator has authority from now on.
func (g *growth) admit(s *Statement, name string, keys []PublicKey, grant Grant) {
	o := s.operator.Load()
	if o == nil {
		o = &Operator{ID: s.id, Issuer: s.Issuer, Name: name, Keys: keys, Grant: grant}
		s.operator.Store(o)
	}
	g.effective[s.id] = true
	g.operators = append(g.operators, o)
	g.waiting = append(g.waiting, authority{Operator: o})
}

// invite makes an invite effective and, if its host carried a redeem of it,
// the operator which that one admits.
func (g *growth) invite(s *Statement, c Invite) {
	var first *entry
	for _, e := range g.redeems[s.id] { // ascending by ID, so that the least of equals stays
		if e.author != c.Host || e.statement.Issuer != c.Ticket {
			continue
		}
		if first == nil || e.before(first) {
			first = e
		}
	}
	v := invited{invite: s}
	if first != nil {
		v.redeem = first.statement
		r := v.redeem.Content.(Redeem)
		g.admit(v.redeem, r.Name, r.Keys, c.Grant)
	}
	g.effective[s.id] = true
	g.invites = append(g.invites, v)
}

// enrol makes an enrolment with the operator effective.
func (g *growth) enrol(s *Statement, c Enrol, o *Operator) {
	a := s.author.Load()
	if a == nil {
		a = &Author{
			Enrolment:    Enrolment{ID: s.id, Operator: o.ID, Slot: c.Slot, Node: c.Node, Rotations: c.Rotations},
			Key:          c.Node,
			OperatorName: o.Name,
			Role:         o.Role,
			Patterns:     o.Patterns,
		}
		s.author.Store(a)
	}
	g.effective[s.id] = true
	g.authors = append(g.authors, a)
}

// finish sorts what was found into the roster.
func (g *growth) finish(r *Roster) {
	slices.SortFunc(g.operators, func(a, b *Operator) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(g.invites, func(a, b invited) int { return a.invite.id.Compare(b.invite.id) })
	// A node enrolled twice belongs to the enrolment of the lesser ID.
	slices.SortFunc(g.authors, func(a, b *Author) int { return cmp.Or(a.Node.Compare(b.Node), a.ID.Compare(b.ID)) })
	g.authors = slices.CompactFunc(g.authors, func(a, b *Author) bool { return a.Node == b.Node })

	r.operators = slices.Clip(g.operators)
	r.invites = slices.Clip(g.invites)
	r.authors = slices.Clip(g.authors)
	r.rules = g.rules()
}

// rules returns the rules of all effective policies in order of precedence.
func (g *growth) rules() []PolicyRule {
	slices.SortFunc(g.policies, func(a, b *Statement) int { return a.id.Compare(b.id) })
	var rules []PolicyRule
	for _, s := range g.policies {
		latest := slices.Clone(s.Content.(Policy).Rules)
		slices.Reverse(latest)
		rules = append(rules, latest...)
	}
	slices.SortStableFunc(rules, func(a, b PolicyRule) int { return cmp.Compare(b.Priority, a.Priority) })
	return rules
}
