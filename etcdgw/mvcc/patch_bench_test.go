package mvcc

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// A PodKind makes a Pod of about 2 KB whose status was updated n times, in one encoding.
type PodKind struct {
	Name string
	Pod  func(n int) []byte
}

// PodKinds are the encodings of Kubernetes.
var PodKinds = []PodKind{{"json", podJSON}, {"protobuf", podProtobuf}}

func podJSON(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-7c5ddbdf54-x2x7p","namespace":"default","uid":"0d6f0a6e-5d0c-4c5a-9f0e-1d2c3b4a5f60","labels":{"app":"web","pod-template-hash":"7c5ddbdf54"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1.2.3","env":[`)
	for i := range 17 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"VARIABLE_%d","value":"a value of some length, number %d"}`, i, i)
	}
	b.WriteString(`],"ports":[{"containerPort":8080,"protocol":"TCP"}]}],"nodeName":"node-1"},"status":{"phase":"Running","conditions":[`)
	for i, c := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		if i > 0 {
			b.WriteByte(',')
		}
		at := 0
		if c == "Ready" || c == "ContainersReady" {
			at = n
		}
		fmt.Fprintf(&b, `{"type":%q,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-29T%02d:%02d:%02dZ"}`, c, at/3600%24, at/60%60, at%60)
	}
	fmt.Fprintf(&b, `],"hostIP":"10.0.0.1","podIP":"10.1.0.7","containerStatuses":[{"name":"web","ready":true,"restartCount":%d}]}}`+"\n", n)
	return []byte(b.String())
}

// wire makes protobuf messages.
type wire []byte

func (w wire) text(field protowire.Number, s string) wire {
	return protowire.AppendString(protowire.AppendTag(w, field, protowire.BytesType), s)
}

func (w wire) number(field protowire.Number, n int) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.VarintType), uint64(n))
}

func podProtobuf(n int) []byte {
	meta := wire{}.text(1, "web-7c5ddbdf54-x2x7p").text(3, "default").text(5, "0d6f0a6e-5d0c-4c5a-9f0e-1d2c3b4a5f60")
	meta = meta.text(11, string(wire{}.text(1, "app").text(2, "web"))).text(11, string(wire{}.text(1, "pod-template-hash").text(2, "7c5ddbdf54")))
	container := wire{}.text(1, "web").text(2, "registry.example/web:1.2.3").text(6, string(wire{}.number(3, 8080).text(4, "TCP")))
	for i := range 34 {
		container = container.text(7, string(wire{}.text(1, fmt.Sprintf("VARIABLE_%d", i)).text(2, fmt.Sprintf("a value of some length, number %d", i))))
	}
	spec := wire{}.text(2, string(container)).text(10, "node-1")
	status := wire{}.text(1, "Running")
	for _, c := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		at := 0
		if c == "Ready" || c == "ContainersReady" {
			at = n
		}
		status = status.text(2, string(wire{}.text(1, c).text(2, "True").text(3, "").text(4, string(wire{}.number(1, 1_700_000_000+at)))))
	}
	status = status.text(5, "10.0.0.1").text(6, "10.1.0.7").text(8, string(wire{}.text(1, "web").number(4, 1).number(5, n)))
	object := wire{}.text(1, string(meta)).text(2, string(spec)).text(3, string(status))
	unknown := wire{}.text(1, string(wire{}.text(1, "v1").text(2, "Pod"))).text(2, string(object)).text(3, "").text(4, "")
	return append([]byte("k8s\x00"), unknown...)
}

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
	for _, kind := range PodKinds {
		for _, whole := range []bool{true, false} {
			values := make([][]byte, 64)
			for i := range values {
				values[i] = kind.Pod(i)
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
			applied(b, v, op, uint32(i), t, graphOnly{mesh.Graph})
		}
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
		for i, t := range ts[2] {
			applied(b, again, late, uint32(i), t, &v.log)
		}
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
			applied(b, again, ops[i], 0, ts[i], &log)
			log.add(testRecord{op: delivered{op: ops[i], ts: ts[i : i+1]}, trail: again.Trail()})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*branches), "µs/branch")
}
