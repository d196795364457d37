// Package rostertest is the slow reference of identity's Roster: what
// docs/roster.md says of a set of carried statements, definition by definition,
// by looking at all statements again and again. Tests compare the two.
//
// It shares nothing with the Roster but the statements themselves, their
// consents and the patterns.
package rostertest

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// A Model answers what a Roster of the same carried statements should. It is
// for one goroutine.
type Model struct {
	founding [32]byte
	found    *identity.Statement
	carried  []identity.Carried // that can count in this mesh
	known    map[identity.StatementID]*identity.Statement
	order    []*identity.Statement // known, ascending by ID

	stands  map[identity.StatementID]bool
	inForce map[identity.StatementID]bool
}

// New returns the model of the roster of those statements.
func New(carried []identity.Carried) *Model {
	m := &Model{
		known:   map[identity.StatementID]*identity.Statement{},
		stands:  map[identity.StatementID]bool{},
		inForce: map[identity.StatementID]bool{},
	}
	var signed []identity.Carried
	for _, c := range carried {
		if c.Statement.VerifySignature() && c.Founding == (c.Statement.Mesh == nil) && len(c.Keep) == len(c.Statement.KeepHeads()) {
			signed = append(signed, c)
		}
	}
	for _, c := range signed {
		f, ok := c.Statement.Content.(identity.Found)
		if !ok || !slices.Contains(f.Founders, c.Statement.Issuer) {
			continue
		}
		if m.found == nil || cmp.Or(bytes.Compare(c.Op[:], m.founding[:]), c.Statement.ID().Compare(m.found.ID())) < 0 {
			m.founding, m.found = c.Op, c.Statement
		}
	}
	if m.found == nil {
		return m
	}
	for _, c := range signed {
		if mesh := c.Statement.Mesh; mesh == nil && c.Op == m.founding || mesh != nil && *mesh == m.founding {
			m.carried = append(m.carried, c)
			m.known[c.Statement.ID()] = c.Statement
		}
	}
	for _, s := range m.known {
		m.order = append(m.order, s)
	}
	slices.SortFunc(m.order, func(a, b *identity.Statement) int { return a.ID().Compare(b.ID()) })
	return m
}

// content returns a known statement's content as a T.
func content[T identity.Content](m *Model, id identity.StatementID) (c T, ok bool) {
	s := m.known[id]
	if s == nil {
		return c, false
	}
	c, ok = s.Content.(T)
	return c, ok
}

// An admission is an operator, standing or not; the zero value is the root.
type admission struct {
	id      identity.StatementID
	sponsor identity.StatementID
	keys    []identity.PublicKey
	grant   identity.Grant
}

func as(s *identity.Statement) (id identity.StatementID) {
	if s.As != nil {
		id = *s.As
	}
	return id
}

// admission returns the operator of that ID, if its admission is known.
func (m *Model) admission(id identity.StatementID) (admission, bool) {
	if c, ok := content[identity.Admit](m, id); ok {
		return admission{id, as(m.known[id]), c.Keys, c.Grant}, true
	}
	if c, ok := content[identity.Redeem](m, id); ok {
		if i, ok := content[identity.Invite](m, c.Invite); ok {
			return admission{id, as(m.known[c.Invite]), c.Keys, i.Grant}, true
		}
	}
	return admission{}, false
}

var root identity.StatementID

// lineage returns an operator and its sponsors, the root last.
func (m *Model) lineage(id identity.StatementID) []identity.StatementID {
	list := []identity.StatementID{id}
	for id != root {
		a, ok := m.admission(id)
		if !ok {
			return nil
		}
		id = a.sponsor
		list = append(list, id)
	}
	return list
}

// above reports whether a is a sponsor above b.
func (m *Model) above(a, b identity.StatementID) bool {
	l := m.lineage(b)
	return len(l) > 1 && slices.Contains(l[1:], a)
}

func (m *Model) rank(id identity.StatementID) int { return len(m.lineage(id)) - 1 }

// Within reports whether a place is within what is kept.
func Within(keep []identity.Place, at identity.Place) bool {
	return at != nil && slices.ContainsFunc(keep, func(head identity.Place) bool { return head == at || at.InPastOf(head) })
}

// keep returns what a restriction keeps.
func (m *Model) keep(id identity.StatementID) []identity.Place {
	for _, c := range m.carried {
		if c.Statement.ID() == id {
			return c.Keep
		}
	}
	return nil
}

// carriedWithin reports whether a carrier that passes the filter is within r's keep.
func (m *Model) carriedWithin(s *identity.Statement, r identity.StatementID, filter func(identity.Carried) bool) bool {
	return slices.ContainsFunc(m.carried, func(c identity.Carried) bool {
		return c.Statement.ID() == s.ID() && filter(c) && Within(m.keep(r), c.At)
	})
}

func anyCarrier(identity.Carried) bool { return true }

// Stands reports whether a statement stands: docs/roster.md, section 3.
func (m *Model) Stands(id identity.StatementID) bool {
	stands, ok := m.stands[id]
	if !ok {
		s := m.known[id]
		stands = s != nil && m.judge(s)
		m.stands[id] = stands
	}
	return stands
}

func (m *Model) judge(s *identity.Statement) bool {
	switch c := s.Content.(type) {
	case identity.Redeem:
		return m.redeemed(c.Invite) == s.ID()
	case identity.Rotate:
		return m.rotates(s, c)
	}
	if s.As == nil {
		return m.voted(s)
	}
	x, ok := m.admission(*s.As)
	if !ok || !m.Stands(x.id) || !slices.Contains(x.keys, s.Issuer) || !covers(x.grant, s, true) {
		return false
	}
	if c, ok := s.Content.(identity.Enrol); ok && !identity.VerifyConsent(m.where(s), x.id, c.Slot, c.Node, c.Consent) {
		return false
	}
	for _, r := range m.on(x.id) {
		if !m.carriedWithin(s, r.ID(), anyCarrier) && !narrowCovers(r, s) {
			return false
		}
	}
	return true
}

// where is what a consent in the statement names.
func (m *Model) where(s *identity.Statement) [32]byte {
	if s.Mesh == nil {
		return m.found.ID()
	}
	return *s.Mesh
}

func (m *Model) voted(s *identity.Statement) bool {
	f := m.found.Content.(identity.Found)
	if !slices.Contains(f.Founders, s.Issuer) {
		return false
	}
	switch s.Kind() {
	case identity.KindFound:
		return s.ID() == m.found.ID()
	case identity.KindEndorse:
		return true
	case identity.KindEnrol:
		return false
	}
	votes := map[identity.PublicKey]bool{s.Issuer: true}
	for _, e := range m.order {
		if c, ok := e.Content.(identity.Endorse); ok && c.Statement == s.ID() && slices.Contains(f.Founders, e.Issuer) {
			votes[e.Issuer] = true
		}
	}
	return s.Mesh == nil || uint64(len(votes)) >= f.Threshold
}

// covers reports whether a grant covers a statement: section 4. What a revoke
// and a quota may be about is subject's matter.
func covers(g identity.Grant, s *identity.Statement, own bool) bool {
	contains := func(patterns ...identity.Pattern) bool {
		for _, b := range patterns {
			if !slices.ContainsFunc(g.Patterns, func(a identity.Pattern) bool { return a.Contains(b) }) {
				return false
			}
		}
		return g.Role == identity.RoleAdmin
	}
	switch c := s.Content.(type) {
	case identity.Admit:
		return contains(c.Patterns...)
	case identity.Invite:
		return contains(c.Patterns...)
	case identity.Policy:
		for _, r := range c.Rules {
			if !contains(r.Pattern) {
				return false
			}
		}
		return true
	case identity.Narrow:
		return g.Role == identity.RoleAdmin
	case identity.Enrol:
		return !own || c.Slot < g.Nodes
	case identity.Revoke, identity.Quota, identity.Readmit:
		return true
	}
	return false
}

// narrowCovers reports whether r is a narrow that covers a statement, which for
// slots binds the narrowed operator only. It covers every rotate.
func narrowCovers(r, s *identity.Statement) bool {
	c, ok := r.Content.(identity.Narrow)
	if !ok {
		return false
	}
	return s.Kind() == identity.KindRotate ||
		covers(identity.Grant{Role: c.Role, Patterns: c.Patterns, Nodes: c.Nodes}, s, as(s) == c.Operator)
}

// redeemed returns the redeem of an invite that counts, zero for none: of those
// that the host carries, and that no restriction on the invite, its issuer or
// those above voids, the one carried first.
func (m *Model) redeemed(invite identity.StatementID) identity.StatementID {
	c, ok := content[identity.Invite](m, invite)
	if !ok || !m.Stands(invite) {
		return root
	}
	host := func(at identity.Carried) bool { return at.Author == c.Host }
	restrictions := append(m.on(as(m.known[invite])), m.restricting(func(r *identity.Statement) bool {
		revoke, ok := r.Content.(identity.Revoke)
		return ok && revoke.Subject == invite
	})...)
	var first *identity.Carried
	for i, at := range m.carried {
		r, ok := at.Statement.Content.(identity.Redeem)
		if !ok || r.Invite != invite || at.Statement.Issuer != c.Ticket || !host(at) {
			continue
		}
		if slices.ContainsFunc(restrictions, func(r *identity.Statement) bool {
			return !m.carriedWithin(at.Statement, r.ID(), host) && !narrowCovers(r, m.known[invite])
		}) {
			continue
		}
		if first == nil || cmp.Or(cmp.Compare(at.Seq, first.Seq), cmp.Compare(at.Index, first.Index), at.Statement.ID().Compare(first.Statement.ID())) < 0 {
			first = &m.carried[i]
		}
	}
	if first == nil {
		return root
	}
	return first.Statement.ID()
}
