package adversary

import (
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestThousandBranches: one key signs a thousand ops at one place, a third for
// each site. They count once, cost in proportion, and heads come down again.
func TestThousandBranches(t *testing.T) {
	m := New(t, Config{Name: "thousand", Sites: 3, Liars: 1})
	branches := size(300, 1000)
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	key := m.Liar()
	first := liar.Sign(t, mirror.Graph(), key, liar.Draft{})
	m.NewPeer(t, key, m.Sites[0]).Gossip(gossipOp(encoded(first)))
	mirror.WaitFor(first.ID(), Within)
	prev, _ := mirror.Graph().Get(first.ID())
	shares := make([][]encodedOp, len(m.Sites))
	var last dag.ID
	for i := range branches {
		op := liar.Sign(t, mirror.Graph(), key, liar.Draft{
			Prev: prev, Parents: []*dag.Op{prev}, Transactions: []dag.Transaction{liar.PutOf(fmt.Sprintf("/liar/branch/%d", i), "x")},
		})
		last = op.ID()
		shares[i%len(shares)] = append(shares[i%len(shares)], encoded(op))
	}
	for i, s := range m.Sites {
		m.NewPeer(t, key, s).deliver(s, shares[i]...)
	}
	for _, s := range m.Sites {
		s.WaitFor(t, last)
		Eventually(t, "all branches are at "+s.Name, func() bool {
			return s.Get(t, "/liar/branch/0") == "x" && s.Status(t).Keys >= int64(branches)
		})
		proves(t, s, key.Public())
	}
	w.Survived(t, stores(Budget{Memory: 128 << 20, Disk: 48 << 20}, branches*512))
	for _, s := range m.Sites {
		Eventually(t, "few heads are left at "+s.Name, func() bool { return len(s.Status(t).Heads) <= dag.MaxParents })
	}
}
