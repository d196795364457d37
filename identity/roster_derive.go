package identity

import (
	"bytes"
	"cmp"
	"maps"
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
func derive(entries []entry) *Roster {
	r := &Roster{entries: entries}
	found, ok := chooseFound(entries)
	if !ok {
		return r
	}
	r.founding, r.found = found.founding, found.statement
	g := gather(r)
	founders := r.found.Content.(Found).Founders
	g.waiting = []authority{{Operator: Operator{Keys: founders}, root: true}}
	for len(g.waiting) > 0 {
		next := g.waiting[len(g.waiting)-1]
		g.waiting = g.waiting[:len(g.waiting)-1]
		g.apply(next)
	}
	r.operators = g.sortedOperators()
	r.invites = g.sortedInvites()
	r.rules = g.sortedRules()
	r.nodes, r.authors = g.sortedNodes()
	return r
}

// chooseFound returns the entry that founds the mesh: of those whose issuer is
// among the founders they name, the one of the least founding op (a graph has
// one), then of the least statement ID.
func chooseFound(entries []entry) (found entry, ok bool) {
	for _, e := range entries {
		c, is := e.statement.Content.(Found)
		if !is || !slices.Contains(c.Founders, e.statement.Issuer) {
			continue
		}
		if !ok || bytes.Compare(e.founding[:], found.founding[:]) < 0 {
			found, ok = e, true
		}
	}
	return found, ok
}

// counts reports whether the entry's statement is one of this mesh.
func (r *Roster) counts(e entry) bool {
	if mesh := e.statement.Mesh; mesh != nil {
		return *mesh == r.founding
	}
	return e.founding == r.founding
}

// growth is the state of one derivation: what was found effective so far.
type growth struct {
	foundID  StatementID                // what a consent in the founding op names
	byIssuer map[PublicKey][]*Statement // statements of this mesh, but redeems
	redeems  map[StatementID][]entry    // redeems of this mesh, by invite

	waiting   []authority // effective, their statements not yet tried
	operators map[StatementID]Operator
	invites   map[StatementID]Invitation
	enrolled  map[StatementID]*Statement
	policies  map[StatementID]*Statement
}

// An authority may issue statements: an operator, or the founders.
type authority struct {
	Operator
	root bool
}

func gather(r *Roster) *growth {
	g := &growth{
		foundID:   r.found.id,
		byIssuer:  map[PublicKey][]*Statement{},
		redeems:   map[StatementID][]entry{},
		operators: map[StatementID]Operator{},
		invites:   map[StatementID]Invitation{},
		enrolled:  map[StatementID]*Statement{},
		policies:  map[StatementID]*Statement{},
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
			switch c := s.Content.(type) {
			case Admit:
				if by.mayGive(c.Grant) {
					g.admit(Operator{ID: s.id, Issuer: s.Issuer, Name: c.Name, Keys: c.Keys, Grant: c.Grant})
				}
			case Invite:
				if by.mayGive(c.Grant) {
					g.invite(s, c)
				}
			case Policy:
				if by.maySet(c) {
					g.policies[s.id] = s
				}
			case Enrol:
				if !by.root && c.Operator == by.ID && c.Slot < by.Nodes && s.consented(g.foundID) {
					g.enrolled[s.id] = s
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

func (g *growth) admit(o Operator) {
	if _, known := g.operators[o.ID]; !known {
		g.operators[o.ID] = o
		g.waiting = append(g.waiting, authority{Operator: o})
	}
}

// invite makes an invite effective and, if its host carried a redeem of it,
// the operator which that one admits.
func (g *growth) invite(s *Statement, c Invite) {
	if _, known := g.invites[s.id]; known {
		return
	}
	inv := Invitation{ID: s.id, Issuer: s.Issuer, Invite: c}
	var first entry
	for _, e := range g.redeems[s.id] { // ascending by ID, so that the least of equals stays
		if e.author != c.Host || e.statement.Issuer != c.Ticket {
			continue
		}
		if first.statement == nil || e.before(first) {
			first = e
		}
	}
	if first.statement != nil {
		r := first.statement.Content.(Redeem)
		inv.Redeemed = first.statement.id
		g.admit(Operator{ID: inv.Redeemed, Issuer: c.Ticket, Name: r.Name, Keys: r.Keys, Grant: c.Grant})
	}
	g.invites[s.id] = inv
}

func (g *growth) sortedOperators() []Operator {
	return slices.SortedFunc(maps.Values(g.operators), func(a, b Operator) int { return a.ID.Compare(b.ID) })
}

func (g *growth) sortedInvites() []Invitation {
	return slices.SortedFunc(maps.Values(g.invites), func(a, b Invitation) int { return a.ID.Compare(b.ID) })
}

// sortedRules returns the rules of all effective policies in order of precedence.
func (g *growth) sortedRules() []PolicyRule {
	var rules []PolicyRule
	for _, s := range sortedStatements(g.policies) {
		latest := slices.Clone(s.Content.(Policy).Rules)
		slices.Reverse(latest)
		rules = append(rules, latest...)
	}
	slices.SortStableFunc(rules, func(a, b PolicyRule) int { return cmp.Compare(b.Priority, a.Priority) })
	return rules
}

// sortedNodes returns the enrolled nodes. One enrolled twice belongs to the
// enrolment of the lesser ID.
func (g *growth) sortedNodes() ([]Enrolment, map[PublicKey]*Author) {
	authors := make(map[PublicKey]*Author, len(g.enrolled))
	nodes := make([]Enrolment, 0, len(g.enrolled))
	for _, s := range sortedStatements(g.enrolled) {
		c := s.Content.(Enrol)
		if authors[c.Node] != nil {
			continue
		}
		o := g.operators[c.Operator]
		e := Enrolment{ID: s.id, Operator: c.Operator, Slot: c.Slot, Node: c.Node, Rotations: c.Rotations}
		authors[c.Node] = &Author{Enrolment: e, OperatorName: o.Name, Role: o.Role, Patterns: o.Patterns}
		nodes = append(nodes, e)
	}
	slices.SortFunc(nodes, func(a, b Enrolment) int { return a.Node.Compare(b.Node) })
	return nodes, authors
}

func sortedStatements(m map[StatementID]*Statement) []*Statement {
	return slices.SortedFunc(maps.Values(m), func(a, b *Statement) int { return a.id.Compare(b.id) })
}
