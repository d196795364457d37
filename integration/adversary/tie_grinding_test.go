package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestTieGrinding: to win against concurrent writes a liar grinds the ID of its op,
// and builds depth by a long chain of empty ones. It wins that once, everywhere alike, and
// loses to the next write that has seen it.
func TestTieGrinding(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key := m.Liar()
	l := m.NewLiar(t, key, m.Sites...)
	old := l.Graph().Heads()
	for range size(100, 2000) {
		op := l.Sign(liar.Draft{Parents: ownOr(l.Tip(), old)})
		l.Take(op)
		l.Say(op)
	}
	m.Sites[0].Put(t, "/liar/tie", "honest")
	var ground *dag.Signed
	for i := range uint64(size(2000, 50000)) {
		op := l.Sign(liar.Draft{Parents: []*dag.Op{l.Tip()}, Transactions: []dag.Transaction{liar.PutOf("/liar/tie", "ground")},
			Edit: func(h *dag.Header) { h.Wall = i }})
		if ground == nil || op.ID().Compare(ground.ID()) > 0 {
			ground = op
		}
	}
	l.Take(ground)
	l.Say(ground)
	for _, s := range m.Sites {
		s.WaitFor(t, ground.ID())
	}
	m.Agree(t)
	t.Logf("the tie was won by %q", m.Sites[0].Get(t, "/liar/tie"))
	m.Sites[2].Put(t, "/liar/tie", "settled")
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/tie", "settled")
	}
	w.Survived(t, Usual)
}

// ownOr returns the liar's own last op, or what there was before it.
func ownOr(tip *dag.Op, old []*dag.Op) []*dag.Op {
	if tip != nil {
		return []*dag.Op{tip}
	}
	return old
}
