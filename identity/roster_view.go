package identity

import "slices"

// An Operator is one that an effective statement admitted.
type Operator struct {
	ID     StatementID // of the statement that admitted it
	Issuer PublicKey   // who issued that: a founder, another operator's key, or a ticket
	Name   string      // for people; not unique
	Keys   []PublicKey // ascending
	Grant
}

// An Enrolment is an effective one: it names the node's operator.
type Enrolment struct {
	ID        StatementID // of the statement that enrolled it
	Operator  StatementID
	Slot      uint64 // two nodes in one slot are a fork of that author
	Node      PublicKey
	Rotations uint64
}

// An Invitation is an effective invite and what became of it.
type Invitation struct {
	ID       StatementID
	Issuer   PublicKey
	Redeemed StatementID // the operator it admitted; zero if none yet
	Invite
}

// invited is an invite and the redeem that counts, if any.
type invited struct{ invite, redeem *Statement }

// An Author is a key that writes, with the place it has and what its operator
// was granted. Keys at the same Operator, Slot and Index are one author that forked.
type Author struct {
	Enrolment
	Key          PublicKey    // Node, or the one it was rotated to
	Index        uint64       // 0 for Node
	From         *PublicKey   // the key that Key took over from; nil for Node
	Rotation     *StatementID // the statement that says so; nil for Node
	OperatorName string
	Role         Role         // as granted
	Patterns     []Pattern    // as granted: which keys it may write, unless Role is a reader's; shared
	Revoked      *StatementID // what revokes it now; nil if nothing does
}

// Operators returns the operators, ascending by ID, in a new slice.
func (r *Roster) Operators() []Operator {
	list := make([]Operator, len(r.operators))
	for i, o := range r.operators {
		list[i] = *o
	}
	return list
}

// Operator returns one operator by its ID.
func (r *Roster) Operator(id StatementID) (Operator, bool) {
	i, ok := slices.BinarySearchFunc(r.operators, id, func(o *Operator, id StatementID) int { return o.ID.Compare(id) })
	if !ok {
		return Operator{}, false
	}
	return *r.operators[i], true
}

// Nodes returns the enrolled nodes, ascending by node key, in a new slice.
func (r *Roster) Nodes() []Enrolment {
	list := make([]Enrolment, len(r.authors))
	for i, a := range r.authors {
		list[i] = a.Enrolment
	}
	return list
}

// Invitations returns the effective invites, redeemed or not, ascending by ID,
// in a new slice.
func (r *Roster) Invitations() []Invitation {
	list := make([]Invitation, len(r.invites))
	for i, v := range r.invites {
		list[i] = Invitation{ID: v.invite.id, Issuer: v.invite.Issuer, Invite: v.invite.Content.(Invite)}
		if v.redeem != nil {
			list[i].Redeemed = v.redeem.id
		}
	}
	return list
}

// Policy returns the effective policy rules in order of precedence: of the
// rules that match a key, the first holds.
// The slice is shared: read only.
func (r *Roster) Policy() []PolicyRule { return r.rules }

// PolicyOf returns the rule that holds for key, or false if none matches.
func (r *Roster) PolicyOf(key []byte) (PolicyRule, bool) {
	for _, rule := range r.rules {
		if rule.Pattern.Match(key) {
			return rule, true
		}
	}
	return PolicyRule{}, false
}

// Len returns how many entries the roster holds: statements, effective or not,
// a redeem once for each author that carried it.
func (r *Roster) Len() int { return len(r.entries) }

// Statement returns a carried statement by its ID, effective or not, or nil.
func (r *Roster) Statement(id StatementID) *Statement {
	i, ok := slices.BinarySearchFunc(r.entries, id, func(e *entry, id StatementID) int { return e.statement.id.Compare(id) })
	if ok {
		return r.entries[i].statement
	}
	return nil
}

// Next returns seq and prev for the issuer's next statement: those that follow
// its carried statement of the greatest seq (and, if its chain forks there, the
// least ID).
func (r *Roster) Next(issuer PublicKey) (seq uint64, prev *StatementID) {
	seq = 1
	for _, e := range r.entries {
		if s := e.statement; s.Issuer == issuer && s.Seq >= seq && r.counts(e) {
			id := s.id
			seq, prev = s.Seq+1, &id
		}
	}
	return seq, prev
}
