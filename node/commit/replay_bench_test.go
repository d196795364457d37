package commit

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
)

var replayPuts = flag.Int("replay-puts", 200_000, "puts in the log of BenchmarkReplay")

// BenchmarkReplay measures the start of a node whose log holds many puts of
// 100 bytes, made one by one by many clients, or in transactions of 500.
func BenchmarkReplay(b *testing.B) {
	puts := *replayPuts
	for _, perTxn := range []int{1, 500} {
		b.Run(fmt.Sprintf("txn=%d", perTxn), func(b *testing.B) {
			dir := b.TempDir()
			mesh := fill(b, dir, puts, perTxn)
			b.ReportAllocs()
			for b.Loop() {
				store := openStore(b, dir)
				p, err := Open(Config{Store: store, Key: key("founder"), Mesh: mesh})
				if err != nil {
					b.Fatal(err)
				}
				if n := p.View().Stats().Keys; n != puts {
					b.Fatalf("%d keys, want %d", n, puts)
				}
				if err := p.Close(); err != nil {
					b.Fatal(err)
				}
				if err := store.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(puts), "ns/put")
		})
	}
}

func openStore(b *testing.B, dir string) *leveldb.Store {
	b.Helper()
	store, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// fill founds a mesh in dir and puts that many keys.
func fill(b *testing.B, dir string, puts, perTxn int) dag.ID {
	b.Helper()
	store := openStore(b, dir)
	mesh, err := Found(store, Founding{Node: key("founder"), Operator: key("operator"), Name: "founder", Now: time.Unix(1, 0)})
	if err != nil {
		b.Fatal(err)
	}
	p, err := Open(Config{Store: store, Key: key("founder"), Mesh: mesh})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for {
				first := int(next.Add(int64(perTxn))) - perTxn
				if first >= puts {
					return
				}
				txn := &pb.TxnRequest{}
				for i := range perTxn {
					txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
						Key: fmt.Appendf(nil, "/registry/pods/default/pod-%08d", first+i), Value: value,
					}}})
				}
				if _, err := p.Submit(b.Context(), txn); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	return mesh
}
