package mvcc

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// filled returns a view with n keys, published, all sealed.
func filled(b *testing.B, n int) (*View, []*pb.PutRequest) {
	v := New(Config{})
	puts := make([]*pb.PutRequest, n)
	for i := range puts {
		puts[i] = &pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/default/pod-%08d", i), Value: make([]byte, 256)}
		if _, _, err := v.Evaluate(puts[i], nil, testNow); err != nil {
			b.Fatal(err)
		}
	}
	v.Publish()
	return v, puts
}

const benchKeys = 100_000

func BenchmarkPut(b *testing.B) {
	v, puts := filled(b, benchKeys)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, _, err := v.Evaluate(puts[i*7919%benchKeys], nil, testNow); err != nil {
			b.Fatal(err)
		}
		if i%100 == 0 {
			v.Publish()
			v.unsealed = v.unsealed[:0]
		}
		if i%10_000 == 9_999 {
			must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head() - 5_000})
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	v := New(Config{})
	keys := make([][]byte, b.N)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "/registry/pods/default/pod-%08d", i*7919%len(keys))
	}
	value := make([]byte, 256)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, _, err := v.Evaluate(&pb.PutRequest{Key: keys[i], Value: value}, nil, testNow); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate is the transaction with which kube-apiserver updates an object.
func BenchmarkUpdate(b *testing.B) {
	v, puts := filled(b, benchKeys)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p := puts[i*7919%benchKeys]
		txn := &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: p.Key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: v.visible(p.Key).kv.ModRevision}}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: p}}},
			Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: p.Key}}}},
		}
		resp, _, err := v.Evaluate(txn, nil, testNow)
		if err != nil || !resp.(*pb.TxnResponse).Succeeded {
			b.Fatal(resp, err)
		}
	}
}

func BenchmarkRangeOne(b *testing.B) {
	v, puts := filled(b, benchKeys)
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if resp, err := v.Range(ctx, &pb.RangeRequest{Key: puts[i*7919%benchKeys].Key}); err != nil || resp.Count != 1 {
			b.Fatal(resp, err)
		}
	}
}

// BenchmarkRangePage is a page of a list, with the count of all keys.
func BenchmarkRangePage(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			v, _ := filled(b, n)
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				resp, err := v.Range(ctx, &pb.RangeRequest{Key: []byte("/registry/pods/"), RangeEnd: []byte("/registry/pods0"), Limit: 500})
				if err != nil || resp.Count != int64(n) || !resp.More {
					b.Fatal(resp.Count, err)
				}
			}
		})
	}
}

func BenchmarkApplyRemote(b *testing.B) {
	mesh := dagtest.New(b, 2)
	v := New(Config{})
	const keys = 10_000
	ts := make([]dag.Transaction, keys)
	for i := range ts {
		ts[i] = dag.Transaction{dagtest.Put(fmt.Sprintf("/registry/pods/default/pod-%08d", i), string(make([]byte, 256)))}
	}
	var ops []*dag.Op
	for range b.N/keys + 1 {
		ops = append(ops, mesh.Write(1, dagtest.Put("x", "")))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		applied(b, v, ops[i/keys], ts[i%keys:i%keys+1], nil)
		if i%100 == 0 {
			v.Publish()
		}
		if i%10_000 == 9_999 {
			must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head() - 5_000})
		}
	}
}

// BenchmarkDispatch publishes puts to one of 10,000 watchers each, and to one
// of 100 prefixes.
func BenchmarkDispatch(b *testing.B) {
	v, puts := filled(b, 10_000)
	ctx := context.Background()
	s := v.NewWatchStream()
	defer s.Close()
	drain := func() (n int) {
		for {
			resp, err := s.poll()
			if err != nil {
				b.Fatal(err)
			}
			if resp == nil {
				return n
			}
			n += len(resp.Events)
		}
	}
	add := func(r *pb.WatchCreateRequest) {
		if err := s.Watch(ctx, r); err != nil {
			b.Fatal(err)
		}
		drain()
	}
	for _, p := range puts {
		add(&pb.WatchCreateRequest{Key: p.Key})
	}
	for i := range 100 {
		prefix := fmt.Sprintf("/registry/pods/default/pod-%06d", i)
		add(&pb.WatchCreateRequest{Key: []byte(prefix), RangeEnd: []byte(prefix + "a"), PrevKv: true})
	}
	b.ReportAllocs()
	b.ResetTimer()
	got := 0
	for i := range b.N {
		if _, _, err := v.Evaluate(puts[i*7919%len(puts)], nil, testNow); err != nil {
			b.Fatal(err)
		}
		if i%100 == 99 || i == b.N-1 {
			v.Publish()
			got += drain()
		}
	}
	if got != 2*b.N {
		b.Fatalf("%d events, want %d", got, 2*b.N)
	}
}

// BenchmarkTurn voids, and lets count again, an op that wrote 4,096 keys. It
// reports the time per key; the log is in memory.
func BenchmarkTurn(b *testing.B) {
	mesh := dagtest.New(b, 2)
	v, log := New(Config{}), new(testLog)
	var d delivered
	for i := range dag.MaxTransactions {
		key := fmt.Sprintf("/registry/pods/default/pod-%08d", i)
		v.Record(log.next())
		_, ch, err := v.Evaluate(&pb.PutRequest{Key: []byte(key), Value: make([]byte, 256)}, nil, testNow)
		if err != nil {
			b.Fatal(err)
		}
		log.add(testRecord{changes: [][]byte{ch.Append(nil)}})
		d.ts = append(d.ts, dag.Transaction{dagtest.Put(key, string(make([]byte, 256)))})
	}
	v.Sealed(1, dag.MaxTransactions, mesh.Write(0, dagtest.Put("x", "")))
	d.op = mesh.Write(1, d.ts[0]...)
	v.Record(log.next())
	applied(b, v, d.op, d.ts, log)
	log.add(testRecord{op: d, trail: bytes.Clone(v.Trail())})
	judges := [2]judge{without{d.op}, without{}}
	b.ResetTimer()
	for i := range b.N {
		before := v.Head()
		if err := v.turn(judges[i%2], nil, []*dag.Op{d.op}, log); err != nil {
			b.Fatal(err)
		}
		if v.Head() != before+dag.MaxTransactions {
			b.Fatalf("%d keys changed, want %d", v.Head()-before, dag.MaxTransactions)
		}
		v.Publish()
		must[*pb.CompactionResponse](b, v, &pb.CompactionRequest{Revision: v.Head()})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*dag.MaxTransactions), "ns/key")
}

// without makes one op void.
type without struct{ op *dag.Op }

func (w without) judgementOf(op *dag.Op) judgement { return verdictOf(op == w.op) }
func (without) local([]byte) bool                  { return false }
func (without) merges([]byte) bool                 { return true }

type verdictOf bool

// Void implements judgement.
func (void verdictOf) Void(dag.Transaction) error {
	if void {
		return errDenied
	}
	return nil
}

// Passes implements judgement.
func (verdictOf) Passes([]byte) bool { return false }

// Form implements judgement.
func (verdictOf) Form([]byte) *identity.Form { return nil }
