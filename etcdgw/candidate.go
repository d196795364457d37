package etcdgw

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// candidateTTL is the time to live, in seconds, of the lease of a lock or a
	// campaign that names none. It is etcd's; nobody renews such a lease.
	candidateTTL = 60
	// abandonTimeout bounds the removal of the key of a client that has gone.
	abandonTimeout = 5 * time.Second
)

// errHistoryGone says that a watch ended because what it wanted was compacted.
var errHistoryGone = errors.New("etcdgw: the history watched is compacted")

// candidates carries out what the Lock and the Election service do in the name
// of their caller, with plain requests of KV and Lease. Who wants a lock or an
// office puts a key under its prefix, with a lease; the key created first owns
// it, and the others wait until all older keys are deleted.
type candidates struct {
	*Server
	kv    *kvServer
	lease *leaseServer
}

func newCandidates(s *Server) candidates {
	return candidates{s, &kvServer{Server: s}, &leaseServer{Server: s}}
}

// leaseOf returns the lease, a new one if it is 0.
func (c candidates) leaseOf(ctx context.Context, lease int64) (int64, error) {
	if lease != 0 {
		return lease, nil
	}
	by, err := c.caller(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.auth.CheckKnown(by); err != nil {
		return 0, err
	}
	resp, err := c.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: candidateTTL})
	if err != nil {
		return 0, err
	}
	return resp.ID, nil
}

// candidatePrefix is the prefix of the keys of those who want what is named.
func candidatePrefix(name []byte) []byte { return append(name[:len(name):len(name)], '/') }

// candidateKey is the key of the one with the lease.
func candidateKey(prefix []byte, lease int64) []byte {
	return fmt.Appendf(prefix[:len(prefix):len(prefix)], "%x", lease)
}

// prefixEnd is the end of the range of all keys with the prefix, which ends
// with '/'.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}

// firstCreated asks for the key with the prefix that was created first.
func firstCreated(prefix []byte) *pb.RangeRequest {
	return &pb.RangeRequest{
		Key: prefix, RangeEnd: prefixEnd(prefix), Limit: 1,
		SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_ASCEND,
	}
}

// created compares the create revision of a key.
func created(key []byte, revision int64) *pb.Compare {
	return &pb.Compare{
		Key: key, Result: pb.Compare_EQUAL, Target: pb.Compare_CREATE,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: revision},
	}
}

func rangeOp(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func putOp(r *pb.PutRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// enter puts the key, with its value, under the lease unless it is there
// already. It returns the answer to the transaction, whose first response is that
// of the put or of reading the key, and the key's create revision.
func (c candidates) enter(ctx context.Context, key, value []byte, lease int64, also ...*pb.RequestOp) (*pb.TxnResponse, int64, error) {
	put := putOp(&pb.PutRequest{Key: key, Value: value, Lease: lease})
	get := rangeOp(&pb.RangeRequest{Key: key})
	resp, err := c.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{created(key, 0)},
		Success: append([]*pb.RequestOp{put}, also...),
		Failure: append([]*pb.RequestOp{get}, also...),
	})
	if err != nil {
		return nil, 0, err
	}
	if resp.Succeeded {
		return resp, resp.Header.Revision, nil
	}
	return resp, resp.Responses[0].GetResponseRange().Kvs[0].CreateRevision, nil
}

// awaitTurn returns when no key with the prefix is left that was created before
// revision.
func (c candidates) awaitTurn(ctx context.Context, prefix []byte, revision int64) error {
	for {
		older, err := c.kv.Range(ctx, &pb.RangeRequest{
			Key: prefix, RangeEnd: prefixEnd(prefix), KeysOnly: true, MaxCreateRevision: revision - 1,
			SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_DESCEND,
		})
		if err != nil || len(older.Kvs) == 0 {
			return err
		}
		err = c.awaitDelete(ctx, older.Kvs[0].Key, older.Header.Revision+1)
		if errors.Is(err, errHistoryGone) {
			// In a new window of revisions the keys are numbered anew, and not
			// in the order they were created.
			return c.awaitAll(ctx, older.Kvs)
		}
		if err != nil {
			return err
		}
	}
}

// awaitAll returns when each of the keys has been absent.
func (c candidates) awaitAll(ctx context.Context, kvs []*mvccpb.KeyValue) error {
	for len(kvs) > 0 {
		key := kvs[0].Key
		resp, err := c.kv.Range(ctx, &pb.RangeRequest{Key: key, KeysOnly: true})
		if err != nil {
			return err
		}
		if len(resp.Kvs) > 0 {
			err = c.awaitDelete(ctx, key, resp.Header.Revision+1)
			if errors.Is(err, errHistoryGone) {
				continue
			}
			if err != nil {
				return err
			}
		}
		kvs = kvs[1:]
	}
	return nil
}

// awaitDelete returns nil when the key has been deleted at revision from or later.
func (c candidates) awaitDelete(ctx context.Context, key []byte, from int64) error {
	return c.follow(ctx, &pb.WatchCreateRequest{Key: key, StartRevision: from}, func(_ *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
		return ev.Type == mvccpb.Event_DELETE, nil
	})
}

// follow calls fn with each event of a watch until fn reports that it is done
// or an error, ctx is done or the server stops. The header is that of the event's
// response. It is errHistoryGone if the watch ends as compacted.
func (c candidates) follow(ctx context.Context, r *pb.WatchCreateRequest, fn func(*pb.ResponseHeader, *mvccpb.Event) (bool, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.stopping, func() { cancel(errStopped) })()

	stream := c.view.NewWatchStream()
	defer stream.Close()
	if err := stream.Watch(ctx, r); err != nil {
		return cause(ctx, err)
	}
	for {
		resp, err := stream.Recv(ctx)
		if err != nil {
			return cause(ctx, err)
		}
		if resp.Canceled {
			return errHistoryGone
		}
		header := c.header(resp.Header.Revision)
		for _, ev := range resp.Events {
			if done, err := fn(header, ev); done || err != nil {
				return err
			}
		}
	}
}

// cause returns why ctx is done, err if it is not.
func cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// abandon deletes the key of a client that waits no more, if it is still the one
// created at revision. It is the server's doing, whatever the client may write.
func (c candidates) abandon(ctx context.Context, key []byte, revision int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_, err := c.backend.Submit(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{created(key, revision)},
		Success: []*pb.RequestOp{deleteOp(key)},
	})
	if err != nil {
		c.log.Debug("the key of a client that has gone stays until its lease ends", "err", err)
	}
}

// asClient returns the error as etcd answers it, whose Lock and Election services
// are clients of the others: the text stays, the code is Unknown. What says that
// the call was cut off keeps its code.
func asClient(err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return status.Error(codes.Unknown, status.Convert(err).Message())
}
