package identity

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A step is a place in a small history.
type step struct{ before []*step }

func (s *step) InPastOf(p Place) bool {
	return slices.ContainsFunc(p.(*step).before, func(b *step) bool { return b == s || s.InPastOf(b) })
}

func after(before ...*step) *step { return &step{before} }

// at carries a statement in an op of author's at that place; keep are those
// that its keep heads name, in the order of [keepOf].
func (m *site) at(place *step, author string, s *Statement, keep ...*step) *Statement {
	c := Carried{Statement: s, At: place, Author: testKey(author).Public(), Seq: uint64(len(m.carried) + 1)}
	c.Op = [32]byte{2, 1: byte(len(m.carried))}
	for _, k := range keep {
		c.Keep = append(c.Keep, k)
	}
	m.carried = append(m.carried, c)
	return s
}

// settle puts what was carried nowhere in particular at a place.
func (m *site) settle(place *step) {
	for i := range m.carried {
		if m.carried[i].At == nil {
			m.carried[i].At = place
		}
	}
}

// keepOf returns keep heads for so many ops; which ones, [site.at] says.
func keepOf(n int) (heads [][32]byte) {
	for i := range n {
		heads = append(heads, [32]byte{3, 1: byte(i)})
	}
	return heads
}

// supersede signs a statement that ends others, as the key's first operator.
func (m *site) supersede(key string, c Content, ends ...*Statement) *Statement {
	d := Statement{Mesh: &m.founding, As: m.as[key], Seq: 1, Content: c}
	for _, s := range ends {
		d.Supersedes = append(d.Supersedes, s.id)
	}
	slices.SortFunc(d.Supersedes, StatementID.Compare)
	return mustSign(m.t, d, testKey(key))
}

func wantWrite(t *testing.T, what string, r *Roster, node string, place *step, key string, want error) {
	t.Helper()
	s := r.Standing(testKey(node).Public())
	if place != nil {
		s = r.StandingAt(testKey(node).Public(), place)
	}
	if err := s.MayWrite([]byte(key)); !errors.Is(err, want) {
		t.Errorf("%s: MayWrite(%q) = %v, want %v", what, key, err, want)
	}
}

// TestRevoke: what is kept counts, the rest does not, whenever it arrives; a
// wider restriction that supersedes widens, a readmit ends.
func TestRevoke(t *testing.T) {
	m := newSite(t)
	m.begin()
	a := m.admit("F", "a", []string{"A"}, RoleAdmin, "/a/**")
	m.enrol("A", a.ID(), 0, "an")
	zero := after()
	m.settle(zero)
	one := after(zero)
	two := after(one)
	three := after(two)
	backdated := after(one)

	first := m.at(three, "node", m.supersede("F", Revoke{Subject: a.ID(), Keep: keepOf(1)}), one)
	r := m.roster()
	wantWrite(t, "kept", r, "an", one, "/a/x", nil)
	wantWrite(t, "later", r, "an", two, "/a/x", ErrRevoked)
	wantWrite(t, "backdated", r, "an", backdated, "/a/x", ErrRevoked)
	wantWrite(t, "now", r, "an", nil, "/a/x", ErrRevoked)
	if err := r.Standing(testKey("an").Public()).Err(); !strings.Contains(err.Error(), "by the root, statement "+first.ID().String()) {
		t.Errorf("Err() = %v, want who revoked", err)
	}
	if author, ok := r.Author(testKey("an").Public()); !ok || author.Revoked == nil || *author.Revoked != first.ID() {
		t.Errorf("Author = %+v, %v", author, ok)
	}
	if o, _ := r.Operator(a.ID()); o.Revoked == nil || !slices.Equal(o.Restrictions, []StatementID{first.ID()}) || o.Rank != 1 || o.Sponsor != nil {
		t.Errorf("Operator = %+v", o)
	}
	m.at(three, "node", a) // an old admission carried again readmits nobody
	wantWrite(t, "admitted again", m.roster(), "an", nil, "/a/x", ErrRevoked)

	wider := m.at(three, "node", m.supersede("F", Revoke{Subject: a.ID(), Keep: keepOf(1)}, first), two)
	r = m.roster()
	wantWrite(t, "widened", r, "an", two, "/a/x", nil)
	wantWrite(t, "widened, backdated", r, "an", backdated, "/a/x", ErrRevoked)
	if v := r.Restrictions(); len(v) != 2 {
		t.Errorf("Restrictions = %+v", v)
	} else {
		for _, v := range v {
			if old := v.Statement.ID() == first.ID(); v.InForce == old || (v.SupersededBy != nil) != old || old && *v.SupersededBy != wider.ID() {
				t.Errorf("Restriction = %+v", v)
			}
		}
	}
	m.at(three, "node", m.supersede("F", Readmit{}, wider))
	r = m.roster()
	wantWrite(t, "readmitted", r, "an", nil, "/a/x", nil)
	wantWrite(t, "readmitted, backdated", r, "an", backdated, "/a/x", nil)
}

// TestRevokeIsTransitive: what a revoked operator admitted is void beyond what
// is kept, its own restrictions too.
func TestRevokeIsTransitive(t *testing.T) {
	m := newSite(t)
	m.begin()
	one := after()
	two := after(one)
	as := m.admit("F", "a", []string{"A"}, RoleAdmin, "**")
	child := m.at(one, "node", m.draft("A", false, Admit{Name: "child", Keys: sortedKeys("C"), Grant: Grant{Role: RoleWriter, Patterns: []Pattern{"/c/**"}, Nodes: 1}}))
	id := child.ID()
	m.as["C"] = &id
	m.at(one, "node", m.draft("C", false, Enrol{Node: testKey("cn").Public(), Consent: SignConsent(m.founding, id, 0, testKey("cn"))}))
	m.at(two, "node", m.draft("A", false, Admit{Name: "late", Keys: sortedKeys("L"), Grant: Grant{Role: RoleReader}}))
	m.at(two, "node", m.draft("A", false, Revoke{Subject: id}))
	r := m.roster()
	wantWrite(t, "revoked by its sponsor, keeping not even its enrolment", r, "cn", one, "/c/x", ErrNotEnrolled)
	m.at(after(two), "node", m.draft("F", false, Revoke{Subject: as.ID(), Keep: keepOf(1)}), one)
	r = m.roster()
	wantNames(t, r, "a", "child", "o")
	wantWrite(t, "within keep", r, "cn", one, "/c/x", nil)
	wantWrite(t, "beyond", r, "cn", two, "/c/x", ErrRevoked)
	if o, _ := r.Operator(id); o.Rank != 2 || o.Sponsor == nil || *o.Sponsor != as.ID() {
		t.Errorf("Operator = %+v", o)
	}
}

// TestNarrow: beyond what is kept a narrowed operator has what both grants
// give, and a narrowed admin restricts nobody but its own nodes.
func TestNarrow(t *testing.T) {
	m := newSite(t)
	m.begin()
	one := after()
	two := after(one)
	a := m.admit("F", "a", []string{"A"}, RoleAdmin, "/a/**", "/b/**")
	m.enrol("A", a.ID(), 0, "an")
	c := m.admit("A", "c", []string{"C"}, RoleWriter, "/b/**")
	m.enrol("C", c.ID(), 0, "cn")
	enrolled := m.enrol("A", a.ID(), 1, "an2")
	m.settle(one)
	m.at(two, "node", m.draft("F", false, Narrow{Operator: a.ID(), Role: RoleWriter, Patterns: []Pattern{"/a/**", "/c/**"}, Nodes: 1, Keep: keepOf(1)}), one)
	r := m.roster()
	wantWrite(t, "within both", r, "an", two, "/a/x", nil)
	wantWrite(t, "within its grant", r, "an", two, "/b/x", ErrOutsideGrant)
	wantWrite(t, "within its grant, kept", r, "an", one, "/b/x", nil)
	wantWrite(t, "not in its grant", r, "an", two, "/c/x", ErrOutsideGrant)
	wantWrite(t, "below it", r, "cn", two, "/b/x", ErrOutsideGrant)
	wantWrite(t, "in a slot that is kept", r, "an2", two, "/a/x", nil)

	three := after(two)
	m.at(three, "node", m.draft("A", false, Revoke{Subject: c.ID()}))
	wantWrite(t, "revoked by what is an admin no more", m.roster(), "cn", one, "/b/x", nil)
	m.at(three, "node", m.draft("A", false, Revoke{Subject: enrolled.ID()}))
	wantWrite(t, "its own node revoked", m.roster(), "an2", one, "/a/x", ErrRevoked)
	m.at(three, "node", m.draft("A", false, Enrol{Slot: 1, Node: testKey("late").Public(), Consent: SignConsent(m.founding, a.ID(), 1, testKey("late"))}))
	wantWrite(t, "in a slot taken away", m.roster(), "late", nil, "/a/x", ErrNotEnrolled)
}

// TestRedeemWithin: of a revoked invite only a redeem counts that its host had
// carried within what is kept.
func TestRedeemWithin(t *testing.T) {
	m := newSite(t)
	m.begin()
	one := after()
	two := after(one)
	i := m.invite("O", "T", "node", "/t/**")
	s := m.redeem("T", i, "t")
	m.at(one, "elsewhere", s) // not the host
	m.at(two, "node", s)
	wantNames(t, m.roster(), "o", "t")
	m.at(after(two), "node", m.draft("O", false, Revoke{Subject: i.ID(), Keep: keepOf(1)}), one)
	r := m.roster()
	wantNames(t, r, "o")
	if v := r.Invitations(); len(v) != 1 || v[0].Revoked == nil || v[0].Redeemed != (StatementID{}) {
		t.Errorf("Invitations = %+v", v)
	}
	m.at(one, "node", s)
	wantNames(t, m.roster(), "o", "t")
}

// TestCarriers: a carrier with another in its past adds nothing.
func TestCarriers(t *testing.T) {
	m := newSite(t)
	m.begin()
	one := after()
	two := after(one)
	s := m.draft("F", false, Admit{Name: "a", Keys: sortedKeys("A"), Grant: Grant{Role: RoleReader}})
	m.at(one, "node", s)
	first := m.roster()
	m.at(two, "elsewhere", s)
	if r := first.With(m.carried[len(m.carried)-1]); r != first {
		t.Errorf("carried again later: another roster")
	}
	if r := EmptyRoster().With(m.carried[len(m.carried)-1]).With(m.carried...); !r.Equal(first) {
		t.Errorf("carried again later, which arrives first: not Equal")
	}
	m.at(after(), "elsewhere", s)
	if r := m.roster(); r.Equal(first) || r.Len() != first.Len() {
		t.Errorf("carried again beside it: Equal, or one statement more")
	}
}

// TestRotation follows a node's keys, and a revoked one.
func TestRotation(t *testing.T) {
	m := newSite(t)
	_, o := m.begin()
	e := m.sayAs(m.as["O"], "O", Enrol{Slot: 1, Node: testKey("k0").Public(), Rotations: 3,
		Consent: SignConsent(m.founding, o.ID(), 1, testKey("k0"))})
	rotate := func(place *step, by, to string, index uint64) {
		c := Rotate{Enrolment: e.ID(), Index: index, Key: testKey(to).Public(), Consent: SignRotationConsent(m.founding, e.ID(), index, testKey(to))}
		m.at(place, by, mustSign(t, Statement{Mesh: &m.founding, Seq: 1, Content: c}, testKey(by)))
	}
	one := after()
	two := after(one)
	rotate(one, "k0", "k1", 1)
	rotate(two, "k1", "k3", 3)
	rotate(two, "k3", "beyond", 3)
	rotate(two, "node", "another's", 2)
	rotate(two, "k0", "k3 too", 3)
	r := m.roster()
	for key, index := range map[string]uint64{"k0": 0, "k1": 1, "k3": 3, "k3 too": 3} {
		a, ok := r.Author(testKey(key).Public())
		if !ok || a.ID != e.ID() || a.Index != index || (a.From == nil) != (index == 0) {
			t.Errorf("Author of %s = %+v, %v; want index %d", key, a, ok, index)
		}
	}
	if enrolled(r, "beyond") || enrolled(r, "another's") {
		t.Errorf("a rotation stands that must not")
	}
	if got := r.Siblings(testKey("k3").Public()); !slices.Equal(got, sortedKeys("k3 too")) {
		t.Errorf("Siblings = %v", got)
	}
	k0 := testKey("k0").Public()
	m.at(after(two), "node", m.draft("O", false, Revoke{Subject: e.ID(), Key: &k0, Keep: keepOf(1)}), one)
	r = m.roster()
	wantWrite(t, "the old key, kept", r, "k0", one, "/x", nil)
	wantWrite(t, "the old key", r, "k0", two, "/x", ErrRevoked)
	wantWrite(t, "the new key", r, "k3", nil, "/x", nil)
	wantWrite(t, "rotated by the old key since", r, "k3 too", nil, "/x", ErrNotEnrolled)
}
