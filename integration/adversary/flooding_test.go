package adversary

import (
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestKeySpaceFlooding: a writer with a quota writes new keys as fast as it can, within
// its grant. Beyond the quota its ops are invalid, and it is named.
func TestKeySpaceFlooding(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	key := m.Liar()
	_, id := m.OperatorOf(key)
	const writes = 2000
	m.Carry(t, m.World.State(m.World.OperatorKey(), nil, identity.Quota{Subject: id, Bytes: 4 << 20, Writes: writes}))
	l := m.NewLiar(t, key, m.Sites...)
	before := m.Sites[0].Status(t).Keys
	flood := func(i int) *dag.Signed {
		var tx dag.Transaction
		for j := range 100 {
			tx = append(tx, dag.Write{Kind: dag.Replace, Key: fmt.Appendf(nil, "/liar/flood/%d/%d", i, j), Value: make([]byte, 100)})
		}
		return l.Sign(liar.Draft{Transactions: []dag.Transaction{tx}})
	}
	for i := range writes / 100 {
		op := flood(i)
		l.Take(op)
		l.Say(op)
	}
	last := l.Tip().ID()
	beyond := flood(writes)
	l.Say(beyond)
	for _, s := range m.Sites {
		s.WaitFor(t, last)
		s.Names(t, key.Public(), "refused-over-quota")
	}
	w.Survived(t, stores(Budget{Memory: 96 << 20, Disk: 32 << 20}, 4<<20))
	for _, s := range m.Sites {
		if grown := s.Status(t).Keys - before; grown > writes+64 { // what the clients wrote included
			t.Errorf("%s has %d keys more, the quota allows %d", s.Name, grown, writes)
		}
	}
}
