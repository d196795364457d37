package adversary

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
	"github.com/causeway-sync/causeway/node/admin"
)

// rights is what a roster gives to whom, as text: what an attack on it must not change.
func rights(t *testing.T, s *Site) string {
	t.Helper()
	r, err := s.Admin.Roster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Restrictions = slices.DeleteFunc(r.Restrictions, func(s admin.Restriction) bool { return !s.InForce })
	r.Policies = slices.DeleteFunc(r.Policies, func(s admin.Policy) bool { return !s.InForce })
	r.Quotas = slices.DeleteFunc(r.Quotas, func(s admin.Quota) bool { return !s.InForce })
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sameRights fails the test if a site gives other rights than before, and says which.
func sameRights(t *testing.T, s *Site, before string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(rights(t, s), "\n")); diff != "" {
		t.Errorf("%s has another roster (-before +after):\n%s", s.Name, diff)
	}
}

// TestGrantEscalation: a writer writes what it was not granted, and states itself
// more: admits, invites, policies, quotas and revocations that it may not issue. What
// it writes outside its grant is refused and named; what it states has no effect.
func TestGrantEscalation(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	m.Sites[0].Put(t, "/registry-not/secret", "mine")
	for _, s := range m.Sites {
		s.Becomes(t, "/registry-not/secret", "mine")
	}
	before := rights(t, m.Sites[0])
	for _, write := range []dag.Write{
		{Kind: dag.Replace, Key: []byte("/registry-not/secret"), Value: []byte("stolen")},
		{Kind: dag.Replace, Key: []byte("/liar"), Value: []byte("the pattern without its segment")},
		{Kind: dag.Replace, Key: []byte("/liar2/x"), Value: []byte("a longer segment")},
		{Kind: dag.DeleteObserved, Key: []byte("/registry-not/secret")},
		{Kind: dag.DeleteRange, Key: []byte("/liar/"), End: []byte("/s")}, // of two patterns and what is between
		{Kind: dag.DeleteRange, Key: []byte{0}},
	} {
		key := m.Liar()
		op := liar.Sign(t, mirror.Graph(), key, liar.Draft{Transactions: []dag.Transaction{{write}}})
		m.NewPeer(t, key, m.Sites...).Gossip(gossipOp(encoded(op)))
		for _, s := range m.Sites {
			s.Names(t, key.Public(), "refused-outside-grant")
		}
	}

	key := m.Liar()
	operator, id := m.OperatorOf(key)
	own := []identity.PublicKey{operator.Public()}
	grant := identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 9}
	victim, _ := m.World.Graph.Roster().Author(m.Sites[0].Key)
	rule := identity.PolicyRule{Pattern: "**", Priority: 9, Mode: identity.ModeOwned, Owner: &id}
	var statements []*identity.Statement
	for _, as := range []*identity.StatementID{nil, &id, &victim.Operator} { // as the root, itself, and the victim's operator
		for _, c := range []identity.Content{
			identity.Admit{Name: "escalated", Keys: own, Grant: grant},
			identity.Invite{Ticket: m.World.Key("ticket").Public(), Host: key.Public(), Grant: grant, Expires: 1 << 50},
			identity.Narrow{Operator: id, Role: identity.RoleAdmin, Patterns: grant.Patterns, Nodes: 9},
			identity.Policy{Rules: []identity.PolicyRule{rule}},
			identity.Revoke{Subject: victim.Operator},
			identity.Revoke{Subject: victim.Enrolment.ID},
			identity.Quota{Subject: victim.Operator, Bytes: 1, Writes: 1},
			identity.Version{Version: dag.Version + 1},
		} {
			if _, version := c.(identity.Version); version && as != nil {
				continue // is no statement
			}
			statements = append(statements, m.World.Issue(operator, identity.Statement{As: as, Content: c}))
		}
	}
	l := m.NewLiar(t, key, m.Sites...)
	op := l.Sign(liar.Draft{Statements: statements})
	l.Take(op)
	l.Say(op)
	for _, s := range m.Sites {
		s.WaitFor(t, op.ID()) // to carry what has no effect is allowed
		sameRights(t, s, before)
		if got := s.Get(t, "/registry-not/secret"); got != "mine" {
			t.Errorf("%s shows %q, which was outside the grant", s.Name, got)
		}
	}
	w.Survived(t, Usual)
}
