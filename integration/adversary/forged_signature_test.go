package adversary

import (
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestForgedSignature: ops in a correct node's name that it did not sign, one
// by one and many at once among good ones, by gossip and by sync.
func TestForgedSignature(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	victim := m.Sites[1]
	key := victim.Key
	// In the victim's name, signed by the liar's key.
	thief := m.Liar()
	forge := func(i int) encodedOp {
		s := liar.Sign(t, mirror.Graph(), thief, liar.Draft{Transactions: []dag.Transaction{liar.PutOf(fmt.Sprintf("/forged/%d", i), "forged")}})
		return encodedOp{inName(s.Block(), thief.Public(), key), s.Body()}
	}
	byGossip := m.NewPeer(t, thief, m.Sites...)
	byGossip.Gossip(gossipOp(forge(0)))
	for _, s := range m.Sites {
		s.Names(t, thief.Public(), "refused-bad-signature")
	}
	// Flipped bits of true signatures: a batch that fails is looked at one by one.
	bySync := m.Liar()
	p := m.NewPeer(t, bySync, m.Sites[0])
	good := liar.Sign(t, mirror.Graph(), bySync, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/good", "good")}})
	ops := []encodedOp{encoded(good)}
	for range size(200, 2000) {
		ops = append(ops, forged(good))
	}
	send := func() { p.SendOps(m.Sites[0], ops...) }
	send()
	m.Sites[0].Names(t, bySync.Public(), "refused-bad-signature", send)
	w.Survived(t, Usual)
	for _, s := range m.Sites {
		if got := s.Get(t, "/forged/0"); got != "" {
			t.Errorf("%s shows %q, which nobody signed", s.Name, got)
		}
	}
}
