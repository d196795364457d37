package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

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
