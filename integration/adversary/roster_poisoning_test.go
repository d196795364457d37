package adversary

import (
	"slices"
	"testing"

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
	w.Survived(t, stores(Usual, 4<<20))
}
