package adversary

import (
	"math"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestInflatedNumbers: ops that claim a depth, number or total which their past
// does not give them. A claim that were believed would win every tie, or skip a quota.
func TestInflatedNumbers(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	put := []dag.Transaction{liar.PutOf("/liar/inflated", "deep")}
	for i, lie := range []struct {
		reason string
		edit   func(*dag.Header)
	}{
		{"refused-wrong-depth", func(h *dag.Header) { h.Depth += 1 << 40 }},
		{"refused-wrong-depth", func(h *dag.Header) { h.Depth = math.MaxInt64 }},
		{"refused-wrong-depth", func(h *dag.Header) { h.Depth = 1 }},
		{"refused-wrong-epoch", func(h *dag.Header) { h.Epoch = dag.MaxEpoch + 1 }},
		{"refused-wrong-bytes-total", func(h *dag.Header) { h.Bytes = 0 }},
		{"refused-wrong-bytes-total", func(h *dag.Header) { h.Bytes = math.MaxInt64 }},
		{"refused-wrong-writes-total", func(h *dag.Header) { h.Writes = 0 }},
	} {
		key := m.Liar()
		op := encoded(liar.Sign(t, mirror.Graph(), key, liar.Draft{Transactions: put, Edit: lie.edit}))
		s := m.Sites[i%len(m.Sites)]
		m.NewPeer(t, key, s).Gossip(gossipOp(op))
		s.Names(t, key.Public(), lie.reason)
	}
	// A second op of a chain, with a seq of its own choice.
	key := m.Liar()
	l := m.NewLiar(t, key, m.Sites...)
	first := l.Sign(liar.Draft{})
	l.Take(first)
	l.Say(first)
	for _, s := range m.Sites {
		s.WaitFor(t, first.ID())
	}
	l.Say(l.Sign(liar.Draft{Transactions: put, Edit: func(h *dag.Header) { h.Seq += 1 << 40 }}))
	for _, s := range m.Sites {
		s.Names(t, key.Public(), "refused-wrong-seq")
	}
	w.Survived(t, Usual)
	for _, s := range m.Sites {
		if s.Get(t, "/liar/inflated") != "" {
			t.Errorf("%s shows what an invalid op wrote", s.Name)
		}
	}
}
