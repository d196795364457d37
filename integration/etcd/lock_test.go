package etcd

import (
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/integration/harness"
)

// start makes a request that waits, and returns what waits for its answer,
// once both sites have n keys under prefix.
func (p *pair) start(req proto.Message, prefix string, n int64) (wait func()) {
	p.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { p.in(p.t).do(req) })
	deadline := time.Now().Add(harness.StartTimeout)
	for _, s := range []*site{p.etcd, p.node} {
		for {
			out := s.call(p.t.Context(), &pb.RangeRequest{Key: []byte(prefix), RangeEnd: []byte(prefix + "\xff"), CountOnly: true})
			if resp, _ := out.resp.(*pb.RangeResponse); out.err == nil && resp.Count == n {
				break
			}
			if time.Now().After(deadline) {
				p.t.Fatalf("%s: not %d keys under %s", s.name, n, prefix)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return wg.Wait
}

func tableLock(p *pair) {
	p.all(&pb.LeaseGrantRequest{ID: 0x51, TTL: 600}, &pb.LeaseGrantRequest{ID: 0x52, TTL: 600}, &pb.LeaseGrantRequest{ID: 0x53, TTL: 600})
	lock := func(lease int64) *v3lockpb.LockRequest {
		return &v3lockpb.LockRequest{Name: []byte("lock"), Lease: lease}
	}
	unlock := func(lease int64) *v3lockpb.UnlockRequest {
		return &v3lockpb.UnlockRequest{Key: fmt.Appendf(nil, "lock/%x", lease)}
	}
	p.all(lock(0x51), lock(0x51), get("lock", "locl"))
	second := p.start(lock(0x52), "lock/", 2)
	p.do(unlock(0x51))
	second()
	third := p.start(lock(0x53), "lock/", 2)
	p.do(&pb.LeaseRevokeRequest{ID: 0x52}) // frees it too
	third()
	p.all(get("lock", "locl"), unlock(0x53), unlock(0x53), get("lock", "locl"))
	p.all(&v3lockpb.LockRequest{Name: []byte("lock"), Lease: 0x999}, &v3lockpb.LockRequest{Lease: 0x51}, &v3lockpb.UnlockRequest{}, get("/", "0"))
	p.all(&pb.LeaseRevokeRequest{ID: 0x51}, &pb.LeaseRevokeRequest{ID: 0x53})
}

func tableElection(p *pair) {
	p.all(&pb.LeaseGrantRequest{ID: 0x61, TTL: 600}, &pb.LeaseGrantRequest{ID: 0x62, TTL: 600})
	name := []byte("office")
	leader := &v3electionpb.LeaderRequest{Name: name}
	campaign := func(lease int64, value string) *v3electionpb.CampaignRequest {
		return &v3electionpb.CampaignRequest{Name: name, Lease: lease, Value: []byte(value)}
	}
	p.do(leader) // nobody
	out := p.do(campaign(0x61, "first"))
	p.all(leader, campaign(0x61, "first again"), leader, get("office", "officf"))
	won, _ := out.resp.(*v3electionpb.CampaignResponse)
	if won == nil {
		return
	}
	p.all(&v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("proclaimed")}, leader, get("office", "officf"))
	stale := proto.Clone(won.Leader).(*v3electionpb.LeaderKey)
	stale.Rev += 100
	p.all(&v3electionpb.ProclaimRequest{Leader: stale, Value: []byte("stale")}, &v3electionpb.ResignRequest{Leader: stale},
		&v3electionpb.ProclaimRequest{}, &v3electionpb.ResignRequest{}, &v3electionpb.LeaderRequest{},
		campaign(0x999, "no lease"), &v3electionpb.CampaignRequest{Lease: 0x61, Value: []byte("no name")}, leader)
	second := p.start(campaign(0x62, "second"), "office/", 2)
	p.do(&v3electionpb.ResignRequest{Leader: won.Leader})
	second()
	p.all(leader, &v3electionpb.ResignRequest{Leader: won.Leader}, &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("gone")}, leader,
		&pb.LeaseRevokeRequest{ID: 0x62}, leader, get("office", "officf"), &pb.LeaseRevokeRequest{ID: 0x61})
}
