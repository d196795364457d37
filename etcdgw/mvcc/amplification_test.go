package mvcc

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// padded returns a value of about size bytes of which patches change n.
func padded(size, n int) string {
	return fmt.Sprintf(`{"n":%d,"pad":"%s"}`, n, strings.Repeat("x", size))
}

// counting returns patches that count up n in padded values, each a transaction: what a value of
// size bytes costs a liar to make again. life began the key.
func counting(t testing.TB, life *dag.Op, key string, from, many int) []dag.Transaction {
	t.Helper()
	ts := make([]dag.Transaction, many)
	for i := range ts {
		ts[i] = dag.Transaction{patchOf(t, life, key, padded(0, from+i), padded(0, from+i+1))}
	}
	return ts
}

// heapInUse returns the bytes that are in use.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAmplification: what is kept of an operation of small patches is in proportion to its bytes, be the
// value that they patch as large as may be, and whether or not it is patched here at the same time.
func TestAmplification(t *testing.T) {
	const size, many = 200 << 10, 200
	for _, concurrent := range []bool{false, true} {
		v := newTurned(t)
		v.do(put("k", padded(size, 0)), put("other", "1"))
		own := v.seal()
		if concurrent {
			v.do(put("k", strings.Replace(padded(size, 0), "{", `{"ours":1,`, 1)))
			v.seal()
		}
		v.Publish()
		s := v.NewWatchStream()
		defer s.Close()
		watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, StartRevision: v.Head() + 1})
		if _, err := s.poll(); err != nil {
			t.Fatal(err)
		}
		stored, bytes, head := v.Stats().Stored, heapInUse(), v.Head()
		ts := counting(t, own, "k", 0, many)
		ts[0] = append(ts[0], dagtest.Put("other", "2"))
		op := v.receive(1, []*dag.Op{own}, ts...)
		budget := v.amplification.of(op) + 2*size
		if got := v.Stats().Stored - stored; got > budget {
			t.Errorf("an operation of %d bytes stores %d, want at most %d", op.Size(), got, budget)
		}
		if got := heapInUse() - bytes; got > 8*budget {
			t.Errorf("an operation of %d bytes takes %d bytes of memory, want at most %d", op.Size(), got, 8*budget)
		}
		want := padded(size, many)
		if concurrent {
			want = strings.Replace(want, "{", `{"ours":1,`, 1)
		}
		if got := v.checked()["k"]; got != want {
			t.Errorf("the key shows %d bytes, want %d", len(got), len(want))
		}
		// The first are seen by themselves, the last one with what came before it.
		var revs []int64
		for {
			resp, err := s.poll()
			if err != nil {
				t.Fatal(err)
			}
			if resp == nil {
				break
			}
			for _, e := range resp.Events {
				revs = append(revs, e.Kv.ModRevision)
				if last := e.Kv.ModRevision == v.Head(); last != (string(e.Kv.Value) == want) {
					t.Errorf("revision %d of %d shows %.20s", e.Kv.ModRevision, v.Head(), e.Kv.Value)
				}
			}
		}
		if n := v.Head() - head; int64(len(revs)) != n+1 || n > budget/size || n < 3 {
			t.Errorf("%d patches are %d revisions, %d events", many, n, len(revs))
		}
		again := v.log.replay(t)
		if again.Head() != v.Head() || fmt.Sprint(contents(t, again)) != fmt.Sprint(contents(t, v.View)) {
			t.Errorf("replayed to revision %d, want %d", again.Head(), v.Head())
		}
		// A write that saw all of it is as cheap as ever, and a verdict finds it.
		v.receive(2, v.mesh.Graph.Heads(), counting(t, own, "k", many, 1)...)
		if got := v.checked()["k"]; got != strings.Replace(want, fmt.Sprint(many), fmt.Sprint(many+1), 1) {
			t.Error("a patch after it is not shown")
		}
		v.only("", op)
		if got := v.checked()["other"]; got != "1" {
			t.Errorf("without the operation other is %s", got)
		}
		v.only("")
		if got := v.checked()["other"]; got != "2" {
			t.Errorf("with it again other is %s", got)
		}
	}
}

// TestTogether: transactions that become one revision are seen whole, each key once.
func TestTogether(t *testing.T) {
	object := `{"apiVersion":"v1","kind":"K","metadata":{"uid":"%d"}}`
	v := newTurned(t)
	v.do(put("a", "1"), put("b", "1"), put("d", "1"), put("o", fmt.Sprintf(object, 1)))
	v.seal()
	v.Publish()
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}})
	expect(t, s, "watch 0 rev 5 created")
	v.amplification = amplification{}
	put := dagtest.Put
	op := v.receive(1, v.mesh.Graph.Heads(),
		dag.Transaction{put("a", "2")}, // makes all there may be
		dag.Transaction{put("a", "3"), put("b", "2")},
		dag.Transaction{put("c", "1"), put("o", fmt.Sprintf(object, 2))},
		dag.Transaction{dagtest.DeleteRange("b", "e"), put("x", "1")},
		dag.Transaction{put("c", "2"), dagtest.Delete("x")},
		dag.Transaction{put("a", "4")},
	)
	v.checked()
	expect(t, s, fmt.Sprintf("watch 0 rev 8 a@6=2 o@7 a@8=4 b@8 c@8=2 o@8=%s d@8", fmt.Sprintf(object, 2)))
	if again := v.log.replay(t); again.Head() != 8 {
		t.Errorf("replayed to revision %d", again.Head())
	}
	for together, ok := range map[int]bool{-1: false, 0: true, 1: false, 5: true, 6: true, 7: false} {
		w := newTurned(t)
		w.mesh, w.log.graph = v.mesh, v.log.graph
		if err := w.ReplayRemote(op, v.log.records[len(v.log.records)-1].op.ts, together, &w.log); (err == nil) != ok {
			t.Errorf("ReplayRemote of %d together = %v", together, err)
		}
	}
}

// TestHistoryBound: what many operations make of small patches is dropped from history, oldest
// first, and clients' own puts have the room they had.
func TestHistoryBound(t *testing.T) {
	const size, many, bound = 100 << 10, 200, 2 << 20
	v := newTurned(t)
	v.View = New(Config{Quota: 4 * bound})
	if v.maxHistory != bound {
		t.Fatalf("a quarter of the quota is %d", v.maxHistory)
	}
	v.do(put("k", padded(size, 0)))
	own := v.seal()
	v.Publish()
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}})
	expect(t, s, "watch 0 rev 2 created")
	for i := range many {
		v.receive(1, v.mesh.Graph.Heads(), counting(t, own, "k", i, 1)...)
		v.do(put("own", fmt.Sprint(i)))
		v.seal()
		v.Publish()
		if got := v.Stats(); got.Remote > bound+size+versionOverhead || got.Stored > bound+3*size+many*2*versionOverhead {
			t.Fatalf("after %d operations %d bytes are stored, %d of others", i, got.Stored, got.Remote)
		}
		resp, err := s.poll()
		if err != nil || resp == nil || resp.Canceled || len(resp.Events) != 2 || resp.Events[1].Kv.ModRevision != int64(2*i+4) {
			t.Fatalf("a watcher is sent %v, %v", resp, err)
		}
	}
	if trims := v.Trims(); trims == 0 || trims > 2*trimShare*many*size/bound {
		t.Errorf("the view compacted itself %d times", trims)
	}
	// Whoever comes later is told, and what is left is whole.
	compacted := v.CompactRevision()
	if compacted < v.Revision()-2*bound/size || compacted > v.Revision()-bound/size {
		t.Errorf("compacted to %d of %d", compacted, v.Revision())
	}
	if _, err := v.Range(context.Background(), &pb.RangeRequest{Key: []byte("k"), Revision: compacted - 1}); err != rpctypes.ErrGRPCCompacted {
		t.Errorf("a read below is %v", err)
	}
	for rev := compacted; rev <= v.Revision(); rev++ {
		resp, err := v.Range(context.Background(), &pb.RangeRequest{Key: []byte("own"), Revision: rev})
		if err != nil || len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != fmt.Sprint((rev-4)/2) {
			t.Fatalf("a read at %d is %v, %v", rev, resp, err)
		}
	}
	v.checked()
	v.log.maxHistory = bound
	if again := v.log.replay(t); again.Head() != v.Head() || again.headCompacted != v.headCompacted {
		t.Errorf("replayed to %d, compacted to %d, want %d and %d", again.Head(), again.headCompacted, v.Head(), v.headCompacted)
	}
}

// BenchmarkAmplification is the receipt of operations of the worst patches: each makes a value of 256 KiB
// again. It prints what an operation costs for each of its bytes, and what is kept of it; also where the
// value was patched here at the same time, and where policy demands a form.
func BenchmarkAmplification(b *testing.B) {
	const size = crdt.MaxValue - 200
	value := func(pad, n int) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"K","metadata":{"name":"k"},"n":%d,"pad":"%s"}`, n, strings.Repeat("x", pad))
	}
	for _, c := range []struct {
		many             int
		concurrent, form bool
	}{{1, false, false}, {10, false, false}, {1000, false, false}, {dag.MaxTransactions, false, false}, {dag.MaxTransactions, true, false}, {dag.MaxTransactions, false, true}, {dag.MaxTransactions, true, true}} {
		b.Run(fmt.Sprintf("patches=%d,concurrent=%v,form=%v", c.many, c.concurrent, c.form), func(b *testing.B) {
			b.StopTimer()
			bytes, stored, kept := int64(0), int64(0), int64(0)
			for range b.N {
				v := newTurned(b)
				if c.form {
					forms := map[string]*identity.Form{"k": {Kind: "K", Versions: []string{"v1"}}}
					s := &schedule{voided: make(map[txName]bool), index: make(map[string]uint32), kept: make(map[dag.ID]bool), forms: forms}
					if err := v.turn(s, nil, nil, &v.log); err != nil {
						b.Fatal(err)
					}
					v.log.add(testRecord{turn: s})
				}
				v.do(put("k", value(size, 0)))
				own := v.seal()
				if c.concurrent {
					v.do(put("k", value(size+1, 0)))
					v.seal()
				}
				ts := make([]dag.Transaction, c.many)
				for i := range ts {
					ts[i] = dag.Transaction{patchOf(b, own, "k", value(0, i), value(0, i+1))}
				}
				op := v.mesh.Op(1, []*dag.Op{own}, ts...)
				v.Publish()
				before, was := heapInUse(), v.Stats().Stored
				v.Record(v.log.next())
				b.StartTimer()
				applied(b, v.View, op, ts, &v.log)
				v.Publish()
				b.StopTimer()
				bytes += int64(op.Size())
				stored += v.Stats().Stored - was
				kept += heapInUse() - before
				runtime.KeepAlive(v)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(bytes), "ns/byte")
			b.ReportMetric(float64(stored)/float64(bytes), "stored/byte")
			b.ReportMetric(float64(kept)/float64(bytes), "heap/byte")
		})
	}
}
