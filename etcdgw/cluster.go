package etcdgw

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// clusterServer serves the Cluster service of a cluster of one member, which
// stays one: sites join a mesh by invitation, not as etcd members.
type clusterServer struct {
	*Server
	pb.UnimplementedClusterServer
}

// MemberList implements Cluster.
func (s *clusterServer) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return &pb.MemberListResponse{
		Header:  s.memberHeader(),
		Members: []*pb.Member{{ID: s.cfg.MemberID, Name: s.cfg.Name, ClientURLs: s.advertised()}},
	}, nil
}

// advertised returns the client URLs that clients are told.
func (s *Server) advertised() []string {
	if len(s.cfg.AdvertiseClientURLs) > 0 {
		return s.cfg.AdvertiseClientURLs
	}
	return s.URLs()
}

// MemberAdd implements Cluster: refused.
func (s *clusterServer) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	if len(r.PeerURLs) == 0 {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	for _, url := range r.PeerURLs {
		if _, err := parseURL(url); err != nil {
			return nil, rpctypes.ErrGRPCMemberBadURLs
		}
	}
	by, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.auth.CheckAdmin(by); err != nil {
		return nil, err
	}
	return nil, rpctypes.ErrGRPCNotCapable
}

// MemberRemove implements Cluster: refused.
func (s *clusterServer) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return nil, s.refuse(r.ID)
}

// MemberUpdate implements Cluster: refused.
func (s *clusterServer) MemberUpdate(_ context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return nil, s.refuse(r.ID)
}

// MemberPromote implements Cluster: the one member is no learner.
func (s *clusterServer) MemberPromote(_ context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	if r.ID == s.cfg.MemberID {
		return nil, rpctypes.ErrGRPCMemberNotLearner
	}
	return nil, rpctypes.ErrGRPCMemberNotFound
}

func (s *clusterServer) refuse(member uint64) error {
	if member == s.cfg.MemberID {
		return rpctypes.ErrGRPCNotCapable
	}
	return rpctypes.ErrGRPCMemberNotFound
}

// memberHeader is the header of the Cluster service, which in etcd has no
// revision.
func (s *clusterServer) memberHeader() *pb.ResponseHeader { return s.header(0) }
