package dag

import "github.com/causeway-sync/causeway/identity"

// A Judgement says which transactions of an op count, by a roster: which are
// void and which are not (docs/roster.md sections 5 and 7). It is a small
// value, fit to be made for each op.
type Judgement struct{ standing *identity.Standing }

// Judge returns what o is worth by the roster of all that was delivered, o
// among it. It is a pure function of the two: who asks, and when, does not matter.
func Judge(r *identity.Roster, o *Op) Judgement {
	return Judgement{r.StandingAt(o.author.key, o)}
}

// Void returns why the transaction, one of the op's, does not count, nil if it
// does. The error matches identity.ErrNotEnrolled, ErrRevoked, ErrReader,
// ErrOutsideGrant, ErrLocal or ErrOwned, or [ErrForm]. A transaction that does not
// count is void whole. Void allocates nothing for one that counts.
func (j Judgement) Void(t Transaction) error {
	if err := mayWrite(j.standing, t); err != nil {
		return err
	}
	for i := range t {
		if w := &t[i]; w.Kind == Replace {
			if rule, ok := j.standing.Rule(w.Key); ok && rule.Form != nil {
				if err := CheckForm(rule.Form, w.Key, w.Value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Form returns the form that policy demands of a value which a put of the op's
// leaves at key, nil for none. Of a replace Void has seen to it; what a patch or a merge
// makes is only known to who knows the key's other writes (docs/merge.md sections 1 and 2).
func (j Judgement) Form(key []byte) *identity.Form {
	rule, _ := j.standing.Rule(key)
	return rule.Form
}

// Passes reports whether a delete of a range, in a transaction of the op's that
// counts, passes over the key: it is local, or another operator's.
func (j Judgement) Passes(key []byte) bool {
	rule, ok := j.standing.Rule(key)
	if !ok {
		return false
	}
	operator, _ := j.standing.Operator()
	return rule.Mode == identity.ModeLocal || rule.Mode == identity.ModeOwned && *rule.Owner != operator
}
