package etcdgw

import (
	"bytes"
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/causeway-sync/causeway/etcdgw/v3electionpb"
)

// The errors of elections have no code of their own in etcd.
var (
	errNoLeaderKey = errors.New(`"leader" field must be provided`)
	errNotLeader   = errors.New("election: not leader")
	errNobodyLeads = errors.New("election: no leader")
)

// electionServer serves the Election service. An election is one among the
// clients of this node.
type electionServer struct {
	candidates
	v3electionpb.UnimplementedElectionServer
}

// Campaign implements Election: it waits until the key of the lease is the
// oldest one of the election. As in etcd it does not look whether that key is
// still there then.
func (s *electionServer) Campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	resp, err := s.campaign(ctx, r)
	return resp, asClient(err)
}

func (s *electionServer) campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	lease, err := s.leaseOf(ctx, r.Lease)
	if err != nil {
		return nil, err
	}
	prefix := candidatePrefix(r.Name)
	key := candidateKey(prefix, lease)
	txn, revision, err := s.enter(ctx, key, r.Value, lease)
	if err != nil {
		return nil, err
	}
	leader := &v3electionpb.LeaderKey{Name: r.Name, Key: key, Rev: revision, Lease: lease}
	header := txn.Header
	if !txn.Succeeded && !bytes.Equal(txn.Responses[0].GetResponseRange().Kvs[0].Value, r.Value) {
		if _, err = s.proclaim(ctx, leader, r.Value); err != nil {
			s.abandon(ctx, key, revision)
			return nil, err
		}
	}
	if err := s.awaitTurn(ctx, prefix, revision); err != nil {
		s.abandon(ctx, key, revision)
		return nil, err
	}
	return &v3electionpb.CampaignResponse{Header: header, Leader: leader}, nil
}

// proclaim puts a value if the leader's key is still the one of its campaign.
func (s *electionServer) proclaim(ctx context.Context, l *v3electionpb.LeaderKey, value []byte) (*pb.ResponseHeader, error) {
	resp, err := s.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{created(l.Key, l.Rev)},
		Success: []*pb.RequestOp{putOp(&pb.PutRequest{Key: l.Key, Value: value, Lease: l.Lease})},
	})
	switch {
	case err != nil:
		return nil, err
	case !resp.Succeeded:
		return nil, errNotLeader
	default:
		return resp.Header, nil
	}
}

// Proclaim implements Election.
func (s *electionServer) Proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	l := r.Leader
	if l == nil {
		return nil, asClient(errNoLeaderKey)
	}
	lease, err := s.leaseOf(ctx, l.Lease)
	if err != nil {
		return nil, asClient(err)
	}
	header, err := s.proclaim(ctx, &v3electionpb.LeaderKey{Key: l.Key, Rev: l.Rev, Lease: lease}, r.Value)
	if err != nil {
		return nil, asClient(err)
	}
	return &v3electionpb.ProclaimResponse{Header: header}, nil
}

// Resign implements Election. Who does not lead resigns from nothing.
func (s *electionServer) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	l := r.Leader
	if l == nil {
		return nil, asClient(errNoLeaderKey)
	}
	if _, err := s.leaseOf(ctx, l.Lease); err != nil {
		return nil, asClient(err)
	}
	resp, err := s.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{created(l.Key, l.Rev)},
		Success: []*pb.RequestOp{deleteOp(l.Key)},
	})
	if err != nil {
		return nil, asClient(err)
	}
	return &v3electionpb.ResignResponse{Header: resp.Header}, nil
}

// Leader implements Election.
func (s *electionServer) Leader(ctx context.Context, r *v3electionpb.LeaderRequest) (*v3electionpb.LeaderResponse, error) {
	resp, err := s.kv.Range(ctx, firstCreated(candidatePrefix(r.Name)))
	if err != nil {
		return nil, asClient(err)
	}
	if len(resp.Kvs) == 0 {
		return nil, asClient(errNobodyLeads)
	}
	return &v3electionpb.LeaderResponse{Header: resp.Header, Kv: resp.Kvs[0]}, nil
}

// Observe implements Election: it sends the leader and what it proclaims, then
// the next leader, and so on. As in etcd it ends without an error if the caller
// may not read the election.
func (s *electionServer) Observe(r *v3electionpb.LeaderRequest, stream v3electionpb.Election_ObserveServer) error {
	ctx := stream.Context()
	prefix := candidatePrefix(r.Name)
	for {
		resp, err := s.kv.Range(ctx, firstCreated(prefix))
		if err != nil {
			return ctx.Err()
		}
		leader := &v3electionpb.LeaderResponse{Header: resp.Header}
		if len(resp.Kvs) > 0 {
			leader.Kv = resp.Kvs[0]
		} else {
			first := &pb.WatchCreateRequest{Key: prefix, RangeEnd: prefixEnd(prefix), StartRevision: resp.Header.Revision + 1}
			err = s.follow(ctx, first, func(h *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
				// What is proclaimed after the first put is to be sent as well.
				h.Revision = ev.Kv.ModRevision
				leader.Header, leader.Kv = h, ev.Kv
				return ev.Type == mvccpb.Event_PUT, nil
			})
		}
		if err == nil {
			if err := stream.Send(leader); err != nil {
				return err
			}
			tenure := &pb.WatchCreateRequest{Key: leader.Kv.Key, StartRevision: leader.Header.Revision + 1}
			err = s.follow(ctx, tenure, func(h *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
				if ev.Type == mvccpb.Event_DELETE {
					return true, nil
				}
				return false, stream.Send(&v3electionpb.LeaderResponse{Header: h, Kv: ev.Kv})
			})
		}
		if err != nil && !errors.Is(err, errHistoryGone) {
			return err
		}
	}
}
