package identity

import (
	"cmp"
	"slices"
)

// An Operator is one whose admission stands.
type Operator struct {
	ID      StatementID  // of the statement that admitted it
	Sponsor *StatementID // the operator that admitted it; nil for the root
	Rank    int          // how far from the root: 1 if that admitted it
	Issuer  PublicKey    // who issued the admission: a founder, a key of the sponsor, or a ticket
	Name    string       // for people; not unique
	Keys    []PublicKey  // ascending
	Grant                // as admitted: what restricts it now is in Restrictions

	// Restrictions are in force on the operator or a sponsor, the root's first.
	Restrictions []StatementID
	Revoked      *StatementID // the first of them that revokes; nil if none
}

// An Enrolment is one that stands: it names the node's operator.
type Enrolment struct {
	ID        StatementID // of the statement that enrolled it
	Operator  StatementID
	Slot      uint64
	Node      PublicKey // its first key
	Rotations uint64    // up to which index it may replace its key
}

// An Author is a key that writes, with the place it has and what its operator
// was granted. Keys at the same Operator, Slot and Index are one author that forked.
type Author struct {
	Enrolment
	Key          PublicKey    // Node, or the one it was rotated to
	Index        uint64       // 0 for Node
	From         *PublicKey   // the key that handed on to Key; nil for Node
	Rotation     *StatementID // the statement that says so; nil for Node
	OperatorName string
	Role         Role         // as granted
	Patterns     []Pattern    // as granted: which keys it may write, unless Role is a reader's; shared
	Revoked      *StatementID // what revokes the key, its enrolment, its operator or a sponsor now; nil if nothing does
}

// An Invitation is an invite that stands and what became of it.
type Invitation struct {
	ID       StatementID
	Sponsor  *StatementID // as whom it was issued; nil for the root
	Issuer   PublicKey
	Redeemed StatementID  // the operator it admitted; zero if none yet
	Revoked  *StatementID // a statement in force that revokes it; nil if none
	Invite
}

// A Restriction is a revoke, narrow, policy or quota that stands, or a readmit.
type Restriction struct {
	Statement *Statement
	By        *StatementID // as whom it was issued; nil for the root
	Rank      int          // the issuer's: 0 for the root

	// SupersededBy is a statement that ends it: that of the issuer nearest to
	// the root, then of the least ID. Of a policy that a policy supersedes: for
	// what that one does not keep. Nil if it is not superseded.
	SupersededBy *StatementID
	// InForce reports whether it is not superseded and its subject, if it has
	// one, stands and is its issuer's to restrict.
	InForce bool
}

func (o *operator) view() Operator {
	v := o.Operator
	for _, r := range o.chain {
		v.Restrictions = append(v.Restrictions, r.id())
		if v.Revoked == nil && r.entry.statement.Kind() == KindRevoke {
			v.Revoked = &r.entry.statement.id
		}
	}
	return v
}

// byID names as whom a statement was issued; nil for the root.
func (s *issued) byID() *StatementID { return s.entry.statement.As }

// Operators returns the operators, ascending by ID, in a new slice.
func (r *Roster) Operators() []Operator {
	var list []Operator
	for _, o := range r.basis.frame().operators {
		list = append(list, o.view())
	}
	slices.SortFunc(list, func(a, b Operator) int { return a.ID.Compare(b.ID) })
	return list
}

// Operator returns one operator by its ID.
func (r *Roster) Operator(id StatementID) (Operator, bool) {
	o, ok := r.basis.frame().operators[id]
	if !ok {
		return Operator{}, false
	}
	return o.view(), true
}

// Nodes returns the authors, those of revoked nodes and of rotated keys too:
// ascending by operator, slot, index and key, in a new slice. It looks at every
// statement.
func (r *Roster) Nodes() []Author {
	var keys []PublicKey
	r.set.statements(func(e *entry) bool {
		switch c := e.statement.Content.(type) {
		case Enrol:
			keys = append(keys, c.Node)
		case Rotate:
			keys = append(keys, c.Key)
		}
		return true
	})
	slices.SortFunc(keys, PublicKey.Compare)
	var list []Author
	for _, key := range slices.Compact(keys) {
		if a, ok := r.Author(key); ok {
			list = append(list, *a)
		}
	}
	slices.SortFunc(list, func(a, b Author) int {
		return cmp.Or(a.Operator.Compare(b.Operator), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Index, b.Index), a.Key.Compare(b.Key))
	})
	return list
}

// Invitations returns the invites that stand, redeemed or not, ascending by ID,
// in a new slice.
func (r *Roster) Invitations() []Invitation {
	f := r.basis.frame()
	var list []Invitation
	for _, i := range f.invites {
		s := i.entry.statement
		v := Invitation{ID: s.id, Sponsor: i.byID(), Issuer: s.Issuer, Invite: s.Content.(Invite)}
		if i.redeem != nil {
			v.Redeemed = i.redeem.ID
		}
		for _, by := range f.restrictionsOnInvite(i) {
			if by.entry.statement.Kind() == KindRevoke {
				v.Revoked = &by.entry.statement.id
				break
			}
		}
		list = append(list, v)
	}
	return list
}

// Restrictions returns the revokes, narrows, quotas and readmits that stand:
// by rank of the issuer, then issuer, then seq, then ID, in a new slice.
func (r *Roster) Restrictions() []Restriction {
	f := r.basis.frame()
	var list []Restriction
	for _, s := range f.issued {
		v := s.view()
		v.InForce = s.ended == nil && r.hasSubject(s)
		list = append(list, v)
	}
	slices.SortFunc(list, Restriction.compare)
	return list
}

// Policies returns the policies that stand, in the order of [Roster.Restrictions].
func (r *Roster) Policies() []Restriction {
	var list []Restriction
	for _, p := range r.basis.frame().policies {
		v := p.view()
		if first := p.ended; first == nil {
			for _, q := range p.by {
				if first == nil || q.issued.before(first) {
					first = q.issued
				}
			}
			if first != nil {
				v.SupersededBy = &first.entry.statement.id
			}
		}
		v.InForce = v.SupersededBy == nil
		list = append(list, v)
	}
	slices.SortFunc(list, Restriction.compare)
	return list
}

func (s *issued) view() Restriction {
	v := Restriction{Statement: s.entry.statement, By: s.byID(), Rank: s.by.Rank}
	if s.ended != nil {
		v.SupersededBy = &s.ended.entry.statement.id
	}
	return v
}

func (v Restriction) compare(b Restriction) int {
	as := func(id *StatementID) (of StatementID) {
		if id != nil {
			of = *id
		}
		return of
	}
	return cmp.Or(cmp.Compare(v.Rank, b.Rank), as(v.By).Compare(as(b.By)),
		cmp.Compare(v.Statement.Seq, b.Statement.Seq), v.Statement.id.Compare(b.Statement.id))
}

// hasSubject reports whether what a restriction is about stands and is its
// issuer's to restrict.
func (r *Roster) hasSubject(s *issued) bool {
	f := r.basis.frame()
	var subject StatementID
	switch c := s.entry.statement.Content.(type) {
	case Revoke:
		subject = c.Subject
	case Narrow:
		o := f.operators[c.Operator]
		return o != nil && s.onOperator(o)
	case Quota:
		subject = c.Subject
	default:
		return true
	}
	revoke, _ := s.entry.statement.Content.(Revoke)
	if o := f.operators[subject]; o != nil {
		return revoke.Key == nil && s.onOperator(o)
	}
	e := r.set.get(subject)
	if e == nil {
		return false
	}
	of, ok := f.stands(e)
	switch e.statement.Kind() {
	case KindEnrol:
		return ok && s.onNode(of.by)
	case KindInvite:
		return ok && s.entry.statement.Kind() == KindRevoke && revoke.Key == nil && s.admin && s.onNode(of.by)
	}
	return false
}

// PolicyOf returns the rule that holds for key now, which is after everything,
// or false if none matches.
func (r *Roster) PolicyOf(key []byte) (PolicyRule, bool) {
	if rule := r.basis.frame().policyAt(nil).of(key); rule != nil {
		return *rule, true
	}
	return PolicyRule{}, false
}

// Policy returns the rules of now in order of precedence: of the rules that
// match a key, the first holds. The slice is new.
func (r *Roster) Policy() []PolicyRule {
	var list []PolicyRule
	for _, rule := range r.basis.frame().policyAt(nil).rules {
		list = append(list, *rule)
	}
	return list
}
