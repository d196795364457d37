package adversary

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag"
)

// TestFalseHeads: announcements and summaries of ops that do not exist. They cost
// a sync each, at a bounded rate, and keep nobody from the others.
func TestFalseHeads(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	p := m.NewPeer(t, m.Liar(), m.Sites...)
	p.Answer(func(s network.Stream) {
		c := tipsOf(p.mesh, mirror.Graph())
		for i := range c.vector {
			c.vector[i].seq += 1 << 30
			c.vector[i].op = mark([8]byte{1}, unknown())
		}
		p.state(s, c)
	})
	failed := m.Sites[0].Metric(t, "causeway_p2p_syncs_total", Label("result", "failed"))
	for range size(20, 1000) {
		var ids []dag.ID
		for range 128 {
			ids = append(ids, unknown())
		}
		p.Gossip(gossipHeads(p.Key.Public(), sorted(ids)...))
	}
	Eventually(t, "a metric counts syncs that brought nothing", func() bool {
		return m.Sites[0].Metric(t, "causeway_p2p_syncs_total", Label("result", "failed")) > failed
	})
	for _, s := range m.Sites {
		Eventually(t, "the list of peers at "+s.Name+" shows what it lacks", func() bool {
			peer, _ := s.Peer(t, p.Key.Public())
			return peer.LagOps > 0
		})
	}
	// Heads in another's name, and more heads than an announcement may have.
	other := m.NewPeer(t, m.Liar(), m.Sites...)
	other.Gossip(gossipHeads(m.Sites[1].Key, unknown()))
	many := m.NewPeer(t, m.Liar(), m.Sites...)
	many.Gossip(gossipHeads(many.Key.Public(), sorted(slicesOf(129, unknown))...))
	for _, s := range m.Sites {
		s.Names(t, other.Key.Public(), "protocol")
		s.Names(t, many.Key.Public(), "malformed")
	}
	w.Survived(t, Usual)
}
