package node

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// BenchmarkPut puts 256-byte values through gRPC into one node on disk, all in
// this process: for profiles. integration/bench compares with etcd.
func BenchmarkPut(b *testing.B) {
	for _, clients := range []int{1, 1000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchmarkPut(b, clients) })
	}
}

func benchmarkPut(b *testing.B, clients int) {
	n, err := Open(b.Context(), Config{DataDir: b.TempDir(), ListenClientURLs: []string{"http://127.0.0.1:0"}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	kvs := make([]pb.KVClient, (clients+9)/10)
	for i := range kvs {
		conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(n.ClientURLs()[0], "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		kvs[i] = pb.NewKVClient(conn)
	}
	value := make([]byte, 256)
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				key := fmt.Appendf(nil, "/registry/pods/bench/%08d", rand.IntN(100_000))
				if _, err := kvs[c%len(kvs)].Put(b.Context(), &pb.PutRequest{Key: key, Value: value}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}
