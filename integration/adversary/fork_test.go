package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
	"github.com/causeway-sync/causeway/node/admin"
)

// proves waits until a site shows a proof that the author forked, and verifies it.
func proves(t *testing.T, s *Site, author identity.PublicKey) {
	t.Helper()
	var proof admin.ForkProof
	Eventually(t, s.Name+" proves the fork", func() bool {
		var err error
		proof, err = s.Admin.ForkProof(t.Context(), author)
		return err == nil
	})
	fork, err := dag.ParseForkProof(proof.Proof)
	if err != nil || fork.Author != author {
		t.Errorf("%s: the proof is of %v, %v, want one of %v", s.Name, fork.Author, err, author)
	}
	if s.Metric(t, "causeway_forked_authors") < 1 {
		t.Errorf("%s: no metric counts the forked author", s.Name)
	}
}

// TestFork: a liar tells one site one thing and another site another thing,
// under one number. Both count everywhere, it is proven, and nobody takes what stands on both.
func TestFork(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	key := m.Liar()
	first := liar.Sign(t, mirror.Graph(), key, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/paid", "nobody")}})
	mouths := []*Peer{m.NewPeer(t, key, m.Sites[0]), m.NewPeer(t, key, m.Sites[2])}
	mouths[0].Gossip(gossipOp(encoded(first)))
	mirror.WaitFor(first.ID(), Within)
	prev, _ := mirror.Graph().Get(first.ID())
	var branches []*dag.Signed
	for _, name := range []string{"site-0", "site-2"} {
		branches = append(branches, liar.Sign(t, mirror.Graph(), key, liar.Draft{
			Prev: prev, Parents: []*dag.Op{prev}, Transactions: []dag.Transaction{liar.PutOf("/liar/paid", name)},
		}))
	}
	for i, p := range mouths {
		p.Gossip(gossipOp(encoded(branches[i])))
	}
	var tips []*dag.Op
	for _, b := range branches {
		mirror.WaitFor(b.ID(), Within)
		tip, _ := mirror.Graph().Get(b.ID())
		tips = append(tips, tip)
		for _, s := range m.Sites {
			s.WaitFor(t, b.ID())
		}
	}
	for _, s := range m.Sites {
		proves(t, s, key.Public())
	}
	if branches[0].ID().Compare(branches[1].ID()) > 0 {
		tips[0], tips[1] = tips[1], tips[0]
	}
	both := liar.Sign(t, mirror.Graph(), key, liar.Draft{Prev: tips[0], Parents: tips, Transactions: []dag.Transaction{liar.PutOf("/liar/paid", "both")}})
	p := m.NewPeer(t, key, m.Sites[1])
	send := func() { p.SendOps(m.Sites[1], encoded(both)) }
	send()
	m.Sites[1].Names(t, key.Public(), "refused-forked-past", send)
	m.Sites[1].Put(t, "/liar/paid", "settled") // whoever has seen both decides
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/paid", "settled")
	}
	w.Survived(t, Usual)
}
