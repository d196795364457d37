package etcdgw

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// kvServer serves the KV service.
type kvServer struct {
	*Server
	pb.UnimplementedKVServer
}

// Range implements KV. A linearizable read needs no more than a serializable
// one: whatever was acknowledged has been published.
func (s *kvServer) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(r); err != nil {
		return nil, err
	}
	resp, err := read(ctx, s.Server,
		func(by auth.Info) error { return s.auth.CheckRange(by, r.Key, r.RangeEnd) },
		func() (*pb.RangeResponse, error) { return s.view.Range(ctx, r) })
	if err != nil {
		return nil, err
	}
	s.metrics.ranges.Inc()
	s.fill(&resp.Header)
	return resp, nil
}

// Put implements KV.
func (s *kvServer) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := checkPut(r); err != nil {
		return nil, err
	}
	resp, err := submit[*pb.PutResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.metrics.puts.Inc()
	s.fill(&resp.Header)
	return resp, nil
}

// DeleteRange implements KV.
func (s *kvServer) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := checkDelete(r); err != nil {
		return nil, err
	}
	resp, err := submit[*pb.DeleteRangeResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.metrics.deletes.Inc()
	s.fill(&resp.Header)
	return resp, nil
}

// Txn implements KV. One that writes nothing whatever its compares say is a read.
func (s *kvServer) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := checkTxn(r, s.cfg.MaxTxnOps); err != nil {
		return nil, err
	}
	var resp *pb.TxnResponse
	var err error
	if mvcc.ReadOnly(r) {
		resp, err = read(ctx, s.Server,
			func(by auth.Info) error { return s.auth.CheckTxn(by, r, s.leaseKeys) },
			func() (*pb.TxnResponse, error) { return s.view.ReadTxn(ctx, r) })
	} else {
		resp, err = submit[*pb.TxnResponse](ctx, s.Server, r)
	}
	if err != nil {
		return nil, err
	}
	if s.metrics.countOps(resp) > 1 {
		s.metrics.txns.Inc()
	}
	s.fill(&resp.Header)
	return resp, nil
}

// Compact implements KV. A compaction holds at once, and what it makes
// superfluous goes as further writes come; physical makes no difference.
func (s *kvServer) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	resp, err := submit[*pb.CompactionResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.fill(&resp.Header)
	return resp, nil
}

// submit hands a write of admissible size to the backend, to be evaluated if the
// caller may make it.
func submit[Resp proto.Message](ctx context.Context, s *Server, req proto.Message) (Resp, error) {
	var none Resp
	guarded, err := s.guarded(ctx, req)
	if err != nil {
		return none, err
	}
	if err := checkSize(req, s.cfg.MaxRequestBytes); err != nil {
		return none, err
	}
	resp, err := s.backend.Submit(ctx, guarded)
	if err != nil {
		return none, err
	}
	return resp.(Resp), nil
}
