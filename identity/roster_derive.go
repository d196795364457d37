package identity

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// A frame is what follows from the statements of a roster that found, admit,
// restrict and set policy, and so for everybody. Enrolments and rotations are
// judged by it, author by author (roster_author.go), and leave it as it is.
// A frame is immutable but for what it computes once.
type frame struct {
	set      *set
	founding [32]byte
	found    *Statement // nil: nothing stands
	founders []PublicKey
	quorum   int // how many founders act as the root
	version  uint64

	root      *operator
	operators map[StatementID]*operator
	invites   []*invitation
	issued    []*issued // restrictions, readmits and quotas that stand, as derived

	ends     map[StatementID][]*issued // what supersedes a statement, by whomever
	restrict map[StatementID][]*issued // revokes and narrows that nothing supersedes, by subject
	quotas   map[StatementID][]*issued // quotas that nothing supersedes, by subject
	policies []*policy                 // all that stand

	rules ruleBook
}

// An operator is one that stands, or the root.
type operator struct {
	Operator
	sponsor *operator // nil for the root
	chain   []*issued // the restrictions in force on it and its sponsors, the root's first

	once sync.Once
	now  rights // of its nodes after everything, where nothing else restricts them
}

// An issued is a statement that stands, with whom it is issued as.
type issued struct {
	entry *entry
	by    *operator
	admin bool // whether the issuer was an admin there
	ended *issued
}

func (s *issued) id() StatementID { return s.entry.statement.id }

// An invitation is an invite that stands and the redeem that counts, if any.
type invitation struct {
	*issued
	redeem *operator
}

// above reports whether o is a sponsor of b, directly or not.
func (o *operator) above(b *operator) bool {
	if o.Rank >= b.Rank {
		return false // nor is it above itself
	}
	for b.Rank > o.Rank {
		b = b.sponsor
	}
	return o == b
}

// derive computes the frame of a set from the root downwards: whether a
// statement stands depends on its issuer's sponsors only (docs/roster.md, section 3).
func derive(s *set) *frame {
	f := &frame{set: s, version: FirstVersion}
	f.chooseFound()
	if f.found == nil {
		return f
	}
	c := f.found.Content.(Found)
	f.founders, f.quorum = c.Founders, int(c.Threshold)
	f.operators = map[StatementID]*operator{}
	f.ends = map[StatementID][]*issued{}
	f.restrict = map[StatementID][]*issued{}
	f.quotas = map[StatementID][]*issued{}
	f.root = &operator{Operator: Operator{Keys: c.Founders}}
	waiting := []*operator{f.root}
	for len(waiting) > 0 {
		next := waiting[0]
		waiting = append(waiting[1:], f.apply(next)...)
	}
	f.finish()
	return f
}

// chooseFound finds what founds the mesh: of the statements whose issuer is
// among the founders they name, that of the least founding op (a graph has
// one), then of the least ID.
func (f *frame) chooseFound() {
	f.set.about(newTopic([32]byte{}, 0), func(e *entry) bool {
		c, ok := e.statement.Content.(Found)
		if !ok || !slices.Contains(c.Founders, e.statement.Issuer) {
			return true
		}
		return e.carriers.each(func(in *carrier) bool {
			if f.found == nil || bytes.Compare(in.op[:], f.founding[:]) < 0 {
				f.founding, f.found = in.op, e.statement
			}
			return true
		})
	})
}

// apply derives what an operator's statements amount to, and returns whom it admits.
func (f *frame) apply(by *operator) (admitted []*operator) {
	var stand []*issued
	collect := func(e *entry) bool {
		if s, ok := f.stands(e); ok && s.by == by {
			stand = append(stand, s)
		}
		return true
	}
	for _, key := range by.Keys {
		if by == f.root {
			f.set.about(newTopic(key, narrowVotes), collect)
		} else {
			f.set.about(issuerTopic(by.ID, key), collect)
		}
	}
	for _, s := range stand {
		for _, id := range s.entry.statement.Supersedes {
			f.ends[id] = append(f.ends[id], s)
		}
	}
	var invites []*invitation
	for _, s := range stand {
		switch c := s.entry.statement.Content.(type) {
		case Invite:
			invites = append(invites, &invitation{issued: s})
		case Version:
			f.version = max(f.version, c.Version)
		case Policy:
			f.enact(s, c)
		case Revoke:
			f.enforce(s, c.Subject, f.restrict)
		case Narrow:
			f.enforce(s, c.Operator, f.restrict)
		case Quota:
			f.enforce(s, c.Subject, f.quotas)
		case Readmit:
			f.issued = append(f.issued, s)
		}
	}
	// Whom it admits is bound by what it restricts, whichever has the lesser ID.
	for _, s := range stand {
		if c, ok := s.entry.statement.Content.(Admit); ok {
			admitted = append(admitted, f.admit(s.entry.statement, by, c.Name, c.Keys, c.Grant))
		}
	}
	for _, i := range invites {
		if o := f.redeem(i); o != nil {
			admitted = append(admitted, o)
		}
	}
	f.invites = append(f.invites, invites...)
	return admitted
}

// enforce registers a restriction or quota unless it is superseded.
func (f *frame) enforce(s *issued, subject StatementID, in map[StatementID][]*issued) {
	s.ended = f.endedBy(s, func(*issued) bool { return true })
	f.issued = append(f.issued, s)
	if s.ended == nil {
		in[subject] = append(in[subject], s)
	}
}

// endedBy returns what supersedes s with the right to: that of the issuer nearest
// to the root, then of the least ID; nil if nothing that also passes the filter does.
func (f *frame) endedBy(s *issued, filter func(*issued) bool) (by *issued) {
	for _, e := range f.ends[s.id()] {
		if (e.by == s.by || e.by.above(s.by)) && filter(e) && (by == nil || e.before(by)) {
			by = e
		}
	}
	return by
}

// before orders statements by the rank of their issuers, then by ID.
func (s *issued) before(b *issued) bool {
	return cmp.Or(cmp.Compare(s.by.Rank, b.by.Rank), s.id().Compare(b.id())) < 0
}

// admit adds the operator that s, an admit or a redeem, admits.
func (f *frame) admit(s *Statement, by *operator, name string, keys []PublicKey, grant Grant) *operator {
	o := &operator{sponsor: by, chain: by.chain}
	o.Operator = Operator{ID: s.id, Rank: by.Rank + 1, Issuer: s.Issuer, Name: name, Keys: keys, Grant: grant}
	if by != f.root {
		o.Sponsor = &by.ID
	}
	if own := f.binding(o); len(own) > 0 {
		o.chain = append(slices.Clip(by.chain), own...)
	}
	f.operators[s.id] = o
	return o
}

// binding returns the restrictions in force on the operator itself.
func (f *frame) binding(o *operator) (own []*issued) {
	for _, r := range f.restrict[o.ID] {
		if revoke, ok := r.entry.statement.Content.(Revoke); ok && revoke.Key != nil {
			continue
		}
		if r.onOperator(o) {
			own = append(own, r)
		}
	}
	return own
}

// redeem returns the operator that an invite's redeem admits, or nil. Of those
// that the invite's host carries, and that nothing voids, the one carried
// first counts: at the least seq, then the least position, then of the least ID.
func (f *frame) redeem(i *invitation) *operator {
	invite := i.entry.statement
	c := invite.Content.(Invite)
	restrictions := f.restrictionsOnInvite(i)
	var first *entry
	var at *carrier
	f.set.about(issuerTopic(invite.id, c.Ticket), func(e *entry) bool {
		r, ok := e.statement.Content.(Redeem)
		if !ok || r.Invite != invite.id || e.statement.Issuer != c.Ticket || !e.in(f.founding) {
			return true
		}
		for _, r := range restrictions {
			if !e.within(r.entry.keep, &c.Host) && !r.permits(i.by, invite) {
				return true
			}
		}
		return e.carriers.each(func(d *carrier) bool {
			if d.author == c.Host && (at == nil || cmp.Or(cmp.Compare(d.seq, at.seq), cmp.Compare(d.index, at.index)) < 0) {
				first, at = e, d
			}
			return true
		})
	})
	if first == nil {
		return nil
	}
	r := first.statement.Content.(Redeem)
	i.redeem = f.admit(first.statement, i.by, r.Name, r.Keys, c.Grant)
	return i.redeem
}

// restrictionsOnInvite returns the restrictions in force on whoever redeems an invite.
func (f *frame) restrictionsOnInvite(i *invitation) []*issued {
	list := i.by.chain
	for _, s := range f.restrict[i.id()] {
		c, ok := s.entry.statement.Content.(Revoke)
		if ok && c.Key == nil && s.admin && s.onNode(i.by) {
			list = append(slices.Clip(list), s)
		}
	}
	return list
}

// finish puts what was derived in the order in which it is shown.
func (f *frame) finish() {
	slices.SortFunc(f.invites, func(a, b *invitation) int { return a.id().Compare(b.id()) })
	f.finishPolicies()
}

// same reports whether f, the frame of old, is also that of grown, which holds
// all that old does: whether nothing that was added stands in it, enrolments
// and rotations aside. What does not stand changes nothing for others, so if
// no addition stands by itself, they do not together.
func (f *frame) same(grown, old *set) bool {
	same := true
	grown.beyond(old, func(e *entry) { same = same && f.inert(e) })
	return same
}

// inert reports whether the frame is the same with the entry.
func (f *frame) inert(e *entry) bool {
	s := e.statement
	if s.Mesh == nil {
		return false
	}
	if f.found == nil || *s.Mesh != f.founding {
		return true
	}
	switch c := s.Content.(type) {
	case Enrol, Rotate:
		return true
	case Redeem:
		at, open := slices.BinarySearchFunc(f.invites, c.Invite, func(i *invitation, id StatementID) int { return i.id().Compare(id) })
		return !open || f.invites[at].entry.statement.Content.(Invite).Ticket != s.Issuer
	case Endorse:
		return !slices.Contains(f.founders, s.Issuer)
	}
	// With more carriers, what stood still stands.
	_, now := f.stands(e)
	if !now {
		return true
	}
	old := f.set.get(s.id)
	if old == nil {
		return false
	}
	_, before := f.stands(old)
	return before
}
