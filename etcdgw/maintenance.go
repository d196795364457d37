package etcdgw

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
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

// Hash implements Maintenance: the hash of the history up to the present.
func (s *maintenanceServer) Hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	h, err := s.view.HashKV(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &pb.HashResponse{Header: s.header(h.Present), Hash: h.Sum}, nil
}

// HashKV implements Maintenance: etcd's hash of the history up to a revision (0:
// the present).
func (s *maintenanceServer) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	h, err := s.view.HashKV(ctx, r.Revision)
	if err != nil {
		return nil, err
	}
	if h.Compacted == 0 {
		h.Compacted = -1 // as etcd says that nothing is
	}
	return &pb.HashKVResponse{
		Header:          s.header(h.Present),
		Hash:            h.Sum,
		CompactRevision: h.Compacted,
		HashRevision:    h.Revision,
	}, nil
}
