package mvcc

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/etcdgw/kube/kubetest"
)

// KubeValues are the schemas of the built-in kinds.
type KubeValues struct{}

// SchemaFor implements Values.
func (KubeValues) SchemaFor(_, value []byte) *crdt.Schema {
	s, _ := kube.SchemaFor(value)
	return s
}

// BenchmarkPatch is the update of the status of a Pod of 2 KB by a client, and as
// it is received, with whole values (mode lww) and patches.
func BenchmarkPatch(b *testing.B) {
	const pods = 64
	for _, kind := range kubetest.Pods {
		for _, whole := range []bool{true, false} {
			values := make([][]byte, 64)
			for i := range values {
				values[i] = kind.Make(i)
			}
			name := kind.Name + "/patch"
			if whole {
				name = kind.Name + "/whole"
			}
			b.Run(name+"/put", func(b *testing.B) {
				v := New(Config{Values: KubeValues{}})
				if whole {
					v.verdicts.judge = lww{}
				}
				size, kept := 0, 0
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					_, ch, err := v.Evaluate(&pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/%d", i%pods), Value: values[i/pods%len(values)]}, nil, testNow)
					if err != nil {
						b.Fatal(err)
					}
					t := v.Transaction(ch, 1)
					t[0].Incarnation = dag.Incarnation{Kind: dag.IncarnationPast} // as it is once the first put is sealed
					size += len(t.Append(nil))
					kept += len(ch.Append(nil))
					if i%100 == 0 {
						v.Publish()
						v.unsealed = v.unsealed[:0]
					}
					if i%10_000 == 9_999 {
						must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head() - 5_000})
					}
				}
				b.ReportMetric(float64(size)/float64(b.N), "op-bytes/put")
				b.ReportMetric(float64(kept)/float64(b.N), "log-bytes/put")
				b.ReportMetric(float64(len(values[1])), "value-bytes")
			})
			b.Run(name+"/receive", func(b *testing.B) { benchmarkReceive(b, values, pods, whole) })
		}
	}
}

// lww is a judge by whose policy nothing merges.
type lww struct{ without }

func (lww) merges([]byte) bool { return false }

func benchmarkReceive(b *testing.B, values [][]byte, pods int, whole bool) {
	mesh := dagtest.New(b, 2)
	origin := New(Config{Values: KubeValues{}})
	if whole {
		origin.verdicts.judge = lww{}
	}
	// One round of all pods is an operation; they are received again and again.
	var rounds [][]dag.Transaction
	var schemas [][]byte
	for round := range len(values) + 1 {
		var ts []dag.Transaction
		for p := range pods {
			_, ch, err := origin.Evaluate(&pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/%d", p), Value: values[round%len(values)]}, nil, testNow)
			if err != nil {
				b.Fatal(err)
			}
			schemas = append(schemas, ch.Schemas...)
			ts = append(ts, origin.Transaction(ch, 1))
		}
		rounds = append(rounds, ts)
	}
	v := New(Config{Schema: func(id dag.SchemaID) ([]byte, bool) {
		for _, s := range schemas {
			if dag.SchemaIDOf(s) == id {
				return s, true
			}
		}
		return nil, false
	}})
	first := mesh.Write(1, dagtest.Put("x", ""))
	at := dag.Index(1)
	receive := func(op *dag.Op, ts []dag.Transaction) {
		v.Record(at)
		at++
		for i, t := range ts {
			// The birth is the first operation's, whatever the origin said before it was sealed.
			if t[0].Incarnation = (dag.Incarnation{}); op != first {
				t[0].Incarnation = dag.Incarnation{Kind: dag.IncarnationPast, Op: first.ID(), Tx: uint32(i)}
			}
		}
		applied(b, v, op, ts, graphOnly{mesh.Graph})
		v.Trail()
		v.Publish()
		if at%100 == 0 {
			must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head()})
		}
	}
	receive(first, rounds[0])
	ops := make([]*dag.Op, b.N/pods+1)
	for i := range ops {
		ops[i] = mesh.Write(1, dagtest.Put("x", ""))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range ops {
		receive(ops[i], rounds[1+i%len(values)])
	}
}

// BenchmarkSequential updates one key again and again: what it costs does not grow
// with -benchtime 1000000x, nor what is kept.
func BenchmarkSequential(b *testing.B) {
	v := New(Config{})
	b.ReportAllocs()
	for i := range b.N {
		if _, _, err := v.Evaluate(put("k", fmt.Sprintf(`{"n":%d,"text":"that does not change"}`, i)), nil, testNow); err != nil {
			b.Fatal(err)
		}
		if i%4096 == 4095 {
			v.unsealed = v.unsealed[:0]
			must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head()})
			for v.Prune() {
			}
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
}

// BenchmarkLate is the receipt of a write of 100 fields that is concurrent with another one
// of 100 fields, both on top of a third.
func BenchmarkLate(b *testing.B) {
	v := newTurned(b)
	fields := func(by string) string {
		var s strings.Builder
		for i := range 100 {
			fmt.Fprintf(&s, `,"field%02d":"%s %d"`, i, by, i)
		}
		return "{" + s.String()[1:] + "}"
	}
	root := v.mesh.Graph.Heads()
	var ts [3][]dag.Transaction
	for i := range 100 {
		key := fmt.Sprint("k", i)
		ts[0] = append(ts[0], dag.Transaction{dagtest.Put(key, fields("nobody"))})
	}
	base := v.receive(1, root, ts[0]...)
	for site := range 2 {
		for i := range 100 {
			w := patchOf(b, base, fmt.Sprint("k", i), fields("nobody"), fields(fmt.Sprint("site ", site)))
			w.Incarnation.Tx = uint32(i)
			ts[site+1] = append(ts[site+1], dag.Transaction{w})
		}
	}
	v.receive(1, []*dag.Op{base}, ts[1]...)
	late := v.mesh.Op(2, []*dag.Op{base}, ts[2]...)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		again := v.log.replay(b)
		again.Record(v.log.next())
		b.StartTimer()
		applied(b, again, late, ts[2], &v.log)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*100), "µs/merge")
}

// BenchmarkBranches is the receipt of a thousand branches of one object of 100 fields, of which
// each changes ten.
func BenchmarkBranches(b *testing.B) {
	const branches = 1000
	v := newTurned(b)
	fields := func(changed int, to string) string {
		var s strings.Builder
		for i := range 100 {
			x := "x"
			if i%10 == changed {
				x = to
			}
			fmt.Fprintf(&s, `,"f%d":%q`, i, x)
		}
		return "{" + s.String()[1:] + "}"
	}
	first := fields(-1, "")
	base := v.receive(1, v.mesh.Graph.Heads(), dag.Transaction{dagtest.Put("k", first)})
	var ops []*dag.Op
	var ts []dag.Transaction
	for i := range branches {
		tx := dag.Transaction{patchOf(b, base, "k", first, fields(i%10, fmt.Sprint(i)))}
		ops = append(ops, v.mesh.Op(2, []*dag.Op{base}, tx))
		ts = append(ts, tx)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		log := testLog{graph: v.mesh.Graph, records: v.log.records[:1:1]}
		again := log.replay(b)
		b.StartTimer()
		for i := range ops {
			again.Record(log.next())
			applied(b, again, ops[i], ts[i:i+1], &log)
			log.add(testRecord{op: delivered{op: ops[i], ts: ts[i : i+1]}, trail: again.Trail()})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*branches), "µs/branch")
}
