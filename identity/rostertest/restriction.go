package rostertest

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// restricting returns the restrictions in force that pass the filter.
func (m *Model) restricting(filter func(*identity.Statement) bool) (list []*identity.Statement) {
	for _, r := range m.order {
		if k := r.Kind(); (k == identity.KindRevoke || k == identity.KindNarrow) && filter(r) && m.InForce(r.ID()) {
			list = append(list, r)
		}
	}
	return list
}

// on returns the restrictions in force on an operator or a sponsor above it.
func (m *Model) on(operator identity.StatementID) []*identity.Statement {
	l := m.lineage(operator)
	return m.restricting(func(r *identity.Statement) bool {
		switch c := r.Content.(type) {
		case identity.Revoke:
			return c.Subject != root && slices.Contains(l, c.Subject)
		case identity.Narrow:
			return c.Operator != root && slices.Contains(l, c.Operator)
		}
		return false
	})
}

// InForce reports whether a revoke, narrow, quota or readmit stands, its
// subject is its issuer's to restrict, and nothing supersedes it.
func (m *Model) InForce(id identity.StatementID) bool {
	in, ok := m.inForce[id]
	if !ok {
		s := m.known[id]
		in = s != nil && m.subject(s) && m.Stands(id) && m.entitled(s) && !m.superseded(s, func(*identity.Statement) bool { return true })
		m.inForce[id] = in
	}
	return in
}

func subjectOf(s *identity.Statement) (subject identity.StatementID) {
	switch c := s.Content.(type) {
	case identity.Revoke:
		subject = c.Subject
	case identity.Narrow:
		subject = c.Operator
	case identity.Quota:
		subject = c.Subject
	}
	return subject
}

// subjectStands reports whether there is anything to restrict.
func (m *Model) subjectStands(s *identity.Statement) bool {
	return s.Kind() == identity.KindReadmit || m.Stands(subjectOf(s))
}

// owner returns the operator below whom, or whose, the subject of a restriction
// is, by the shape of the tree; own says whether it may be its issuer's own.
func (m *Model) owner(s *identity.Statement) (operator identity.StatementID, own, ok bool) {
	subject := subjectOf(s)
	revoke, _ := s.Content.(identity.Revoke)
	key := revoke.Key != nil
	if _, ok := m.admission(subject); ok {
		return subject, false, !key
	}
	switch of := m.known[subject]; {
	case of == nil || s.Kind() == identity.KindNarrow:
	case of.Kind() == identity.KindEnrol:
		return as(of), true, true
	case of.Kind() == identity.KindInvite:
		return as(of), true, s.Kind() == identity.KindRevoke && !key
	}
	return root, false, false
}

// subject reports whether the subject is in the subtree of whom s is issued as.
func (m *Model) subject(s *identity.Statement) bool {
	if s.Kind() == identity.KindReadmit {
		return true
	}
	operator, own, ok := m.owner(s)
	return ok && len(m.lineage(operator)) > 0 && (m.above(as(s), operator) || own && as(s) == operator)
}

// entitled reports whether the role suffices for the subject: any for a node of
// one's own, else an admin's.
func (m *Model) entitled(s *identity.Statement) bool {
	if s.Kind() == identity.KindReadmit || s.As == nil {
		return true
	}
	if of := m.known[subjectOf(s)]; of != nil && of.Kind() == identity.KindEnrol && as(of) == *s.As {
		return true
	}
	x, _ := m.admission(*s.As)
	admin := x.grant.Role == identity.RoleAdmin
	for _, r := range m.on(*s.As) {
		if c, ok := r.Content.(identity.Narrow); ok && !m.carriedWithin(s, r.ID(), anyCarrier) {
			admin = admin && c.Role == identity.RoleAdmin
		}
	}
	return admin
}

// superseded reports whether a statement that stands, passes the filter and has
// the right to supersedes s.
func (m *Model) superseded(s *identity.Statement, filter func(*identity.Statement) bool) bool {
	return slices.ContainsFunc(m.order, func(by *identity.Statement) bool { return m.supersedes(by, s) && filter(by) })
}

func (m *Model) supersedes(by, s *identity.Statement) bool {
	return slices.Contains(by.Supersedes, s.ID()) && (as(by) == as(s) || m.above(as(by), as(s))) && m.Stands(by.ID())
}

// Version returns the version that the root asks for.
func (m *Model) Version() (version uint64) {
	version = identity.FirstVersion
	for _, s := range m.order {
		if c, ok := s.Content.(identity.Version); ok && m.Stands(s.ID()) {
			version = max(version, c.Version)
		}
	}
	return version
}

// activePolicies returns the policies that stand and do not keep the place.
func (m *Model) activePolicies(at identity.Place) (list []*identity.Statement) {
	for _, s := range m.order {
		if s.Kind() == identity.KindPolicy && m.Stands(s.ID()) && !Within(m.keep(s.ID()), at) {
			list = append(list, s)
		}
	}
	return list
}

// Rule returns the policy rule for key in an operation at that place, or after everything.
func (m *Model) Rule(at identity.Place, key []byte) (best identity.PolicyRule, ok bool) {
	var from *identity.Statement
	active := m.activePolicies(at)
	for _, s := range active {
		if slices.ContainsFunc(active, func(by *identity.Statement) bool { return m.supersedes(by, s) }) ||
			m.superseded(s, func(by *identity.Statement) bool { return by.Kind() != identity.KindPolicy }) {
			continue
		}
		for _, r := range s.Content.(identity.Policy).Rules {
			if r.Pattern.Match(key) && (from == nil || m.precedes(s, r, from, best)) {
				from, best, ok = s, r, true
			}
		}
	}
	return best, ok
}

// precedes orders two rules that match, in the order of section 7; of one
// statement the later is r.
func (m *Model) precedes(s *identity.Statement, r identity.PolicyRule, than *identity.Statement, rule identity.PolicyRule) bool {
	switch {
	case r.Priority != rule.Priority:
		return r.Priority > rule.Priority
	case m.rank(as(s)) != m.rank(as(than)):
		return m.rank(as(s)) < m.rank(as(than))
	case as(s) != as(than):
		return as(s).Compare(as(than)) < 0
	case s.Seq != than.Seq:
		return s.Seq > than.Seq
	}
	return s == than || s.ID().Compare(than.ID()) < 0
}
