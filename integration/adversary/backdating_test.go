package adversary

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

// heads returns ops as keep heads.
func heads(ops ...*dag.Op) (keep [][32]byte) {
	for _, op := range ops {
		keep = append(keep, op.ID())
	}
	return keep
}

// TestBackdating: a liar writes into the past, before it is revoked and after.
// Before, its op is concurrent with what others did since, and gives way to the
// next write that saw it. After, it is void wherever and by whomever it arrives, and so
// is no op that an accomplice builds on it.
func TestBackdating(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key, accomplice := m.Liar(), m.Liar()
	l := m.NewLiar(t, key, m.Sites...)
	old := l.Graph().Heads()
	m.Sites[0].Put(t, "/liar/target", "honest")
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/target", "honest")
	}
	say := func(by *liar.Liar, op *dag.Signed) *dag.Op {
		t.Helper()
		held := by.Take(op)
		by.Say(op)
		for _, s := range m.Sites {
			s.WaitFor(t, op.ID())
		}
		return held
	}
	before := say(l, l.Sign(liar.Draft{Parents: old, First: true, Transactions: []dag.Transaction{liar.PutOf("/liar/target", "backdated")}}))
	m.Agree(t)
	m.Sites[1].Put(t, "/liar/target", "after")
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/target", "after")
	}

	// Revoked, with all kept that was seen of it.
	_, operator := m.OperatorOf(key)
	m.Carry(t, m.World.State(m.World.OperatorKey(), nil, identity.Revoke{Subject: operator, Keep: heads(before)}))
	for _, s := range m.Sites {
		Eventually(t, s.Name+" knows that the liar is revoked", func() bool {
			p, _ := s.Peer(t, key.Public())
			return p.State == "revoked"
		})
	}
	late := liar.Sign(t, l.Graph(), key, liar.Draft{
		Prev: before, Parents: []*dag.Op{before}, Transactions: []dag.Transaction{liar.PutOf("/liar/backdated", "late"), liar.PutOf("/liar/target", "late")},
	})
	l.Close()
	a := m.NewLiar(t, accomplice, m.Sites...)
	say(a, late) // it is valid: nothing in its past forbids it
	say(a, a.Sign(liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/liar/accomplice", "counts")}}))
	for _, s := range m.Sites {
		s.Becomes(t, "/liar/accomplice", "counts")
		s.Becomes(t, "/liar/backdated", "")
		s.Becomes(t, "/liar/target", "after")
	}
	w.Survived(t, Usual)
}
