package etcd

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/causeway-sync/causeway/integration/harness"
)

func tableLease(p *pair) {
	list := &pb.LeaseLeasesRequest{}
	ttl := func(id int64) *pb.LeaseTimeToLiveRequest { return &pb.LeaseTimeToLiveRequest{ID: id, Keys: true} }
	p.do(list)
	for _, r := range []*pb.LeaseGrantRequest{
		{ID: 31, TTL: 3600}, {ID: 31, TTL: 3600}, {ID: 32, TTL: 1800}, {ID: 33, TTL: 9_000_000_000}, {ID: 34, TTL: 9_000_000_001},
		{ID: 35, TTL: 1 << 62}, {ID: 36, TTL: 600}, {TTL: 700}, {TTL: 800}, {ID: 38, TTL: 1}, {ID: -7, TTL: 500},
	} {
		p.do(r)
		p.do(ttl(r.ID))
	}
	p.all(ttl(firstToken), ttl(firstToken+1), &pb.LeaseRevokeRequest{ID: 38}, list)
	for _, key := range []string{"b", "a", "c"} {
		p.do(&pb.PutRequest{Key: []byte("lease/" + key), Value: []byte("v"), Lease: 31})
	}
	p.all(&pb.PutRequest{Key: []byte("lease/chosen"), Value: []byte("v"), Lease: firstToken},
		get("lease/", "lease0"), ttl(firstToken), ttl(31), &pb.LeaseTimeToLiveRequest{ID: 31},
		// Moved, taken off, deleted.
		&pb.PutRequest{Key: []byte("lease/a"), Value: []byte("w"), Lease: 32}, ttl(31), ttl(32),
		put("lease/b", "w"), ttl(31), del("lease/c", ""), ttl(31), &pb.LeaseRevokeRequest{ID: 31}, ttl(31), get("lease/", "lease0"))
	// Revoked: all keys in one revision, or none and no revision.
	p.all(&pb.PutRequest{Key: []byte("lease/d"), Lease: 32}, &pb.PutRequest{Key: []byte("lease/e"), Lease: 32})
	w := p.watch()
	w.create(&pb.WatchCreateRequest{Key: []byte("lease/"), RangeEnd: []byte("lease0"), PrevKv: true})
	p.all(&pb.LeaseRevokeRequest{ID: 32}, get("lease/", "lease0"), &pb.LeaseRevokeRequest{ID: 36}, &pb.LeaseRevokeRequest{ID: firstToken})
	w.settle()
	w.compare()
	w.close()
	for _, id := range []int64{0, 31, 32, 999, -1} {
		p.all(&pb.LeaseRevokeRequest{ID: id}, ttl(id), &pb.LeaseTimeToLiveRequest{ID: id})
	}
	p.do(&pb.LeaseGrantRequest{ID: 31, TTL: 100}) // may be used again
	// Transactions with leases.
	p.all(txn(&pb.PutRequest{Key: []byte("lease/t1"), Lease: 31}, &pb.PutRequest{Key: []byte("lease/t2"), Lease: 33}),
		txn(&pb.PutRequest{Key: []byte("lease/t1"), IgnoreLease: true, Value: []byte("x")}, put("lease/t2", "x")), ttl(31), ttl(33))
	p.keepAlive(31, 33, 999, firstToken+1, 0)
	p.all(list, &pb.LeaseRevokeRequest{ID: 31}, &pb.LeaseRevokeRequest{ID: 33}, &pb.LeaseRevokeRequest{ID: -7}, &pb.LeaseRevokeRequest{ID: firstToken + 1}, list)
}

// keepAlive renews the leases over one stream.
func (p *pair) keepAlive(ids ...int64) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
	defer cancel()
	var want, got []proto.Message
	var wantErr, gotErr error
	p.both(func(s *site) {
		msgs, err := s.keepAlive(ctx, ids)
		if s == p.etcd {
			want, wantErr = msgs, err
		} else {
			got, gotErr = msgs, err
		}
	})
	if w, g := text(wantErr), text(gotErr); w != g {
		p.t.Errorf("keep-alive of %d\n  etcd: %s\n  node: %s", ids, w, g)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		p.t.Errorf("keep-alive of %d (-etcd +node):\n%s", ids, diff)
	}
}

func (s *site) keepAlive(ctx context.Context, ids []int64) ([]proto.Message, error) {
	stream, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(ctx)
	if err != nil {
		return nil, err
	}
	var msgs []proto.Message
	for _, id := range ids {
		if err := stream.Send(s.outgoing(&pb.LeaseKeepAliveRequest{ID: id}).(*pb.LeaseKeepAliveRequest)); err != nil {
			return msgs, err
		}
		resp, err := stream.Recv()
		if err != nil {
			return msgs, err
		}
		s.incoming(resp)
		msgs = append(msgs, resp)
	}
	if err := stream.CloseSend(); err != nil {
		return msgs, err
	}
	rest, err := receiveAll(s, stream)
	return append(msgs, rest...), err
}

// tableLeaseExpiry lets leases run out: one with keys, one without, one whose keys went
// elsewhere.
func tableLeaseExpiry(p *pair) {
	w := p.watch()
	w.create(&pb.WatchCreateRequest{Key: []byte("expiry/"), RangeEnd: []byte("expiry0"), PrevKv: true})
	p.all(&pb.LeaseGrantRequest{ID: 41, TTL: 1}, &pb.LeaseGrantRequest{ID: 42, TTL: 60}, &pb.LeaseGrantRequest{ID: 43, TTL: 2},
		&pb.PutRequest{Key: []byte("expiry/b"), Lease: 41}, &pb.PutRequest{Key: []byte("expiry/a"), Lease: 41},
		&pb.PutRequest{Key: []byte("expiry/kept"), Lease: 42}, &pb.PutRequest{Key: []byte("expiry/moved"), Lease: 41},
		&pb.PutRequest{Key: []byte("expiry/moved"), Lease: 42})
	gone := func(s *site) bool {
		ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
		defer cancel()
		for _, id := range []int64{41, 43} {
			out := s.call(ctx, &pb.LeaseTimeToLiveRequest{ID: id})
			if out.err != nil || out.resp.(*pb.LeaseTimeToLiveResponse).TTL >= 0 {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(harness.StartTimeout)
	for !gone(p.etcd) || !gone(p.node) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not expired: etcd %v, node %v", gone(p.etcd), gone(p.node))
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.all(get("expiry/", "expiry0"), &pb.LeaseTimeToLiveRequest{ID: 41, Keys: true}, &pb.LeaseTimeToLiveRequest{ID: 42, Keys: true},
		&pb.PutRequest{Key: []byte("expiry/late"), Lease: 41}, &pb.LeaseRevokeRequest{ID: 41}, &pb.LeaseLeasesRequest{})
	p.keepAlive(41, 42)
	p.do(&pb.LeaseRevokeRequest{ID: 42})
	w.settle()
	w.compare()
	w.close()
}
