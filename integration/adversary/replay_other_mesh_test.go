package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestReplayFromAnotherMesh: ops that a correct node's key signed in another
// mesh, and that mesh's founding op, are carried over.
func TestReplayFromAnotherMesh(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	other := dagtest.New(t, 1)
	replayed := other.Sign(dagtest.Draft{
		Key: m.World.Node(2), Parents: []dag.ID{other.Founding.ID()}, Transactions: []dag.Transaction{{dagtest.Put("/replayed", "elsewhere")}},
	})
	for _, op := range []encodedOp{encoded(replayed), encoded(other.Founding)} {
		gossiper, syncer := m.Liar(), m.Liar()
		m.NewPeer(t, gossiper, m.Sites...).Gossip(gossipOp(op))
		p := m.NewPeer(t, syncer, m.Sites[0])
		send := func() { p.SendOps(m.Sites[0], op) }
		send()
		for _, s := range m.Sites {
			s.Names(t, gossiper.Public(), "other-mesh")
		}
		m.Sites[0].Names(t, syncer.Public(), "other-mesh", send)
	}
	// A summary of the other mesh.
	p := m.NewPeer(t, m.Liar(), m.Sites[2])
	send := func() { p.Sync(m.Sites[2], nil, hello(), claim{mesh: other.Founding.ID()}.encode()) }
	send()
	m.Sites[2].Names(t, p.Key.Public(), "other-mesh", send)
	w.Survived(t, Usual)
	for _, s := range m.Sites {
		if s.Get(t, "/replayed") != "" {
			t.Errorf("%s shows what was written in another mesh", s.Name)
		}
	}
}
