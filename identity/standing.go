package identity

import "fmt"

// A Standing says what a key may write, in operations of one class of places:
// those that the same restrictions and policies keep. It is immutable.
type Standing struct {
	key           PublicKey
	operator      StatementID // zero if not enrolled
	err           error
	rights        rights
	policy        *policyRules
	bytes, writes uint64
}

// rights are what restrictions leave of an operator's grant.
type rights struct {
	role    Role
	grants  grants
	revoked *issued // nil if nothing revokes
}

// A class is of places that are judged alike.
type class struct {
	kept   string // for each restriction on the author whether it keeps the place: 1 or 0
	policy *policyRules
}

// rightsUnder returns what restrictions leave of an operator's grant at places
// of which kept says, for each, whether it keeps them.
func (o *operator) rightsUnder(restrictions []*issued, kept []byte) rights {
	left := rights{role: o.Role}
	sets := [][]Pattern{o.Patterns}
	for i, r := range restrictions {
		if kept[i] == 1 {
			continue
		}
		c, ok := r.entry.statement.Content.(Narrow)
		if !ok {
			left.revoked = r
			return left
		}
		left.role = min(left.role, c.Role)
		sets = append(sets, c.Patterns)
	}
	left.grants = newGrants(fold(sets))
	return left
}

// judge computes what the author may write after everything.
func (a *record) judge() {
	f, o := a.frame, a.operator
	rightsNow := func() rights { return o.rightsUnder(a.restrictions, make([]byte, len(a.restrictions))) }
	now := &Standing{key: a.Key, operator: o.ID, policy: f.policyAt(nil)}
	a.heads = f.rules.heads
	if len(a.restrictions) == len(o.chain) {
		o.once.Do(func() { o.now = rightsNow() })
		now.rights = o.now
	} else {
		now.rights = rightsNow()
	}
	if len(a.restrictions) > 0 {
		var heads []Place
		for _, r := range a.restrictions {
			heads = append(heads, r.entry.keep...)
		}
		a.heads = greatest(append(heads, f.rules.heads...))
	}
	now.bytes, now.writes = f.quota(o, a.ID)
	now.settle()
	a.now = now
	if by := now.rights.revoked; by != nil {
		a.Revoked = &by.entry.statement.id
	}
}

// settle makes the standing's error.
func (s *Standing) settle() {
	if by := s.rights.revoked; by != nil {
		as := "the root"
		if by.by.Rank > 0 {
			as = fmt.Sprintf("operator %q", by.by.Name)
		}
		s.err = fmt.Errorf("%w by %s, statement %v", ErrRevoked, as, by.id())
	}
}

// quota returns the least bounds in force on a chain: 0 for none.
func (f *frame) quota(o *operator, enrolment StatementID) (bytes, writes uint64) {
	take := func(q *issued) {
		c := q.entry.statement.Content.(Quota)
		bytes, writes = leastOf(bytes, c.Bytes), leastOf(writes, c.Writes)
	}
	for _, q := range f.quotas[enrolment] {
		if q.onNode(o) {
			take(q)
		}
	}
	for ; o != f.root; o = o.sponsor {
		for _, q := range f.quotas[o.ID] {
			if q.onOperator(o) {
				take(q)
			}
		}
	}
	return bytes, writes
}

// Standing returns what the key may write after everything: in an operation
// with all of the roster's statements in its past. Of a key that is enrolled
// it allocates nothing once it was asked before.
func (r *Roster) Standing(key PublicKey) *Standing { return r.StandingAt(key, nil) }

// StandingAt returns what the key may write in the operation at that place: in
// most cases, where no restriction or policy keeps it, what [Roster.Standing]
// returns.
func (r *Roster) StandingAt(key PublicKey, at Place) *Standing {
	a := r.record(key)
	if a == nil {
		return &Standing{key: key, err: notEnrolled(key), policy: r.basis.frame().policyAt(at)}
	}
	a = a.of(at)
	if at == nil || !within(a.heads, at) {
		return a.now
	}
	return a.at(at)
}

// at returns the standing in a place that some restriction or policy keeps.
func (a *record) at(at Place) *Standing {
	kept := make([]byte, len(a.restrictions))
	for i, r := range a.restrictions {
		if within(r.entry.keep, at) {
			kept[i] = 1
		}
	}
	in := class{kept: string(kept), policy: a.frame.policyAt(at)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.classes[in]; s != nil {
		return s
	}
	s := &Standing{key: a.Key, operator: a.Operator, policy: in.policy, bytes: a.now.bytes, writes: a.now.writes}
	s.rights = a.operator.rightsUnder(a.restrictions, kept)
	s.settle()
	if a.classes == nil || len(a.classes) >= maxClasses {
		a.classes = map[class]*Standing{}
	}
	a.classes[in] = s
	return s
}

// Err returns nil if the key is enrolled and not revoked, or an error that
// matches [ErrNotEnrolled] or [ErrRevoked].
func (s *Standing) Err() error { return s.err }

// MayWrite returns nil if the key may write k, or an error that matches
// [ErrNotEnrolled], [ErrRevoked], [ErrReader], [ErrOutsideGrant], [ErrLocal] or
// [ErrOwned]: the first that holds. When it returns nil it has allocated nothing.
func (s *Standing) MayWrite(k []byte) error {
	switch {
	case s.err != nil:
		return s.err
	case s.rights.role < RoleWriter:
		return ErrReader
	case !s.rights.grants.match(k):
		return outside(k)
	}
	rule := s.policy.of(k)
	switch {
	case rule == nil:
	case rule.Mode == ModeLocal:
		return fmt.Errorf("%w: key %s", ErrLocal, quoteKey(k))
	case rule.Mode == ModeOwned && *rule.Owner != s.operator:
		return fmt.Errorf("%w: key %s, of %v", ErrOwned, quoteKey(k), *rule.Owner)
	}
	return nil
}

// MayWriteRange is [Standing.MayWrite] for every key k with key ≤ k < end (an
// empty end means no upper bound), by role and grant only: one single pattern
// must contain the range.
func (s *Standing) MayWriteRange(key, end []byte) error {
	switch {
	case s.err != nil:
		return s.err
	case s.rights.role < RoleWriter:
		return ErrReader
	case !s.rights.grants.matchRange(key, end):
		return fmt.Errorf("%w: range %s to %s", ErrOutsideGrant, quoteKey(key), quoteKey(end))
	}
	return nil
}

// Rule returns the policy rule by which key is judged, or false if none matches.
func (s *Standing) Rule(key []byte) (PolicyRule, bool) {
	if rule := s.policy.of(key); rule != nil {
		return *rule, true
	}
	return PolicyRule{}, false
}

// Operator returns the operator of the key, or false if that is not enrolled.
func (s *Standing) Operator() (StatementID, bool) { return s.operator, s.operator != StatementID{} }

// Quota returns the least bounds on the running totals of the key's chain; 0 for none.
func (s *Standing) Quota() (bytes, writes uint64) { return s.bytes, s.writes }

func notEnrolled(key PublicKey) error { return fmt.Errorf("%w: %v", ErrNotEnrolled, key) }

func outside(key []byte) error { return fmt.Errorf("%w: key %s", ErrOutsideGrant, quoteKey(key)) }

// quoteKey quotes a key for an error, cut to a length that suits a log line.
// It copies, so that the caller's key need not live on the heap.
func quoteKey(key []byte) string {
	const most = 256
	if len(key) > most {
		return fmt.Sprintf("%q… (%d bytes)", string(key[:most]), len(key))
	}
	return fmt.Sprintf("%q", string(key))
}
