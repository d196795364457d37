package adversary

import (
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestRosterPoisoning: a liar carries statements that nobody signed, that were
// signed in another mesh, and true ones again and again. Nothing changes.
func TestRosterPoisoning(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key := m.Liar()
	l := m.NewLiar(t, key, m.Sites...)
	before := rights(t, m.Sites[0])
	victim, _ := m.World.Graph.Roster().Author(m.Sites[0].Key)
	// Revocations of a correct node: with a signature of another's, for another mesh, and what the mesh began with.
	revoke := identity.Revoke{Subject: victim.Enrolment.ID}
	elsewhere := dagtest.New(t, 1).State(m.World.OperatorKey(), nil, revoke) // signed by the root's key, elsewhere
	root := m.World.OperatorKey()
	mesh := [32]byte(m.World.Founding.ID())
	forged, err := identity.SignStatement(identity.Statement{Mesh: &mesh, Issuer: root.Public(), Seq: 1, Content: revoke}, root)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(forged.Encoded())
	flipped[len(flipped)-1] ^= 1 // of the signature
	if forged, err = identity.DecodeStatement(flipped); err != nil {
		t.Fatal(err)
	}
	statements := []*identity.Statement{elsewhere, forged}
	for _, s := range m.World.Enrolled {
		for _, st := range s.Statements() {
			if len(statements) < 60 {
				statements = append(statements, st)
			}
		}
	}
	for range size(10, 200) {
		op := l.Sign(liar.Draft{Statements: statements})
		l.Take(op)
		l.Say(op)
	}
	for _, s := range m.Sites {
		s.WaitFor(t, l.Tip().ID())
		sameRights(t, s, before)
	}
	w.Survived(t, Usual)
}

// TestStaleAdmit: whoever is revoked carries its old admission and enrolment once
// more, and has an accomplice carry them. It stays out.
func TestStaleAdmit(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key, accomplice := m.Liar(), m.Liar()
	_, id := m.OperatorOf(key)
	m.Carry(t, m.World.State(m.World.OperatorKey(), nil, identity.Revoke{Subject: id}))
	var stale []*identity.Statement
	for _, s := range m.World.Enrolled {
		for _, st := range s.Statements() {
			if c, ok := st.Content.(identity.Enrol); ok && c.Node == key.Public() || st.ID() == id {
				stale = append(stale, st)
			}
		}
	}
	if len(stale) != 2 {
		t.Fatalf("found %d statements that admitted the liar, want 2", len(stale))
	}
	a := m.NewLiar(t, accomplice, m.Sites...)
	carried := a.Sign(liar.Draft{Statements: stale})
	tip := a.Take(carried)
	a.Say(carried)
	// An op of the revoked, with that in its past: not valid. One that does not know of the revocation: void.
	bad := liar.Sign(t, a.Graph(), key, liar.Draft{Parents: []*dag.Op{tip}, Transactions: []dag.Transaction{liar.PutOf("/liar/stale", "back")}})
	a.Say(bad)
	for _, s := range m.Sites {
		s.WaitFor(t, carried.ID())
		s.Names(t, accomplice.Public(), "refused-not-enrolled")
		if p, _ := s.Peer(t, key.Public()); p.State != "revoked" && p.State != "" {
			t.Errorf("%s takes the revoked node for %q", s.Name, p.State)
		}
	}
	void := liar.Sign(t, m.World.Graph, key, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/stale", "back")}})
	other := m.NewLiar(t, m.Liar(), m.Sites...)
	other.Take(void)
	other.Say(void)
	for _, s := range m.Sites {
		s.WaitFor(t, void.ID())
		if got := s.Get(t, "/liar/stale"); got != "" {
			t.Errorf("%s shows %q of a revoked author", s.Name, got)
		}
	}
	w.Survived(t, Usual)
}

// TestSybilKeys: an operator with one slot enrols fifty keys in it and beyond it.
// One of them writes; the mesh has no more authors than it admitted.
func TestSybilKeys(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key := m.Liar()
	operator, id := m.OperatorOf(key)
	mesh := [32]byte(m.World.Founding.ID())
	l := m.NewLiar(t, key, m.Sites...)
	var statements []*identity.Statement
	var sybils []*identity.PrivateKey
	for i := range 50 {
		sybil := m.World.Key("sybil " + string(rune('A'+i)))
		slot := uint64(i)
		sybils = append(sybils, sybil)
		statements = append(statements, m.World.Issue(operator, identity.Statement{As: &id, Content: identity.Enrol{
			Slot: slot, Node: sybil.Public(), Consent: identity.SignConsent(mesh, id, slot, sybil),
		}}))
	}
	op := l.Sign(liar.Draft{Statements: statements})
	on := l.Take(op)
	l.Say(op)
	for _, s := range m.Sites {
		s.WaitFor(t, op.ID())
	}
	// Each says what it likes; those beyond the slots are nobody.
	for _, sybil := range sybils[1:] {
		bad := liar.Sign(t, l.Graph(), sybil, liar.Draft{Parents: []*dag.Op{on}, Transactions: []dag.Transaction{liar.PutOf("/liar/sybil", "many")}})
		if err := l.Admit(t.Context(), []*dag.Signed{bad})[0]; dag.ReasonOf(err) != dag.ReasonNotEnrolled {
			t.Fatalf("an op of a key beyond its operator's slots: %v, want that it is not enrolled", err)
		}
	}
	voice := m.Liar()
	bad := liar.Sign(t, l.Graph(), sybils[1], liar.Draft{Parents: []*dag.Op{on}, Transactions: []dag.Transaction{liar.PutOf("/liar/sybil", "many")}})
	m.NewPeer(t, voice, m.Sites...).Gossip(gossipOp(encoded(bad)))
	stranger := m.NewPeer(t, sybils[2], m.Sites[0])
	stranger.SendOps(m.Sites[0], encoded(bad))
	// Two keys in one slot are one author that forked: neither builds on the other.
	twin := liar.Sign(t, l.Graph(), sybils[0], liar.Draft{Parents: []*dag.Op{on}, Transactions: []dag.Transaction{liar.PutOf("/liar/sybil", "twin")}})
	if err := l.Admit(t.Context(), []*dag.Signed{twin})[0]; dag.ReasonOf(err) != dag.ReasonForkedPast {
		t.Errorf("an op of a second key in a slot that has the first one's in its past: %v, want that its past is forked", err)
	}
	for _, s := range m.Sites {
		s.Names(t, voice.Public(), "refused-not-enrolled")
		if got := s.Get(t, "/liar/sybil"); got != "" {
			t.Errorf("%s shows %q of a key that has no slot", s.Name, got)
		}
	}
	m.Sites[0].Names(t, sybils[2].Public(), "not-enrolled")
	w.Survived(t, Usual)
}
