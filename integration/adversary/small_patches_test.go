package adversary

import (
	"fmt"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestSmallPatches: a liar patches a value of 256 KiB, a counter in it, again and again: in
// operations of thousands of patches, and in many of one each. Each makes the value anew, so
// what a node keeps of them in memory has a bound.
func TestSmallPatches(t *testing.T) {
	// A history of 32 MiB beside what is live: a quarter of the quota.
	m := New(t, Config{Name: "patches", Sites: 2, Liars: 1, Args: []string{"--quota-backend-bytes", fmt.Sprint(128 << 20)}})
	const name = "/liar/patched"
	key := m.Liar()
	mirror := m.NewMirror(t)
	value := func(n, pad int) string {
		return fmt.Sprintf(`{"n":%d,"pad":"%s"}`, n, strings.Repeat("x", pad))
	}
	create := dag.Write{Kind: dag.Replace, Key: []byte(name), Value: []byte(value(0, crdt.MaxValue-100)), Incarnation: dag.Incarnation{Kind: dag.IncarnationSelf}}
	first := liar.Sign(t, mirror.Graph(), key, liar.Draft{Parents: mirror.Graph().Heads(), Transactions: []dag.Transaction{{create}}})
	p := m.NewPeer(t, key, m.Sites[0])
	p.deliver(m.Sites[0], encoded(first))
	mirror.WaitFor(first.ID(), Within)
	for _, s := range m.Sites {
		s.WaitFor(t, first.ID())
	}
	w := m.Watch(t)

	graph := dag.NewGraphOf(m.World.Founding.ID()) // to sign upon what is not sent yet
	for _, op := range mirror.Graph().Since(nil) {
		block, body, err := mirror.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		u, err := dag.Decode(block, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := graph.Add(dag.AssumeVerified(u)); err != nil {
			t.Fatal(err)
		}
	}
	tip, _ := graph.Get(first.ID())
	n := 0
	send := func(many, patches int) {
		var ops []encodedOp
		for range many {
			ts := make([]dag.Transaction, patches)
			for i := range ts {
				// The patch is the same for every value of that form.
				patch, ok := crdt.Diff(crdt.Parse([]byte(value(n, 0)), nil), crdt.Parse([]byte(value(n+1, 0)), nil))
				if !ok {
					t.Fatal("there is no patch")
				}
				n++
				ts[i] = dag.Transaction{{Kind: dag.Patch, Key: []byte(name), Value: patch.Encoding(), Incarnation: dag.Incarnation{Kind: dag.IncarnationPast, Op: first.ID()}}}
			}
			signed := liar.Sign(t, graph, key, liar.Draft{Prev: tip, Parents: []*dag.Op{tip}, Transactions: ts})
			op, _, err := graph.Add(signed)
			if err != nil {
				t.Fatal(err)
			}
			tip, ops = op, append(ops, encoded(signed))
		}
		p.deliver(m.Sites[0], ops...)
	}
	send(size(2, 4), size(1000, dag.MaxTransactions))
	send(size(250, 1000), 1)
	want := value(n, crdt.MaxValue-100)
	for _, s := range m.Sites {
		s.WaitFor(t, tip.ID())
		if got := s.Get(t, name); got != want {
			t.Errorf("%s shows a value of %d bytes that begins %.20s, want %.20s", s.Name, len(got), got, want)
		}
		if s.Metric(t, "causeway_history_trims_total") == 0 {
			Eventually(t, s.Name+" counts that it compacted itself", func() bool { return s.Metric(t, "causeway_history_trims_total") > 0 })
		}
		if got := s.Metric(t, "etcd_mvcc_db_total_size_in_use_in_bytes"); got > 40<<20 {
			t.Errorf("%s stores %.0f bytes", s.Name, got)
		}
	}
	w.Survived(t, Budget{Memory: 256 << 20, Disk: 48 << 20, Log: 8 << 20})

	// The log is sound, and a start by it comes to the same within the same bounds.
	s := m.Sites[1]
	s.Stop()
	harness.Run(t, "", "dag", "verify", "--data-dir", s.Dir)
	s.Start(m.Sites[0].Address())
	if got := s.Get(t, name); got != want {
		t.Errorf("started again, %s shows %d bytes that begin %.20s", s.Name, len(got), got)
	}
	if got, known := s.resident(); known && got > 384<<20 {
		t.Errorf("started again, %s has %d bytes of memory", s.Name, got)
	}
	if got := s.Metric(t, "etcd_mvcc_db_total_size_in_use_in_bytes"); got > 40<<20 {
		t.Errorf("started again, %s stores %.0f bytes", s.Name, got)
	}
	m.Agree(t)
}
