package etcdgw

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/etcdgw/v3lockpb"
)

// errSessionExpired answers a Lock whose lease ended while it waited.
var errSessionExpired = errors.New("mutex: session is expired")

// lockServer serves the Lock service. A lock excludes the other clients of this
// node; those of other nodes it does not.
type lockServer struct {
	candidates
	v3lockpb.UnimplementedLockServer
}

// Lock implements Lock: it waits until the key of the lease is the oldest one of
// the lock.
func (s *lockServer) Lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	resp, err := s.lock(ctx, r)
	return resp, asClient(err)
}

func (s *lockServer) lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	lease, err := s.leaseOf(ctx, r.Lease)
	if err != nil {
		return nil, err
	}
	prefix := candidatePrefix(r.Name)
	key := candidateKey(prefix, lease)
	txn, revision, err := s.enter(ctx, key, nil, lease, rangeOp(firstCreated(prefix)))
	if err != nil {
		return nil, err
	}
	owner := txn.Responses[1].GetResponseRange().Kvs
	if len(owner) == 0 || owner[0].CreateRevision == revision {
		return &v3lockpb.LockResponse{Header: txn.Header, Key: key}, nil
	}
	if err := s.awaitTurn(ctx, prefix, revision); err != nil {
		s.abandon(ctx, key, revision)
		return nil, err
	}
	own, err := s.kv.Range(ctx, &pb.RangeRequest{Key: key})
	if err != nil {
		s.abandon(ctx, key, revision)
		return nil, err
	}
	if len(own.Kvs) == 0 {
		return nil, errSessionExpired
	}
	return &v3lockpb.LockResponse{Header: own.Header, Key: key}, nil
}

// Unlock implements Lock: it deletes the key.
func (s *lockServer) Unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	resp, err := s.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: r.Key})
	if err != nil {
		return nil, asClient(err)
	}
	return &v3lockpb.UnlockResponse{Header: resp.Header}, nil
}
