package adversary

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// stating answers a sync with the tips of a graph, truly named, and no ops.
func (p *Peer) stating(g *dag.Graph) func(network.Stream) {
	return func(s network.Stream) { p.state(s, tipsOf(p.mesh, g)) }
}

// tipsOf is a summary that states all of a graph in which nobody forked.
func tipsOf(mesh dag.ID, g *dag.Graph) claim {
	c := claim{mesh: mesh, salt: [8]byte{7}}
	for _, key := range g.Authors() {
		for _, op := range g.Tips(key)[:1] {
			c.vector = append(c.vector, refOf(c.salt, op))
		}
	}
	c.sort()
	return c
}

// TestWithheldBodies: a liar has ops, says so, and gives them without their
// bodies, or half of a body. Each is no op; who sends it is named, and the op comes from elsewhere.
func TestWithheldBodies(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	author := m.Liar()
	op := liar.Sign(t, mirror.Graph(), author, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/withheld", "whole")}})
	gossiper := m.NewPeer(t, m.Liar(), m.Sites...)
	gossiper.Gossip(gossipOp(encodedOp{op.Block(), nil}))
	for _, s := range m.Sites {
		s.Names(t, gossiper.Key.Public(), "refused-body-size")
	}
	half := m.NewPeer(t, m.Liar(), m.Sites[0])
	send := func() { half.SendOps(m.Sites[0], encodedOp{op.Block(), op.Body()[:len(op.Body())/2]}) }
	send()
	m.Sites[0].Names(t, half.Key.Public(), "refused-body-size", send)

	// One that announces the op, is asked for it, and ends its answer without.
	silent := m.NewPeer(t, m.Liar(), m.Sites...)
	silent.Answer(func(s network.Stream) {
		c := tipsOf(silent.mesh, mirror.Graph())
		c.vector = append(c.vector, ref{mark(c.salt, [32]byte(author.Public())), op.Header().Seq, mark(c.salt, op.ID())})
		c.sort()
		silent.state(s, c)
	})
	failed := m.Sites[0].Metric(t, "causeway_p2p_syncs_total", Label("result", "failed"))
	silent.Gossip(gossipHeads(silent.Key.Public(), op.ID()))
	Eventually(t, "a metric counts syncs that brought nothing", func() bool {
		return m.Sites[0].Metric(t, "causeway_p2p_syncs_total", Label("result", "failed")) > failed
	})
	m.NewPeer(t, author, m.Sites[2]).Gossip(gossipOp(encoded(op)))
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/withheld", "whole")
	}
	w.Survived(t, Usual)
}
