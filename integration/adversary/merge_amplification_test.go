package adversary

import (
	"fmt"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestMergeAmplification: a liar writes one key, an object that merges, on hundreds of
// branches: small additions, and some of a megabyte. Every node must merge them, and what
// comes out has a bound.
func TestMergeAmplification(t *testing.T) {
	m := New(t, Config{Name: "merge", Sites: 2, Liars: 1})
	const (
		name    = "/liar/merged"
		largest = 1<<20 + 100 // what one branch puts: a merge is never larger than that, or than crdt.MaxValue
	)
	m.Sites[0].Put(t, name, `{"base":"x"}`)
	mirror := m.NewMirror(t)
	m.Sites[1].Becomes(t, name, `{"base":"x"}`)
	m.CatchUp(t, mirror)
	base, write := findWrite(t, mirror, name)
	w := m.Watch(t)
	key := m.Liar()
	first := liar.Sign(t, mirror.Graph(), key, liar.Draft{})
	p := m.NewPeer(t, key, m.Sites[0])
	p.Gossip(gossipOp(encoded(first)))
	mirror.WaitFor(first.ID(), Within)
	prev, _ := mirror.Graph().Get(first.ID())
	branch := func(i, bytes int) encodedOp {
		put := write
		put.Incarnation = dag.Incarnation{Kind: dag.IncarnationPast, Op: base.ID()}
		put.Value = fmt.Appendf(nil, `{"base":"x","branch%d":"%s"}`, i, strings.Repeat("y", bytes))
		return encoded(liar.Sign(t, mirror.Graph(), key, liar.Draft{Prev: prev, Parents: []*dag.Op{prev}, Transactions: []dag.Transaction{{put}}}))
	}
	for _, part := range []struct{ branches, bytes int }{{size(300, 1000), 10}, {size(8, 24), 1 << 20}} {
		for i := 0; i < part.branches; {
			var ops []encodedOp
			for n := 0; i < part.branches && n < 200<<10; i++ {
				op := branch(i+part.bytes, part.bytes)
				ops, n = append(ops, op), n+len(op.block)+len(op.body)
			}
			p.deliver(m.Sites[0], ops...)
		}
	}
	m.Agree(t)
	for _, s := range m.Sites {
		if n := len(s.Get(t, name)); n == 0 || n > largest {
			t.Errorf("%s shows a value of %d bytes, want one of at most %d", s.Name, n, largest)
		}
		proves(t, s, key.Public())
	}
	w.Survived(t, stores(Budget{Memory: int64(size(256, 768)) << 20, Disk: int64(size(64, 200)) << 20}, size(8, 24)<<20+size(300, 1000)*512))
	m.Sites[1].Put(t, name, `{"settled":"z"}`) // whoever has seen all decides
	for _, s := range m.Sites {
		s.Becomes(t, name, `{"settled":"z"}`)
	}
}

// findWrite returns the op that put a key alone in its first transaction, and the write.
func findWrite(t *testing.T, l *liar.Liar, key string) (*dag.Op, dag.Write) {
	t.Helper()
	for _, op := range l.Graph().Since(nil) {
		block, body, err := l.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		u, err := dag.Decode(block, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, tx := range u.Transactions()[:min(1, len(u.Transactions()))] {
			if len(tx) == 1 && string(tx[0].Key) == key {
				return op, tx[0]
			}
		}
	}
	t.Fatalf("no op puts %s alone and first", key)
	return nil, dag.Write{}
}
