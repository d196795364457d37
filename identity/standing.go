package identity

// A Standing says what a key may write, at a place in causality.
type Standing struct {
	roster *Roster
	key    PublicKey
	author *Author // nil if not enrolled
}

// Standing returns what the key may write after everything: in an operation
// with all of the roster's statements in its past.
func (r *Roster) Standing(key PublicKey) *Standing {
	a, _ := r.Author(key)
	return &Standing{roster: r, key: key, author: a}
}

// StandingAt returns what the key may write in the operation at that place.
func (r *Roster) StandingAt(key PublicKey, at Place) *Standing { return r.Standing(key) }

// Err returns nil if the key is enrolled and not revoked, or an error that
// matches [ErrNotEnrolled] or [ErrRevoked].
func (s *Standing) Err() error {
	if s.author == nil {
		return notEnrolled(s.key)
	}
	return nil
}

// MayWrite returns nil if the key may write k, or an error that matches
// [ErrNotEnrolled], [ErrRevoked], [ErrReader], [ErrOutsideGrant], [ErrLocal] or
// [ErrOwned]. When it returns nil it has allocated nothing.
func (s *Standing) MayWrite(k []byte) error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.author.Role < RoleWriter {
		return ErrReader
	}
	for _, p := range s.author.Patterns {
		if p.Match(k) {
			return nil
		}
	}
	return outside(k)
}

// MayWriteRange is [Standing.MayWrite] for every key k with key ≤ k < end (an
// empty end means no upper bound), by role and grant only: one single pattern
// must contain the range.
func (s *Standing) MayWriteRange(key, end []byte) error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.author.Role < RoleWriter {
		return ErrReader
	}
	for _, p := range s.author.Patterns {
		if p.MatchRange(key, end) {
			return nil
		}
	}
	return outsideRange(key, end)
}

// Rule returns the policy rule by which key is judged, or false if none matches.
func (s *Standing) Rule(key []byte) (PolicyRule, bool) { return s.roster.PolicyOf(key) }

// Quota returns the bounds on the running totals of the key's chain; 0 for none.
func (s *Standing) Quota() (bytes, writes uint64) { return 0, 0 }

// Siblings returns the other keys at the same operator, slot and index,
// revoked enrolments and keys aside.
func (r *Roster) Siblings(key PublicKey) []PublicKey {
	a, ok := r.Author(key)
	if !ok {
		return nil
	}
	var keys []PublicKey
	for _, b := range r.authors {
		if b.Operator == a.Operator && b.Slot == a.Slot && b.Index == a.Index && b.Key != key {
			keys = append(keys, b.Key)
		}
	}
	return keys
}

// Version returns of which version an operation with the roster's statements in its past must be.
func (r *Roster) Version() uint64 { return 0 }
