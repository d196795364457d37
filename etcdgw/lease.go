package etcdgw

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// leaseServer serves the Lease service. Leases live on this node alone.
type leaseServer struct {
	*Server
	pb.UnimplementedLeaseServer
}

// LeaseGrant implements Lease. The backend chooses the ID where none is given.
func (s *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	resp, err := submit[*pb.LeaseGrantResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.metrics.leaseGranted.Inc()
	s.fill(&resp.Header)
	return resp, nil
}

// LeaseRevoke implements Lease.
func (s *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	resp, err := submit[*pb.LeaseRevokeResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.metrics.leaseRevoked.Inc()
	s.fill(&resp.Header)
	return resp, nil
}

// LeaseKeepAlive implements Lease: a stream of renewals, each answered with the
// lease's full time to live, or 0 if there is no such lease. As in etcd a
// renewal is not logged; after a restart every lease has its full time again.
func (s *leaseServer) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	ctx := stream.Context()
	requests := receive(s.Server, stream)
	for {
		select {
		case r := <-requests:
			if r.err != nil {
				return s.ended(ctx, "receive", "lease-keepalive", r.err)
			}
			// The revision is taken first: were the lease to end just after, the
			// client must not see it alive at the revision that ended it.
			resp := &pb.LeaseKeepAliveResponse{Header: s.header(s.view.Revision()), ID: r.msg.ID}
			ttl, err := s.renew(ctx, r.msg.ID)
			switch {
			case err == nil:
				resp.TTL = ttl
				s.metrics.leaseRenewed.Inc()
			case !errors.Is(err, rpctypes.ErrGRPCLeaseNotFound):
				return err
			}
			if err := stream.Send(resp); err != nil {
				return s.ended(ctx, "send", "lease-keepalive", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping.Done():
			return errStopped
		}
	}
}

// renew renews a lease of whose keys the caller may write all.
func (s *leaseServer) renew(ctx context.Context, id int64) (int64, error) {
	by, err := s.caller(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.auth.CheckKnown(by); err != nil {
		return 0, err
	}
	if err := s.auth.CheckLease(by, id, true, s.leaseKeys); err != nil {
		return 0, err
	}
	return s.view.KeepAlive(id, s.cfg.Now())
}

// LeaseTimeToLive implements Lease. The time to live of a lease that does not
// exist is -1.
func (s *leaseServer) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	resp := &pb.LeaseTimeToLiveResponse{Header: s.header(s.view.Revision()), ID: r.ID}
	st, err := read(ctx, s.Server, func(by auth.Info) error {
		if !r.Keys {
			return nil
		}
		return s.auth.CheckLease(by, r.ID, false, s.leaseKeys)
	}, func() (mvcc.LeaseStatus, error) { return s.view.LeaseTimeToLive(r.ID, r.Keys, s.cfg.Now()) })
	switch {
	case err == nil:
		resp.TTL, resp.GrantedTTL, resp.Keys = int64(st.Remaining.Seconds()), st.GrantedTTL, st.Keys
	case errors.Is(err, rpctypes.ErrGRPCLeaseNotFound):
		resp.TTL = -1
	default:
		return nil, err
	}
	return resp, nil
}

// LeaseLeases implements Lease: the one that runs out first comes first.
func (s *leaseServer) LeaseLeases(ctx context.Context, _ *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	resp := &pb.LeaseLeasesResponse{Header: s.header(s.view.Revision())}
	leases := s.view.Leases(s.cfg.Now())
	for _, l := range leases {
		resp.Leases = append(resp.Leases, &pb.LeaseStatus{ID: l.ID})
	}
	return read(ctx, s.Server, func(by auth.Info) error {
		if err := s.auth.CheckKnown(by); err != nil {
			return err
		}
		for _, l := range leases {
			if err := s.auth.CheckLease(by, l.ID, false, s.leaseKeys); err != nil {
				return err
			}
		}
		return nil
	}, func() (*pb.LeaseLeasesResponse, error) { return resp, nil })
}
