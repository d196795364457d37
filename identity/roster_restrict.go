package identity

import "slices"

// stands reports whether a statement stands (docs/roster.md, section 3), and
// as whose. It asks about the issuer's own standing and about the restrictions
// on it and on its sponsors, all of which must be derived.
// Of enrolments it judges all, of redeems and rotations none.
func (f *frame) stands(e *entry) (*issued, bool) {
	if f.found == nil || !e.in(f.founding) {
		return nil, false
	}
	s := e.statement
	if s.As == nil {
		if !f.voted(e) {
			return nil, false
		}
		return &issued{entry: e, by: f.root, admin: true}, true
	}
	by, ok := f.operators[*s.As]
	if !ok || !slices.Contains(by.Keys, s.Issuer) || !permits(by.Role, by.Patterns, s) {
		return nil, false
	}
	if c, ok := s.Content.(Enrol); ok && (c.Slot >= by.Nodes || !s.consented(f.found.id)) {
		return nil, false
	}
	admin := by.Role == RoleAdmin
	for _, r := range by.chain {
		if e.within(r.entry.keep, nil) {
			continue
		}
		if !r.permits(by, s) {
			return nil, false
		}
		admin = admin && r.entry.statement.Content.(Narrow).Role == RoleAdmin
	}
	return &issued{entry: e, by: by, admin: admin}, true
}

// voted reports whether the root issues the statement: a founder, and as many
// that endorse it as are needed. In the founding op it takes its issuer only.
func (f *frame) voted(e *entry) bool {
	s := e.statement
	if !slices.Contains(f.founders, s.Issuer) {
		return false
	}
	switch s.Kind() {
	case KindFound:
		return s.id == f.found.id
	case KindEndorse:
		return true
	case KindRedeem, KindRotate:
		return false
	}
	if s.Mesh == nil || f.quorum <= 1 {
		return true
	}
	votes := 1
	for _, founder := range f.founders {
		if founder != s.Issuer && f.endorsed(s.id, founder) {
			votes++
		}
	}
	return votes >= f.quorum
}

// endorsed reports whether the founder endorses the statement.
func (f *frame) endorsed(id StatementID, founder PublicKey) bool {
	found := false
	f.set.about(issuerTopic(id, founder), func(e *entry) bool {
		c, ok := e.statement.Content.(Endorse)
		found = ok && c.Statement == id && e.statement.Issuer == founder && e.in(f.founding)
		return !found
	})
	return found
}

// permits reports whether a restriction lets stand a statement of the operator
// by that is not within its keep.
func (s *issued) permits(by *operator, statement *Statement) bool {
	c, ok := s.entry.statement.Content.(Narrow)
	if !ok {
		return false
	}
	if enrol, ok := statement.Content.(Enrol); ok && c.Operator == by.ID && enrol.Slot >= c.Nodes {
		return false
	}
	return permits(c.Role, c.Patterns, statement)
}

// permits reports whether a role and patterns cover a statement: docs/roster.md,
// section 4. Whom a revoke and a quota may be about shows where they are applied.
func permits(role Role, patterns []Pattern, s *Statement) bool {
	switch c := s.Content.(type) {
	case Admit:
		return role == RoleAdmin && containsAll(patterns, c.Patterns)
	case Invite:
		return role == RoleAdmin && containsAll(patterns, c.Patterns)
	case Policy:
		for _, rule := range c.Rules {
			if role != RoleAdmin || !containsAll(patterns, []Pattern{rule.Pattern}) {
				return false
			}
		}
		return true
	case Narrow:
		return role == RoleAdmin
	case Enrol, Revoke, Quota, Readmit, Rotate:
		return true
	}
	return false
}

// onNode reports whether s, by its issuer, may be about an enrolment of the
// operator's: its own with any role, those below it as admin.
func (s *issued) onNode(o *operator) bool { return s.by == o || s.admin && s.by.above(o) }

// onOperator reports whether s may be about the operator.
func (s *issued) onOperator(o *operator) bool {
	return s.admin && s.by.above(o)
}
