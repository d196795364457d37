package rostertest

import (
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// An Author is the place of a key that writes.
type Author struct {
	Enrolment identity.StatementID
	Operator  identity.StatementID
	Slot      uint64
	Index     uint64
	Rotation  identity.StatementID // zero for the enrolment's own key
}

// rotates reports whether a rotate stands.
func (m *Model) rotates(s *identity.Statement, c identity.Rotate) bool {
	e, ok := content[identity.Enrol](m, c.Enrolment)
	if !ok || !m.Stands(c.Enrolment) || c.Index > e.Rotations || !m.holdsBelow(s.Issuer, c.Enrolment, c.Index) ||
		!identity.VerifyRotationConsent(*s.Mesh, c.Enrolment, c.Index, c.Key, c.Consent) {
		return false
	}
	own := func(at identity.Carried) bool { return at.Author == s.Issuer }
	if !slices.ContainsFunc(m.carried, func(at identity.Carried) bool { return at.Statement.ID() == s.ID() && own(at) }) {
		return false
	}
	for _, r := range m.onKey(s.Issuer, c.Enrolment) {
		if !m.carriedWithin(s, r.ID(), own) && !narrowCovers(r, s) {
			return false
		}
	}
	return true
}

// holdsBelow reports whether a key holds an index of the enrolment below that one.
func (m *Model) holdsBelow(key identity.PublicKey, enrolment identity.StatementID, index uint64) bool {
	if e, ok := content[identity.Enrol](m, enrolment); ok && e.Node == key && index > 0 {
		return true
	}
	return slices.ContainsFunc(m.order, func(s *identity.Statement) bool {
		c, ok := s.Content.(identity.Rotate)
		return ok && c.Enrolment == enrolment && c.Key == key && c.Index < index && m.Stands(s.ID())
	})
}

// onKey returns the restrictions in force on a key of an enrolment, its
// operator and those above.
func (m *Model) onKey(key identity.PublicKey, enrolment identity.StatementID) []*identity.Statement {
	return append(m.on(as(m.known[enrolment])), m.onNode(key, enrolment)...)
}

// onNode returns those on the key and the enrolment only.
func (m *Model) onNode(key identity.PublicKey, enrolment identity.StatementID) []*identity.Statement {
	return m.restricting(func(r *identity.Statement) bool {
		c, ok := r.Content.(identity.Revoke)
		return ok && c.Subject == enrolment && (c.Key == nil || *c.Key == key)
	})
}

// Author returns where a key belongs after everything.
func (m *Model) Author(key identity.PublicKey) (Author, bool) { return m.AuthorAt(key, nil) }

// AuthorAt returns where a key belongs, as the author of an operation at that place.
func (m *Model) AuthorAt(key identity.PublicKey, at identity.Place) (Author, bool) {
	var all, carried []Author
	add := func(s *identity.Statement, a Author) {
		all = append(all, a)
		if at != nil && m.carriedBefore(s, at) {
			carried = append(carried, a)
		}
	}
	for _, s := range m.order { // the enrolment of the least ID
		if c, ok := s.Content.(identity.Enrol); ok && c.Node == key && m.Stands(s.ID()) {
			add(s, Author{Enrolment: s.ID(), Operator: *s.As, Slot: c.Slot})
		}
	}
	for _, s := range m.order { // or else the rotate of the least ID
		if c, ok := s.Content.(identity.Rotate); ok && c.Key == key && m.Stands(s.ID()) {
			e, _ := content[identity.Enrol](m, c.Enrolment)
			add(s, Author{Enrolment: c.Enrolment, Operator: *m.known[c.Enrolment].As, Slot: e.Slot, Index: c.Index, Rotation: s.ID()})
		}
	}
	for _, a := range append(carried, all...) { // if the past carries any, then of those
		return a, true
	}
	return Author{}, false
}

// carriedBefore reports whether an operation's past carries a statement, or the
// founding op itself. A rotate is carried by its issuer's operations.
func (m *Model) carriedBefore(s *identity.Statement, at identity.Place) bool {
	return slices.ContainsFunc(m.carried, func(c identity.Carried) bool {
		return c.Statement.ID() == s.ID() && c.At != nil && (s.Kind() != identity.KindRotate || c.Author == s.Issuer) &&
			(c.At.InPastOf(at) || c.Founding && c.At == at)
	})
}

// Keys returns all keys that are somebody's, ascending.
func (m *Model) Keys() (keys []identity.PublicKey) {
	for _, s := range m.order {
		var key identity.PublicKey
		switch c := s.Content.(type) {
		case identity.Enrol:
			key = c.Node
		case identity.Rotate:
			key = c.Key
		default:
			continue
		}
		if _, ok := m.Author(key); ok {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, identity.PublicKey.Compare)
	return slices.Compact(keys)
}

// Siblings returns the other keys at the same operator, slot and index, which
// nothing revokes by themselves or with their enrolment; ascending.
func (m *Model) Siblings(key identity.PublicKey) (keys []identity.PublicKey) {
	a, ok := m.Author(key)
	if !ok {
		return nil
	}
	for _, k := range m.Keys() {
		b, _ := m.Author(k)
		if k != key && b.Operator == a.Operator && b.Slot == a.Slot && b.Index == a.Index && len(m.onNode(k, b.Enrolment)) == 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

// Quota returns the least quotas in force on a chain; 0 for none.
func (m *Model) Quota(key identity.PublicKey) (bytes, writes uint64) {
	a, ok := m.Author(key)
	if !ok {
		return 0, 0
	}
	least := func(a, b uint64) uint64 {
		if a == 0 || b == 0 {
			return a + b
		}
		return min(a, b)
	}
	for _, s := range m.order {
		c, ok := s.Content.(identity.Quota)
		if !ok || c.Subject != a.Enrolment && !slices.Contains(m.lineage(a.Operator), c.Subject) || !m.InForce(s.ID()) {
			continue
		}
		bytes, writes = least(bytes, c.Bytes), least(writes, c.Writes)
	}
	return bytes, writes
}

// restrictions returns what counts against an operation of the key at a place;
// ErrNotEnrolled or ErrRevoked if nothing of it counts.
func (m *Model) restrictions(key identity.PublicKey, at identity.Place) (admission, []identity.Narrow, error) {
	a, ok := m.AuthorAt(key, at)
	if !ok {
		return admission{}, nil, identity.ErrNotEnrolled
	}
	o, _ := m.admission(a.Operator)
	var narrows []identity.Narrow
	for _, r := range m.onKey(key, a.Enrolment) {
		if Within(m.keep(r.ID()), at) {
			continue
		}
		c, ok := r.Content.(identity.Narrow)
		if !ok {
			return o, nil, identity.ErrRevoked
		}
		narrows = append(narrows, c)
	}
	return o, narrows, nil
}

// may reports which error forbids a write that matches judges for each set of patterns.
func (m *Model) may(author identity.PublicKey, at identity.Place, matches func(identity.Pattern) bool) (admission, error) {
	o, narrows, err := m.restrictions(author, at)
	if err != nil {
		return o, err
	}
	role, sets := o.grant.Role, [][]identity.Pattern{o.grant.Patterns}
	for _, n := range narrows {
		role, sets = min(role, n.Role), append(sets, n.Patterns)
	}
	if role < identity.RoleWriter {
		return o, identity.ErrReader
	}
	for _, set := range sets {
		if !slices.ContainsFunc(set, matches) {
			return o, identity.ErrOutsideGrant
		}
	}
	return o, nil
}

// MayWrite returns nil if an operation of the author at that place, or after
// everything, may write the key, or the bare error that says why not.
func (m *Model) MayWrite(author identity.PublicKey, at identity.Place, key []byte) error {
	o, err := m.may(author, at, func(p identity.Pattern) bool { return p.Match(key) })
	if err != nil {
		return err
	}
	switch rule, _ := m.Rule(at, key); {
	case rule.Mode == identity.ModeLocal:
		return identity.ErrLocal
	case rule.Mode == identity.ModeOwned && *rule.Owner != o.id:
		return identity.ErrOwned
	}
	return nil
}

// MayWriteRange is the same for a range, by role and grant only.
func (m *Model) MayWriteRange(author identity.PublicKey, at identity.Place, key, end []byte) error {
	_, err := m.may(author, at, func(p identity.Pattern) bool { return p.MatchRange(key, end) })
	return err
}
