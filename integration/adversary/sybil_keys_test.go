package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

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
	knock := func() { stranger.SendOps(m.Sites[0], encoded(bad)) }
	knock()
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
	m.Sites[0].Names(t, sybils[2].Public(), "not-enrolled", knock)
	w.Survived(t, Usual)
}
