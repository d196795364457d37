package etcdgw

import (
	"context"
	"encoding/binary"
	"hash"
	"hash/crc32"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// maintenanceServer serves the Maintenance service.
type maintenanceServer struct {
	*Server
	pb.UnimplementedMaintenanceServer
	snapshots chan struct{} // holds one for each snapshot being made
}

func newMaintenanceServer(s *Server) *maintenanceServer {
	return &maintenanceServer{Server: s, snapshots: make(chan struct{}, maxSnapshots)}
}

// Status implements Maintenance.
func (s *maintenanceServer) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	st := s.backend.Status()
	return &pb.StatusResponse{
		Header:           s.header(s.view.Revision()),
		Version:          s.cfg.Version,
		StorageVersion:   clusterVersion(s.cfg.Version),
		DbSize:           st.Size,
		DbSizeInUse:      st.SizeInUse,
		Leader:           s.cfg.MemberID,
		RaftIndex:        st.Index,
		RaftAppliedIndex: st.Index,
		RaftTerm:         raftTerm,
		Errors:           s.statusErrors(),
		DbSizeQuota:      st.Quota,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}, nil
}

// Defragment implements Maintenance. Storage is compacted as it is written, so
// there is nothing left to do.
func (s *maintenanceServer) Defragment(context.Context, *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return &pb.DefragmentResponse{}, nil
}

// MoveLeader implements Maintenance as a one-member etcd does: the leader can
// be moved to where it is, and nowhere else.
func (s *maintenanceServer) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	if r.TargetID != s.cfg.MemberID {
		return nil, rpctypes.ErrGRPCBadLeaderTransferee
	}
	return &pb.MoveLeaderResponse{}, nil
}

// Downgrade implements Maintenance: refused.
func (s *maintenanceServer) Downgrade(context.Context, *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return nil, unimplemented("there is no etcd cluster version to downgrade")
}

// Hash implements Maintenance: the hash of the keyspace at the present.
func (s *maintenanceServer) Hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	sum, at, err := s.hashKeys(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &pb.HashResponse{Header: s.header(at), Hash: sum}, nil
}

// HashKV implements Maintenance: the hash of the keys and values visible at a
// revision (0: the present). It says whether two answers of this node are of the
// same state; it is not the hash that an etcd of the same content reports.
func (s *maintenanceServer) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	sum, at, err := s.hashKeys(ctx, r.Revision)
	if err != nil {
		return nil, err
	}
	hashed := r.Revision
	if hashed == 0 {
		hashed = at
	}
	compacted := s.view.CompactRevision()
	if compacted == 0 {
		compacted = -1 // as etcd says that nothing is
	}
	return &pb.HashKVResponse{
		Header:          s.header(at),
		Hash:            sum,
		CompactRevision: compacted,
		HashRevision:    hashed,
	}, nil
}

// hashKeys hashes the keyspace at a revision (0: the present) and returns with
// it the present revision.
func (s *maintenanceServer) hashKeys(ctx context.Context, revision int64) (sum uint32, present int64, err error) {
	resp, err := s.view.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: revision})
	if err != nil {
		return 0, 0, err
	}
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	h.Write([]byte("key")) // as etcd begins; the hash of nothing is not 0
	for _, kv := range resp.Kvs {
		hashKeyValue(h, kv)
	}
	return h.Sum32(), resp.Header.GetRevision(), nil
}

func hashKeyValue(h hash.Hash, kv *mvccpb.KeyValue) {
	var numbers []byte
	for _, n := range []int64{int64(len(kv.Key)), int64(len(kv.Value)), kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease} {
		numbers = binary.BigEndian.AppendUint64(numbers, uint64(n))
	}
	h.Write(numbers)
	h.Write(kv.Key)
	h.Write(kv.Value)
}
