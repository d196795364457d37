package rotation

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// TestThief steals a node's key, with a copy of its disk. The thief writes, and
// rotates to two keys unknown to each other, both with the same index. What the victim wrote
// counts all the same, and the victim goes on with a key of its own. When the
// operator revokes the stolen key, what the thief made of it is void
// everywhere, and nothing else is.
func TestThief(t *testing.T) {
	hub, victim := pair(t)
	victim.stop()
	thieves := []*site{copyOf(t, victim), copyOf(t, victim)}
	victim.wait = time.Hour // until it was robbed
	victim.start()
	victim.put("victim", "victim")
	hub.has("victim")
	stolen := victim.becomes("its state", func(st admin.Status) bool { return st.Ready })
	victim.stop()
	victim.wait = time.Nanosecond
	hub.stop()

	var loot []string
	for i, s := range thieves {
		s.wait = time.Hour // a thief does not make room
		s.start()
		s.put(fmt.Sprintf("old key of thief %d", i), fmt.Sprintf("old key of thief %d", i))
		if _, err := admin.NewClient(s.dir).Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := s.rotated(1); st.Key.Index != 1 {
			t.Errorf("a thief has index %d, want 1", st.Key.Index)
		}
		s.put(fmt.Sprintf("new key of thief %d", i), fmt.Sprintf("new key of thief %d", i))
		s.stop()
		loot = append(loot, fmt.Sprintf("old key of thief %d", i), fmt.Sprintf("new key of thief %d", i))
	}
	hub.start()
	for i, s := range thieves {
		s.start()
		hub.has(loot[2*i : 2*i+2]...)
		s.stop()
	}

	victim.start()
	st := victim.rotated(1)
	if st.Key.Index != 2 || st.Key.Past[0].Cause != "own-key" {
		t.Errorf("the victim's story is %+v, want index 2, above the thieves'", st.Key)
	}
	victim.put("victim again", "victim again")
	for _, s := range []*site{hub, victim} {
		s.has(append([]string{"before", "victim", "victim again"}, loot...)...)
	}

	// What the victim's last op with the stolen key has in its past is its own work.
	revoke(t, hub, victim, stolen.Node, st.Key.Past[0].Last)
	for _, s := range []*site{hub, victim} {
		s.lacks(loot...)
		s.has("before", "victim", "victim again")
	}
	victim.put("after all", "after all")
	hub.has("after all")
	agree(t, hub, victim)
}

// revoke has hub carry the revocation of a key of victim's node by its operator.
func revoke(t *testing.T, hub, victim *site, key identity.PublicKey, keep dag.ID) {
	t.Helper()
	operator, err := identity.ReadKeyFile(filepath.Join(victim.dir, node.OperatorKeyFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	admins := admin.NewClient(hub.dir)
	issuer, err := admins.Issuer(t.Context(), operator.Public())
	if err != nil {
		t.Fatal(err)
	}
	roster, err := admins.Roster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var enrolment identity.StatementID
	for _, o := range roster.Operators {
		for _, n := range o.Nodes {
			for _, k := range n.Keys {
				if k.Key == key {
					enrolment = n.ID
				}
			}
		}
	}
	mesh := [32]byte(issuer.Mesh)
	s, err := identity.SignStatement(identity.Statement{
		Mesh: &mesh, Issuer: operator.Public(), As: &issuer.Operators[0], Seq: issuer.Seq, Prev: issuer.Prev,
		Content: identity.Revoke{Subject: enrolment, Key: &key, Keep: [][32]byte{keep}},
	}, operator)
	if err != nil {
		t.Fatal(err)
	}
	p, err := admins.Preview(t.Context(), s)
	if err != nil || !p.Effect || p.Void.Ops != 4 || p.Void.Keys != 4 || p.Counting.Ops != 0 {
		t.Errorf("the preview of the revocation is %+v, %v, want four ops void, with a key each", p, err)
	}
	if _, err := admins.Carry(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}
