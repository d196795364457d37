package adversary

import (
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestAlteredBody: a true op with another body reaches everybody first. The
// liars are named, and the op's own body still arrives and is shown.
func TestAlteredBody(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	author := m.Liar()
	op := liar.Sign(t, mirror.Graph(), author, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/altered", "as signed")}})
	for _, lie := range []struct {
		reason string
		alter  func(body []byte) []byte
	}{
		{"refused-body-roots", func(b []byte) []byte {
			i := slices.Index(b, 's') // of the value
			b[i] = 'z'
			return b
		}},
		{"refused-body-size", func(b []byte) []byte { return b[:len(b)-1] }},
		{"refused-body-size", func(b []byte) []byte { return append(b, 0) }},
		{"refused-malformed-body", func(b []byte) []byte { clear(b); return b }},
	} {
		altered := encodedOp{op.Block(), lie.alter(slices.Clone(op.Body()))}
		gossiper, syncer := m.Liar(), m.Liar()
		m.NewPeer(t, gossiper, m.Sites...).Gossip(gossipOp(altered))
		p := m.NewPeer(t, syncer, m.Sites[0])
		send := func() { p.SendOps(m.Sites[0], altered) }
		send()
		for _, s := range m.Sites {
			s.Names(t, gossiper.Public(), lie.reason)
		}
		if len(altered.body) == len(op.Body()) { // else the frame has another op after it
			m.Sites[0].Names(t, syncer.Public(), lie.reason, send)
		}
	}
	m.NewPeer(t, author, m.Sites[1]).Gossip(gossipOp(encoded(op)))
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/altered", "as signed")
	}
	w.Survived(t, Usual)
}
