package adversary

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// unknown returns an ID that no op has.
func unknown() (id dag.ID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// nothing answers a sync with an empty summary, and no ops.
func (p *Peer) nothing(s network.Stream) { p.state(s, claim{mesh: p.mesh}) }

// TestMissingParentsForEver: ops whose past never comes, as many as the liar
// can sign. They wait in a bounded share, and leave with the liar.
func TestMissingParentsForEver(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	key := m.Liar()
	var messages [][]byte
	for range size(1500, 15000) {
		parent := unknown()
		op := liar.Sign(t, mirror.Graph(), key, liar.Draft{First: true, Edit: func(h *dag.Header) { h.Parents = []dag.ID{parent} },
			Transactions: []dag.Transaction{liar.PutOf("/liar/orphan", "x")}})
		messages = append(messages, gossipOp(encoded(op)))
	}
	p := m.NewPeer(t, key, m.Sites...)
	p.Answer(p.nothing)
	p.Gossip(messages...)
	for _, s := range m.Sites {
		Eventually(t, "orphans wait at "+s.Name+", and a metric shows them", func() bool {
			n := s.Metric(t, "causeway_p2p_pending_ops")
			if limit := float64(dag.DefaultPoolLimits().PeerOps); n > limit {
				t.Errorf("%s keeps %v ops of one liar, at most %v may wait", s.Name, n, limit)
			}
			return n >= 100
		}, func() string {
			peer, _ := s.Peer(t, key.Public())
			return fmt.Sprintf("%v wait, dropped %v, the liar: %+v", s.Metric(t, "causeway_p2p_pending_ops"), s.Metric(t, "causeway_p2p_dropped_total"), peer)
		})
	}
	w.Survived(t, Usual)
	p.Close()
	for _, s := range m.Sites {
		Eventually(t, "nothing waits at "+s.Name, func() bool { return s.Metric(t, "causeway_p2p_pending_ops") == 0 })
	}
}
