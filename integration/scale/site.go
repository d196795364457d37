package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	root = "/registry/pods/"
	// txnOps is how many puts a transaction of the load has.
	txnOps = 500
	// nearPast is how many changes lie between the revision in the near past
	// and the present.
	nearPast = 1000
)

// site is one server with one keyspace.
type site struct {
	server rival.Server
	dir    string
	keys   int

	process *rival.Process
	conn    *grpc.ClientConn

	far, near         int64 // revisions in the past
	loading, churning time.Duration
}

// key returns the name of a key. Keys are spread over a hundred namespaces.
func key(i int) []byte { return fmt.Appendf(nil, "%sns-%02d/pod-%08d", root, i%100, i/100) }

func (s *site) start(ctx context.Context) error {
	var err error
	if s.process, err = rival.Start(ctx, s.server, s.dir, "--max-txn-ops", fmt.Sprint(txnOps)); err != nil {
		return err
	}
	s.conn, err = rival.Dial(s.process.Addr)
	return err
}

func (s *site) stop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	if s.process != nil {
		s.process.Stop()
		s.process = nil
	}
}

// load starts the server on an empty directory and fills it: all keys, and then
// the churn, two updates to one deletion and one creation.
func (s *site) load(ctx context.Context, o options) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	kv := pb.NewKVClient(s.conn)
	rng := rand.New(rand.NewPCG(1, uint64(s.keys)))
	value := func() []byte {
		v := make([]byte, o.value)
		for i := range v {
			v[i] = byte(' ' + rng.IntN(95))
		}
		return v
	}
	begin := time.Now()
	for i := 0; i < s.keys; {
		txn := &pb.TxnRequest{}
		for ; i < s.keys && len(txn.Success) < txnOps; i++ {
			txn.Success = append(txn.Success, put(key(i), value()))
		}
		if _, err := kv.Txn(ctx, txn); err != nil {
			return err
		}
	}
	s.loading = time.Since(begin)

	begin = time.Now()
	created := s.keys
	for i := 0; i < o.churn; {
		if i >= o.churn-nearPast && s.near == 0 {
			s.near = s.revision(ctx)
		}
		if s.far == 0 {
			s.far = s.revision(ctx)
		}
		txn := &pb.TxnRequest{}
		touched := make(map[int]bool)
		for ; i < o.churn && len(txn.Success) < 100; i++ {
			k := rng.IntN(s.keys)
			for touched[k] {
				k = rng.IntN(s.keys)
			}
			touched[k] = true
			switch i % 4 {
			case 0:
				txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key(k)}}})
			case 1:
				txn.Success = append(txn.Success, put(key(created), value()))
				created++
			default:
				txn.Success = append(txn.Success, put(key(k), value()))
			}
		}
		if _, err := kv.Txn(ctx, txn); err != nil {
			return err
		}
	}
	s.churning = time.Since(begin)
	if s.near <= s.far {
		return fmt.Errorf("revision %d in the near past, %d in the far past", s.near, s.far)
	}
	return nil
}

func put(k, v []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: k, Value: v}}}
}

// revision returns the present revision, 0 if the server does not answer.
func (s *site) revision(ctx context.Context) int64 {
	resp, err := pb.NewKVClient(s.conn).Range(ctx, &pb.RangeRequest{Key: []byte("none")})
	if err != nil {
		return 0
	}
	return resp.Header.Revision
}

// onDisk returns the bytes of the files of the server.
func (s *site) onDisk() (n int64) {
	_ = filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a file may vanish while it is looked at
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
