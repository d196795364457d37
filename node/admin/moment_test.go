package admin_test

import (
	"encoding/json"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
	"github.com/causeway-sync/causeway/node/admin"
)

// TestFarFuture: nobody's times keep others from reading the roster or the log.
func TestFarFuture(t *testing.T) {
	m := dagtest.New(t, 1)
	grant := identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"**"}, Nodes: 1, Expires: dagcbor.MaxUint}
	op := m.Add(m.Sign(dagtest.Draft{
		Parents: []dag.ID{m.Graph.Heads()[0].ID()},
		Statements: []*identity.Statement{
			m.State(m.FounderKey(0), nil, identity.Admit{Name: "late", Keys: []identity.PublicKey{m.Key("late").Public()}, Grant: grant}),
			m.State(m.FounderKey(0), nil, identity.Invite{Ticket: m.Key("ticket").Public(), Host: m.Author(0), Grant: grant, Expires: dagcbor.MaxUint}),
		},
		Edit: func(h *dag.Header) { h.Wall = dagcbor.MaxUint },
	}))
	roster := admin.NewRoster(m.Founding.ID(), m.Graph, nil)
	if i, o := len(roster.Invitations), len(roster.Operators); i != 1 || o != 2 {
		t.Fatalf("%d invitations and %d operators, want 1 and 2", i, o)
	}
	for _, v := range []any{roster, admin.NewOp(op, m.Graph.Roster())} {
		if _, err := json.Marshal(v); err != nil {
			t.Error(err)
		}
	}
}
