package identity

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A site is a test's view of one mesh: it signs statements with named keys and
// carries them. Each key has its own statement chain.
type site struct {
	t        testing.TB
	founding [32]byte
	chains   map[string]*Statement
	as       map[string]*StatementID // the first operator that a key was admitted with; nil: the root
	carried  []Carried
	seq      uint64
}

func newSite(t testing.TB) *site {
	return &site{t: t, founding: testMesh, chains: map[string]*Statement{}, as: map[string]*StatementID{}}
}

// draft continues the key's chain, as its first operator.
func (m *site) draft(key string, founding bool, c Content) *Statement {
	return m.draftAs(m.as[key], key, founding, c)
}

func (m *site) draftAs(as *StatementID, key string, founding bool, c Content) *Statement {
	d := Statement{Mesh: &m.founding, As: as, Seq: 1, Content: c}
	if d.Content.kind() == KindRedeem {
		d.As = nil
	}
	if founding {
		d.Mesh = nil
	}
	if last := m.chains[key]; last != nil && c.kind() != KindRedeem {
		id := last.ID()
		d.Seq, d.Prev = last.Seq+1, &id
	}
	s := mustSign(m.t, d, testKey(key))
	m.chains[key] = s
	return s
}

// say carries a statement in a new op of node "node".
func (m *site) say(key string, c Content) *Statement { return m.sayAs(m.as[key], key, c) }

func (m *site) sayAs(as *StatementID, key string, c Content) *Statement {
	s := m.draftAs(as, key, false, c)
	m.carry(s, "node")
	return s
}

// found carries a statement in the founding op.
func (m *site) found(key string, c Content) *Statement { return m.foundAs(nil, key, c) }

func (m *site) foundAs(as *StatementID, key string, c Content) *Statement {
	s := m.draftAs(as, key, true, c)
	m.carried = append(m.carried, Carried{Statement: s, Op: m.founding, Author: testKey("node").Public(), Seq: 1, Index: len(m.carried), Founding: true})
	m.seq = 1
	return s
}

func (m *site) carry(s *Statement, author string) {
	m.seq++
	op := [32]byte{0: 1, 1: byte(m.seq >> 8), 2: byte(m.seq)}
	m.carried = append(m.carried, Carried{Statement: s, Op: op, Author: testKey(author).Public(), Seq: m.seq})
}

// begin founds the mesh: founder F, operator O (an admin of everything, three
// slots) with node "node" in slot 0, and the default policy.
func (m *site) begin() (found, operator *Statement) {
	found = m.found("F", Found{Nonce: [32]byte{1}, Threshold: 1, Founders: sortedKeys("F")})
	operator = m.found("F", Admit{Name: "o", Keys: sortedKeys("O"), Grant: Grant{Role: RoleAdmin, Patterns: []Pattern{"**"}, Nodes: 3}})
	m.found("F", Policy{Rules: []PolicyRule{rule("**", 0, ModeMerge)}})
	id := operator.ID()
	m.as["O"] = &id
	m.foundAs(&id, "O", Enrol{Node: testKey("node").Public(),
		Consent: SignConsent(found.ID(), operator.ID(), 0, testKey("node"))})
	return found, operator
}

// enrol enrols a consenting node.
func (m *site) enrol(key string, operator StatementID, slot uint64, node string) *Statement {
	return m.sayAs(&operator, key, Enrol{Slot: slot, Node: testKey(node).Public(),
		Consent: SignConsent(m.founding, operator, slot, testKey(node))})
}

func (m *site) admit(key, name string, keys []string, role Role, patterns ...Pattern) *Statement {
	return m.admitAs(m.as[key], key, name, keys, role, patterns...)
}

func (m *site) admitAs(as *StatementID, key, name string, keys []string, role Role, patterns ...Pattern) *Statement {
	s := m.sayAs(as, key, Admit{Name: name, Keys: sortedKeys(keys...), Grant: Grant{Role: role, Patterns: patterns, Nodes: 2}})
	for _, k := range keys {
		if m.as[k] == nil {
			id := s.ID()
			m.as[k] = &id
		}
	}
	return s
}

func rule(p Pattern, priority uint64, mode Mode) PolicyRule {
	r := PolicyRule{Pattern: p, Priority: priority, Mode: mode}
	if mode == ModeOwned {
		r.Owner = &testFirst
	}
	return r
}

func (m *site) invite(key, ticket, host string, patterns ...Pattern) *Statement {
	return m.say(key, Invite{Ticket: testKey(ticket).Public(), Host: testKey(host).Public(),
		Grant: Grant{Role: RoleWriter, Patterns: patterns, Nodes: 1}})
}

func (m *site) redeem(ticket string, invite *Statement, name string) *Statement {
	return m.draft(ticket, false, Redeem{Invite: invite.ID(), Name: name, Keys: sortedKeys(name)})
}

func (m *site) roster() *Roster { return EmptyRoster().With(m.carried...) }

func operatorNames(r *Roster) (names []string) {
	for _, o := range r.Operators() {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

func wantNames(t *testing.T, r *Roster, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, operatorNames(r)); diff != "" {
		t.Errorf("operators (-want +got):\n%s", diff)
	}
}

func enrolled(r *Roster, node string) bool {
	_, ok := r.Author(testKey(node).Public())
	return ok
}

func TestRosterOfFoundingOp(t *testing.T) {
	m := newSite(t)
	found, operator := m.begin()
	r := m.roster()
	if mesh, ok := r.Mesh(); !ok || mesh != m.founding || r.Found() != found {
		t.Errorf("Mesh() = %x, %v; Found() = %v", mesh, ok, r.Found())
	}
	node := testKey("node").Public()
	a, ok := r.Author(node)
	want := &Author{Enrolment: Enrolment{ID: m.carried[3].Statement.ID(), Operator: operator.ID(), Node: node}, Key: node,
		OperatorName: "o", Role: RoleAdmin, Patterns: []Pattern{"**"}}
	if diff := cmp.Diff(want, a); !ok || diff != "" {
		t.Errorf("Author (-want +got):\n%s", diff)
	}
	if err := r.Standing(node).MayWrite([]byte("/x")); err != nil {
		t.Errorf("MayWrite = %v", err)
	}
	if rule, ok := r.PolicyOf([]byte("/x")); !ok || rule.Mode != ModeMerge {
		t.Errorf("PolicyOf = %v, %v; want merge", rule, ok)
	}
	if o, ok := r.Operator(operator.ID()); !ok || o.Name != "o" || o.Issuer != testKey("F").Public() {
		t.Errorf("Operator = %+v, %v", o, ok)
	}
	if _, ok := r.Operator(testFirst); ok {
		t.Errorf("Operator of an unknown ID: found")
	}
	if r.Statement(found.ID()) != found || r.Statement(testFirst) != nil || r.Len() != 4 {
		t.Errorf("Statement or Len is wrong")
	}

	empty := EmptyRoster()
	if _, ok := empty.Mesh(); ok || empty.Found() != nil || enrolled(empty, "node") || len(empty.Nodes()) != 0 {
		t.Errorf("the empty roster holds something")
	}
	if _, ok := empty.PolicyOf([]byte("x")); ok {
		t.Errorf("the empty roster has a policy")
	}
}

func TestRosterFoundChoice(t *testing.T) {
	m := newSite(t)
	m.found("Z", Found{Threshold: 1, Founders: sortedKeys("F")}) // Z is no founder
	if r := m.roster(); r.Found() != nil {
		t.Errorf("founded by someone who is no founder")
	}
	var ids []StatementID
	for i := range 4 {
		ids = append(ids, m.found("F", Found{Nonce: [32]byte{byte(i)}, Threshold: 1, Founders: sortedKeys("F")}).ID())
	}
	if got, want := m.roster().Found().ID(), slices.MinFunc(ids, StatementID.Compare); got != want {
		t.Errorf("Found() = %v, want the least, %v", got, want)
	}
}

// TestRosterConsentToFound: an enrolment in the founding op consents to the
// statement that founds, so another one that takes its place ends it.
func TestRosterConsentToFound(t *testing.T) {
	m := newSite(t)
	a, b := m.found("F", Found{Threshold: 1, Founders: sortedKeys("F")}), m.found("F", Found{Nonce: [32]byte{1}, Threshold: 1, Founders: sortedKeys("F")})
	least, other := m.carried[0], m.carried[1]
	if b.ID().Compare(a.ID()) < 0 {
		least, other = other, least
	}
	m.carried = nil
	o := m.found("F", Admit{Name: "o", Keys: sortedKeys("O"), Grant: Grant{Role: RoleWriter, Nodes: 1}})
	id := o.ID()
	m.foundAs(&id, "O", Enrol{Node: testKey("node").Public(),
		Consent: SignConsent(other.Statement.ID(), o.ID(), 0, testKey("node"))})
	before := m.roster().With(other)
	if !enrolled(before, "node") || enrolled(before.With(least), "node") || !enrolled(m.roster().With(other), "node") {
		t.Errorf("enrolled by a consent to another founding statement, or not by one to this")
	}
}

// TestRosterWrongPlace: mesh null counts in the founding op only, a mesh only elsewhere.
func TestRosterWrongPlace(t *testing.T) {
	m := newSite(t)
	m.begin()
	before := m.roster()
	admit := Admit{Name: "x", Keys: sortedKeys("X"), Grant: Grant{Role: RoleWriter}}
	null, named := m.draft("F", true, admit), m.draft("F", false, admit)
	other := *m
	other.founding = [32]byte{0xbb}
	foreign := other.draft("F", false, admit)
	bad, err := DecodeStatement(slices.Concat(named.Encoded()[:len(named.Encoded())-1], []byte{0}))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		c    Carried
		same bool // of no effect in any roster
	}{
		{"mesh null outside the founding op", Carried{Statement: null, Op: [32]byte{7}, Seq: 2}, true},
		{"mesh named within the founding op", Carried{Statement: named, Op: m.founding, Seq: 1, Founding: true}, true},
		{"bad signature", Carried{Statement: bad, Op: [32]byte{7}, Seq: 2}, true},
		{"another mesh", Carried{Statement: foreign, Op: [32]byte{7}, Seq: 2}, false},
	} {
		r := before.With(v.c)
		wantNames(t, r, "o")
		if (r == before) != v.same {
			t.Errorf("%s: the same roster: %v, want %v", v.name, r == before, v.same)
		}
	}
	wantNames(t, before.With(Carried{Statement: named, Op: [32]byte{7}, Seq: 2}), "o", "x")
	if seq, prev := before.With(Carried{Statement: foreign, Op: [32]byte{7}}).Next(testKey("F").Public()); seq != 4 || prev == nil {
		t.Errorf("Next counts a statement of another mesh: %d, %v", seq, prev)
	}
}

func TestRosterAdmit(t *testing.T) {
	m := newSite(t)
	m.begin()
	m.admit("F", "a", []string{"A", "A2"}, RoleAdmin, "/a/**", "/x/*")
	m.admit("A", "a-child", []string{"AC"}, RoleAdmin, "/a/child/**")
	m.admit("A2", "by the second key", []string{"AD"}, RoleReader)
	m.admit("AC", "a-grandchild", []string{"AG"}, RoleWriter, "/a/child/b", "/a/child/*/c")
	m.admit("F", "w", []string{"W"}, RoleWriter, "**")
	m.admit("F", "r", []string{"R"}, RoleReader, "**")
	want := []string{"a", "a-child", "a-grandchild", "by the second key", "o", "r", "w"}
	wantNames(t, m.roster(), want...)

	m.admit("A", "outside", []string{"E1"}, RoleWriter, "/b/**")
	m.admit("A", "one outside", []string{"E2"}, RoleWriter, "/a/b", "/b/b")
	m.admit("A", "wider", []string{"E3"}, RoleWriter, "**")
	m.admit("A", "wider than a segment", []string{"E4"}, RoleWriter, "/x/**")
	m.admit("AC", "wider than its own, not its sponsor's", []string{"E5"}, RoleWriter, "/a/**")
	m.admit("W", "by a writer", []string{"E6"}, RoleReader)
	m.admit("R", "by a reader", []string{"E7"}, RoleReader)
	m.admit("nobody", "by nobody", []string{"E8"}, RoleReader)
	m.admit("E3", "by one that was refused", []string{"E9"}, RoleReader)
	m.admit("E10", "ring 1", []string{"E11"}, RoleAdmin, "**")
	m.admit("E11", "ring 2", []string{"E10"}, RoleAdmin, "**")
	wantNames(t, m.roster(), want...)

	// One operator must hold the whole grant: two of one key do not add up.
	m.admit("F", "p", []string{"PQ"}, RoleAdmin, "/p/**")
	q := m.admit("F", "q", []string{"PQ"}, RoleAdmin, "/q/**").ID()
	m.admit("PQ", "sum", []string{"E12"}, RoleWriter, "/p/1", "/q/1")
	m.admit("PQ", "as the other", []string{"E13"}, RoleWriter, "/q/1")
	m.admitAs(&q, "PQ", "part", []string{"PP"}, RoleWriter, "/q/1")
	m.admitAs(nil, "PQ", "as the root", []string{"E14"}, RoleWriter, "/q/1")
	wantNames(t, m.roster(), append([]string{"a", "a-child", "a-grandchild", "by the second key", "o", "p", "part", "q", "r"}, "w")...)
}

func TestRosterEnrol(t *testing.T) {
	m := newSite(t)
	_, o := m.begin()
	a := m.admit("F", "a", []string{"A"}, RoleWriter, "/a/**")
	enrol := func(key string, op StatementID, slot uint64, node string, consent Signature) {
		m.sayAs(&op, key, Enrol{Slot: slot, Node: testKey(node).Public(), Consent: consent})
	}
	m.enrol("A", a.ID(), 0, "a0")
	m.enrol("A", a.ID(), 1, "a1")
	m.enrol("A", a.ID(), 1, "a1-too") // a fork of that author: both count

	m.enrol("A", a.ID(), 2, "slot-too-high")
	m.enrol("O", a.ID(), 0, "by-another-operator")
	m.enrol("F", a.ID(), 0, "by-the-founder")
	m.enrol("A", o.ID(), 2, "for-another-operator")
	m.enrol("A", testFirst, 0, "for-nobody")
	enrol("A", a.ID(), 0, "no-consent", Signature{})
	enrol("A", a.ID(), 0, "consent-by-another", SignConsent(m.founding, a.ID(), 0, testKey("x")))
	enrol("A", a.ID(), 0, "consent-to-another-operator", SignConsent(m.founding, o.ID(), 0, testKey("consent-to-another-operator")))
	enrol("A", a.ID(), 0, "consent-to-another-slot", SignConsent(m.founding, a.ID(), 1, testKey("consent-to-another-slot")))
	enrol("A", a.ID(), 0, "consent-in-another-mesh", SignConsent([32]byte{9}, a.ID(), 0, testKey("consent-in-another-mesh")))
	r := m.roster()
	want := sortedKeys("node", "a0", "a1", "a1-too")
	var got []PublicKey
	for _, e := range r.Nodes() {
		got = append(got, e.Key)
	}
	slices.SortFunc(got, PublicKey.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Nodes (-want +got):\n%s", diff)
	}

	// A node enrolled twice belongs to the enrolment with the lesser ID.
	twice := []*Statement{m.enrol("O", o.ID(), 1, "twice"), m.enrol("A", a.ID(), 0, "twice"), m.enrol("A", a.ID(), 1, "twice")}
	least := slices.MinFunc(twice, func(a, b *Statement) int { return a.ID().Compare(b.ID()) })
	if author, ok := m.roster().Author(testKey("twice").Public()); !ok || author.ID != least.ID() {
		t.Errorf("Author = %+v, %v; want enrolment %v", author, ok, least.ID())
	}
}

func TestRosterRedeem(t *testing.T) {
	m := newSite(t)
	m.begin()
	m.admit("F", "a", []string{"A"}, RoleAdmin, "/a/**")
	first := m.invite("O", "T1", "node", "/t/**")
	unused := m.invite("O", "T2", "node", "/t/**")
	outside := m.invite("A", "T3", "node", "/b/**")
	m.admit("F", "w", []string{"W"}, RoleWriter, "**")
	byWriter := m.invite("W", "T4", "node", "/t/**")

	m.carry(m.redeem("T1", first, "not at the host"), "elsewhere")
	m.carry(m.redeem("T2", first, "another's ticket"), "node")
	m.carry(m.redeem("T3", outside, "escalated"), "node")
	m.carry(m.redeem("T4", byWriter, "by a writer"), "node")
	r := m.roster()
	wantNames(t, r, "a", "o", "w")
	if got := r.Invitations(); len(got) != 2 || got[0].Redeemed != (StatementID{}) || got[1].Redeemed != (StatementID{}) {
		t.Errorf("Invitations = %+v, want two that nobody redeemed", got)
	}

	late, early := m.redeem("T1", first, "second"), m.redeem("T1", first, "winner")
	host := testKey("node").Public()
	at := func(s *Statement, seq uint64, index int) Carried {
		return Carried{Statement: s, Op: [32]byte{byte(seq)}, Author: host, Seq: seq, Index: index}
	}
	r = r.With(at(late, 50, 1))
	wantNames(t, r, "a", "o", "second", "w")
	for _, c := range []Carried{at(early, 50, 0), at(early, 49, 7)} {
		wantNames(t, r.With(c), "a", "o", "w", "winner")
	}
	if again := r.With(at(early, 51, 0)); !slices.Equal(operatorNames(again), operatorNames(r)) {
		t.Errorf("a later redeem changed the operators to %q", operatorNames(again))
	}
	if again := r.With(at(late, 50, 1), at(late, 60, 0)); again != r {
		t.Errorf("the same redeem carried again gave another roster")
	}
	// Carried earlier after all (another branch of a host that forked).
	r2 := r.With(at(early, 40, 0)).With(at(late, 30, 0))
	wantNames(t, r2, "a", "o", "second", "w")
	// Two at one place, on two branches: the lesser ID.
	want := "second"
	if early.ID().Compare(late.ID()) < 0 {
		want = "winner"
	}
	wantNames(t, m.roster().With(at(early, 9, 0), at(late, 9, 0)), append([]string{"a", "o"}, slices.Sorted(slices.Values([]string{"w", want}))...)...)

	for _, inv := range r.Invitations() {
		if wantID := map[StatementID]StatementID{first.ID(): late.ID(), unused.ID(): {}}[inv.ID]; inv.Redeemed != wantID {
			t.Errorf("invite %v redeemed by %v, want %v", inv.ID, inv.Redeemed, wantID)
		}
	}
	// What was redeemed is an operator like any other.
	m.carry(late, "node")
	m.enrol("second", late.ID(), 0, "new")
	r = m.roster()
	if err := r.Standing(testKey("new").Public()).MayWrite([]byte("/t/x")); err != nil {
		t.Errorf("MayWrite after redeem = %v", err)
	}
}

func TestRosterPolicy(t *testing.T) {
	m := newSite(t)
	m.begin()
	m.admit("F", "a", []string{"A"}, RoleAdmin, "/a/**")
	m.admit("F", "w", []string{"W"}, RoleWriter, "**")
	m.say("A", Policy{Rules: []PolicyRule{rule("/a/x", 5, ModeLWW), rule("/a/x", 5, ModeLocal), rule("/a/*", 4, ModeOwned)}})
	m.say("A", Policy{Rules: []PolicyRule{rule("/a/x", 9, ModeOwned), rule("/b/x", 9, ModeOwned)}}) // one is outside: none counts
	m.say("W", Policy{Rules: []PolicyRule{rule("**", 9, ModeOwned)}})
	r := m.roster()
	want := []PolicyRule{rule("/a/x", 5, ModeLocal), rule("/a/x", 5, ModeLWW), rule("/a/*", 4, ModeOwned), rule("**", 0, ModeMerge)}
	if diff := cmp.Diff(want, r.Policy()); diff != "" {
		t.Errorf("Policy (-want +got):\n%s", diff)
	}
	for key, mode := range map[string]Mode{"/a/x": ModeLocal, "/a/y": ModeOwned, "/a/y/z": ModeMerge} {
		if rule, ok := r.PolicyOf([]byte(key)); !ok || rule.Mode != mode {
			t.Errorf("PolicyOf(%q) = %v, %v; want %v", key, rule, ok, mode)
		}
	}
	// Of equal priority and rank: the later of one operator.
	m.say("F", Policy{Rules: []PolicyRule{rule("/c", 7, ModeLWW)}})
	m.say("F", Policy{Rules: []PolicyRule{rule("/c", 7, ModeLocal)}})
	if rule, _ := m.roster().PolicyOf([]byte("/c")); rule.Mode != ModeLocal {
		t.Errorf("PolicyOf(/c) = %v, want local", rule.Mode)
	}
}

func TestMayWrite(t *testing.T) {
	m := newSite(t)
	m.begin()
	a := m.admit("F", "a", []string{"A"}, RoleWriter, "/a/**", "/b/*")
	reader := m.admit("F", "r", []string{"R"}, RoleReader, "**")
	m.enrol("A", a.ID(), 0, "an")
	m.enrol("R", reader.ID(), 0, "rn")
	r := m.roster()
	an, rn, nobody := testKey("an").Public(), testKey("rn").Public(), testKey("x").Public()
	long := slices.Repeat([]byte("k"), 1<<20)
	for _, v := range []struct {
		node PublicKey
		key  []byte
		want error
	}{
		{an, []byte("/a/x"), nil},
		{an, []byte("/b/x"), nil},
		{an, []byte("/b/x/y"), ErrOutsideGrant},
		{an, []byte("/c"), ErrOutsideGrant},
		{an, long, ErrOutsideGrant},
		{rn, []byte("/a/x"), ErrReader},
		{nobody, []byte("/a/x"), ErrNotEnrolled},
	} {
		err := r.Standing(v.node).MayWrite(v.key)
		if !errors.Is(err, v.want) {
			t.Errorf("MayWrite(%.20q) = %v, want %v", v.key, err, v.want)
		}
		if err != nil && len(err.Error()) > 1024 {
			t.Errorf("MayWrite(%.20q): error of %d bytes", v.key, len(err.Error()))
		}
	}
	for _, v := range []struct {
		node     PublicKey
		key, end string
		want     error
	}{
		{an, "/a/", "/a0", nil},
		{an, "/a/", "/b0", ErrOutsideGrant}, // two patterns do not add up
		{an, "/b/", "/b0", ErrOutsideGrant},
		{an, "\x00", "", ErrOutsideGrant},
		{testKey("node").Public(), "\x00", "", nil},
		{rn, "/a/", "/a0", ErrReader},
		{nobody, "/a/", "/a0", ErrNotEnrolled},
	} {
		if err := r.Standing(v.node).MayWriteRange([]byte(v.key), []byte(v.end)); !errors.Is(err, v.want) {
			t.Errorf("MayWriteRange(%q, %q) = %v, want %v", v.key, v.end, err, v.want)
		}
	}
	key, from, end := []byte("/b/deployments"), []byte("/a/"), []byte("/a0")
	if n := testing.AllocsPerRun(100, func() {
		if r.Standing(an).MayWrite(key) != nil || r.Standing(an).MayWriteRange(from, end) != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("MayWrite and MayWriteRange allocate %v times", n)
	}
}

func TestRosterNext(t *testing.T) {
	m := newSite(t)
	m.begin()
	f := testKey("F").Public()
	if seq, prev := m.roster().Next(f); seq != 4 || prev == nil || *prev != m.chains["F"].ID() {
		t.Errorf("Next = %d, %v; want 4, %v", seq, prev, m.chains["F"].ID())
	}
	if seq, prev := EmptyRoster().Next(f); seq != 1 || prev != nil {
		t.Errorf("Next of none = %d, %v; want 1, nil", seq, prev)
	}
	// A forked chain: the lesser of the two last ones.
	third := m.chains["F"]
	x := m.admit("F", "x", []string{"X"}, RoleReader)
	m.chains["F"] = third
	y := m.admit("F", "y", []string{"Y"}, RoleReader)
	want := min(x.ID().String(), y.ID().String())
	if seq, prev := m.roster().Next(f); seq != 5 || prev.String() != want {
		t.Errorf("Next of a fork = %d, %v; want 5, %v", seq, prev, want)
	}
}

// TestRosterInterning: nothing new gives the same pointer.
func TestRosterInterning(t *testing.T) {
	m := newSite(t)
	m.begin()
	r := m.roster()
	if r.With() != r || r.With(m.carried...) != r || r.With(m.carried[1]) != r {
		t.Errorf("With of nothing new: another roster")
	}
	// Decoded once more and carried by another op, it is the same statement.
	again := m.admit("F", "x", []string{"X"}, RoleReader)
	r2 := m.roster()
	copied, err := DecodeStatement(again.Encoded())
	if err != nil {
		t.Fatal(err)
	}
	if r2.With(Carried{Statement: copied, Op: [32]byte{99}, Author: testKey("q").Public(), Seq: 99}) != r2 {
		t.Errorf("a stale duplicate gave another roster")
	}
	if Union(r, r) != r || Union(r, r2) != r2 || Union(r2, r) != r2 || Union(r, EmptyRoster()) != r || Union(EmptyRoster(), r) != r {
		t.Errorf("Union with a part of itself: another roster")
	}
	twin := EmptyRoster().With(m.carried...)
	if Union(r2, twin) != r2 || Union(twin, r2) != twin || !twin.Equal(r2) || r.Equal(r2) {
		t.Errorf("Union of equals is not the first")
	}
}

// TestRosterConcurrent builds rosters of shared statements, not yet verified,
// from several goroutines; run it with -race.
func TestRosterConcurrent(t *testing.T) {
	m := newSite(t)
	_, o := m.begin()
	m.enrol("O", o.ID(), 1, "n1")
	for i := range m.carried {
		s, err := DecodeStatement(m.carried[i].Statement.Encoded())
		if err != nil {
			t.Fatal(err)
		}
		m.carried[i].Statement = s
	}
	var rosters [4]*Roster
	var group sync.WaitGroup
	for i := range rosters {
		group.Go(func() { rosters[i] = m.roster() })
	}
	group.Wait()
	for _, r := range rosters {
		if !r.Equal(rosters[0]) || !enrolled(r, "n1") {
			t.Errorf("rosters of one set differ")
		}
	}
}

// TestRosterConcurrentUse asks more rosters than are kept derived, of one
// origin, from several goroutines; run it with -race.
func TestRosterConcurrentUse(t *testing.T) {
	m := newSite(t)
	_, o := m.begin()
	m.enrol("O", o.ID(), 1, "n1")
	rosters := []*Roster{m.roster()}
	for i := range 3 * keptTables {
		s := m.say("F", Policy{Rules: []PolicyRule{rule("/x", uint64(i), ModeLWW)}})
		last := m.carried[len(m.carried)-1]
		rosters = append(rosters, rosters[i].With(last))
		m.chains["F"] = s
	}
	node := testKey("n1").Public()
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 4 * len(rosters) {
				n := (i*(g+1) + g) % len(rosters)
				r := rosters[n]
				s := r.Standing(node)
				if rule, ok := s.Rule([]byte("/x")); s.MayWrite([]byte("/x")) != nil || !ok || n > 0 && rule.Priority != uint64(n-1) {
					t.Errorf("roster %d: rule %+v, %v", n, rule, ok)
				}
				if len(r.Siblings(node)) > 0 || len(r.Nodes()) != 2 {
					t.Errorf("roster %d: siblings %v", n, r.Siblings(node))
				}
			}
		})
	}
	group.Wait()
}
