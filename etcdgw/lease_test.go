package etcdgw

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func TestLease(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	grant, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 100})
	if err != nil || grant.ID <= 0 || grant.TTL != 100 || grant.Header.Revision != 1 || grant.Header.MemberId != 0xa1 {
		t.Fatalf("LeaseGrant = %v, %v, want a chosen ID, at revision 1", grant, err)
	}
	for _, key := range []string{"b", "a"} {
		if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Lease: grant.ID}); err != nil {
			t.Fatal(err)
		}
	}
	ttl, err := s.lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: grant.ID, Keys: true})
	if err != nil || ttl.GrantedTTL != 100 || ttl.TTL < 90 || ttl.TTL > 100 {
		t.Errorf("LeaseTimeToLive = %v, %v, want about 100 s left of 100", ttl, err)
	}
	if diff := cmp.Diff([][]byte{[]byte("a"), []byte("b")}, ttl.GetKeys()); diff != "" {
		t.Errorf("keys of the lease (-want +got):\n%s", diff)
	}
	list, err := s.lease.LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
	if err != nil || len(list.Leases) != 1 || list.Leases[0].ID != grant.ID {
		t.Errorf("LeaseLeases = %v, %v, want the lease", list, err)
	}
	revoke, err := s.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: grant.ID})
	if err != nil || revoke.Header.Revision != 4 {
		t.Errorf("LeaseRevoke = %v, %v, want revision 4: both keys go at once", revoke, err)
	}
	if got, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true}); err != nil || got.Count != 0 {
		t.Errorf("Range after revocation = %v, %v, want no key", got, err)
	}
	gone, err := s.lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: grant.ID})
	if err != nil || gone.TTL != -1 || gone.ID != grant.ID || gone.Header.GetRevision() != 4 {
		t.Errorf("LeaseTimeToLive of a lease that is gone = %v, %v, want TTL -1", gone, err)
	}
}

func TestLeaseKeepAlive(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	if _, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: 5, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	stream, err := s.lease.LeaseKeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]int64{5: 60, 6: 0} {
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil || resp.ID != id || resp.TTL != want || resp.Header.Revision != 1 {
			t.Errorf("renewal of %d = %v, %v, want TTL %d", id, resp, err, want)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if resp, err := stream.Recv(); err == nil {
		t.Errorf("after the last renewal: %v, want the end of the stream", resp)
	}
}

// TestLeaseExpiry checks that a lease ends by itself, not before its time, and
// that its keys go in one revision.
func TestLeaseExpiry(t *testing.T) {
	s := newSite(t)
	ctx := testContext(t)
	start := time.Now()
	grant, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 1})
	if err != nil {
		t.Fatal(err)
	}
	least := time.Duration(grant.TTL) * time.Second
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}})
	for _, key := range []string{"a", "b"} {
		if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Lease: grant.ID}); err != nil {
			t.Fatal(err)
		}
	}
	w.recv() // created
	resp := w.recv()
	if len(resp.Events) != 2 || resp.Header.Revision != 4 {
		t.Errorf("expiry sent %v, want two deletions at revision 4", resp)
	}
	if took := time.Since(start); took < least || took > least+2*time.Second {
		t.Errorf("a lease of %v ended after %v", least, took)
	}
}
