package etcdgw

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// echo is the least that a KV server can do: it measures gRPC alone.
type echo struct {
	pb.UnimplementedKVServer
	revision atomic.Int64
}

func (e *echo) Put(context.Context, *pb.PutRequest) (*pb.PutResponse, error) {
	return &pb.PutResponse{Header: &pb.ResponseHeader{ClusterId: 0xc1, MemberId: 0xa1, RaftTerm: 1, Revision: e.revision.Add(1)}}, nil
}

// cpu is the processor time of this process: unlike the clock it does not
// count what else runs on the machine.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPut puts 256-byte values through TCP on the loopback, with the
// clients in this process. "echo" is a gRPC server that does nothing, so the
// difference in cpu-µs/op is what the gateway and the view in memory add.
func BenchmarkPut(b *testing.B) {
	for _, load := range []struct {
		name           string
		clients, conns int
	}{{"clients=1000", 1000, 100}, {"clients=1", 1, 1}} {
		b.Run("server=echo/"+load.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			g := grpc.NewServer()
			pb.RegisterKVServer(g, new(echo))
			var wg sync.WaitGroup
			wg.Go(func() { g.Serve(l) })
			defer wg.Wait()
			defer g.Stop()
			benchmarkPut(b, l.Addr().String(), load.clients, load.conns)
		})
		b.Run("server=gateway/"+load.name, func(b *testing.B) {
			s := serve(b, testConfig(), newMemory(b, mvcc.Config{}))
			benchmarkPut(b, address(s), load.clients, load.conns)
		})
	}
}

func benchmarkPut(b *testing.B, address string, clients, conns int) {
	kvs := make([]pb.KVClient, conns)
	for i := range kvs {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		kvs[i] = pb.NewKVClient(conn)
		if _, err := kvs[i].Put(b.Context(), &pb.PutRequest{Key: []byte("warm")}); err != nil {
			b.Fatal(err)
		}
	}
	value := make([]byte, 256)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	start := cpu(b)
	for c := range clients {
		wg.Go(func() {
			kv := kvs[c%conns]
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				key := fmt.Appendf(nil, "key-%06d", n%100_000)
				if _, err := kv.Put(b.Context(), &pb.PutRequest{Key: key, Value: value}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	b.ReportMetric(float64((cpu(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkCheckTxnNested checks the costliest transaction that is received at
// all: 2 MB of transactions nested two by two.
func BenchmarkCheckTxnNested(b *testing.B) {
	for name, leaf := range map[string]func(key string) *pb.RequestOp{
		"leaves=puts":    opPut,
		"leaves=deletes": func(key string) *pb.RequestOp { return opDelete(key, "") },
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			var nest func(depth int) []*pb.RequestOp
			nest = func(depth int) []*pb.RequestOp {
				if depth > 0 {
					return ops(opTxn(nest(depth-1), nil), opTxn(nest(depth-1), nil))
				}
				n += 2
				return ops(leaf(fmt.Sprintf("%05x", n)), leaf(fmt.Sprintf("%05x", n+1)))
			}
			req := &pb.TxnRequest{Success: nest(16)}
			for b.Loop() {
				if err := checkTxn(req, DefaultMaxTxnOps); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
