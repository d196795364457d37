package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestRelayedWithoutPast: a liar relays honest ops and keeps their past to itself.
// Their author is not to blame and loses nothing: the past comes by another way.
func TestRelayedWithoutPast(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	relay, author := m.Liar(), m.Liar()
	chain := []*dag.Signed{liar.Sign(t, mirror.Graph(), author, liar.Draft{})}
	g := dag.NewGraphOf(m.World.Founding.ID())
	for _, op := range mirror.Graph().Since(nil) {
		block, body, err := mirror.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		addTo(t, g, encodedOp{block, body})
	}
	addTo(t, g, encoded(chain[0]))
	for i := range size(200, 2000) {
		op := liar.Sign(t, g, author, liar.Draft{Parents: g.Tips(author.Public()), Transactions: []dag.Transaction{liar.PutOf("/liar/relayed", string(rune('a'+i%26)))}})
		addTo(t, g, encoded(op))
		chain = append(chain, op)
	}
	p := m.NewPeer(t, relay, m.Sites...)
	p.Answer(p.nothing)
	for _, op := range chain[1:] {
		p.Gossip(gossipOp(encoded(op)))
	}
	for _, s := range m.Sites {
		Eventually(t, "honest ops wait at "+s.Name, func() bool { return s.Metric(t, "causeway_p2p_pending_ops") > 0 })
	}
	honest := m.NewPeer(t, author, m.Sites[1])
	var ops []encodedOp
	for _, op := range chain {
		ops = append(ops, encoded(op))
	}
	honest.deliver(m.Sites[1], ops...)
	for _, s := range m.Sites {
		s.WaitFor(t, chain[len(chain)-1].ID())
		if peer, _ := s.Peer(t, author.Public()); peer.Misconduct != "" {
			t.Errorf("%s blames the author of what was relayed without its past for %q", s.Name, peer.Misconduct)
		}
	}
	w.Survived(t, Usual)
}

// addTo adds an op to a graph of the test's.
func addTo(t *testing.T, g *dag.Graph, op encodedOp) {
	t.Helper()
	u, err := dag.Decode(op.block, op.body)
	if err == nil {
		_, _, err = g.Add(dag.AssumeVerified(u))
	}
	if err != nil {
		t.Fatal(err)
	}
}
