package mvcc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func leased(key string, lease int64) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Lease: lease}
}

// leaseKeys returns the keys that readers see under the lease.
func leaseKeys(t *testing.T, v *View, id int64) []string {
	t.Helper()
	st, err := v.LeaseTimeToLive(id, true, testNow)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, k := range st.Keys {
		keys = append(keys, string(k))
	}
	return keys
}

func TestLeaseGrant(t *testing.T) {
	v := New(Config{})
	resp := must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{TTL: 1})
	if resp.ID <= 0 || resp.TTL != 2 || resp.Header.Revision != 1 {
		t.Errorf("grant of 1 s = %v, want a chosen ID, 2 s, revision 1", resp)
	}
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 7, TTL: 10})
	for _, c := range []struct {
		req  *pb.LeaseGrantRequest
		want error
	}{
		{&pb.LeaseGrantRequest{ID: 7, TTL: 10}, rpctypes.ErrGRPCLeaseExist},
		{&pb.LeaseGrantRequest{ID: 8, TTL: maxLeaseTTL + 1}, rpctypes.ErrGRPCLeaseTTLTooLarge},
	} {
		if _, ch, err := v.Evaluate(c.req, nil, testNow); err != c.want || ch != nil {
			t.Errorf("Evaluate(%v) = %v, %v, want %v", c.req, ch, err, c.want)
		}
	}
	if _, _, err := v.Evaluate(leased("k", 9), nil, testNow); err != rpctypes.ErrGRPCLeaseNotFound {
		t.Errorf("put under an unknown lease = %v", err)
	}
	// The longest lease must not overflow into the past.
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 10, TTL: maxLeaseTTL})
	if ids := v.Expired(testNow); len(ids) != 0 {
		t.Errorf("expired at once: %v", ids)
	}
}

func TestLeaseIsShownWhenPublished(t *testing.T) {
	v := New(Config{})
	if _, _, err := v.Evaluate(&pb.LeaseGrantRequest{ID: 7, TTL: 10}, nil, testNow); err != nil {
		t.Fatal(err)
	}
	if _, err := v.LeaseTimeToLive(7, true, testNow); err != rpctypes.ErrGRPCLeaseNotFound {
		t.Errorf("unpublished lease: %v", err)
	}
	if _, err := v.KeepAlive(7, testNow); err != rpctypes.ErrGRPCLeaseNotFound {
		t.Errorf("KeepAlive of an unpublished lease: %v", err)
	}
	must[*pb.PutResponse](t, v, leased("a", 7))
	must[*pb.PutResponse](t, v, leased("b", 7))
	v.Evaluate(put("a", "free"), nil, testNow)
	v.Evaluate(leased("c", 7), nil, testNow)
	if got, want := leaseKeys(t, v, 7), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	v.Publish()
	if got, want := leaseKeys(t, v, 7), []string{"b", "c"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	v.Evaluate(&pb.LeaseRevokeRequest{ID: 7}, nil, testNow)
	if got, want := leaseKeys(t, v, 7), []string{"b", "c"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	if _, err := v.KeepAlive(7, testNow); err != rpctypes.ErrGRPCLeaseNotFound {
		t.Errorf("KeepAlive of a lease that is ending: %v", err)
	}
	v.Publish()
	if got := contents(t, v); len(got) != 1 || got["a"] != "free" {
		t.Errorf("after the revoke: %v", got)
	}
}

func TestLeaseExpires(t *testing.T) {
	v := New(Config{})
	at := func(s int) time.Time { return testNow.Add(time.Duration(s) * time.Second) }
	for id := int64(1); id <= 3; id++ {
		must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: id, TTL: 10 * id})
	}
	for _, k := range []string{"b", "a", "c"} {
		must[*pb.PutResponse](t, v, leased(k, 1))
	}
	must[*pb.PutResponse](t, v, leased("c", 2)) // no longer of lease 1
	if ids := v.Expired(at(9)); len(ids) != 0 {
		t.Fatalf("expired after 9 s: %v", ids)
	}
	if ttl, err := v.KeepAlive(1, at(9)); ttl != 10 || err != nil {
		t.Fatalf("KeepAlive(1) = %d, %v", ttl, err)
	}
	if ids := v.Expired(at(18)); len(ids) != 0 {
		t.Fatalf("expired 9 s after the keep-alive: %v", ids)
	}
	if ids, want := v.Expired(at(25)), []int64{1, 2}; !slices.Equal(ids, want) {
		t.Fatalf("Expired() = %v, want %v", ids, want)
	}
	if _, err := v.KeepAlive(1, at(25)); err != rpctypes.ErrGRPCLeaseNotFound {
		t.Fatalf("KeepAlive of an expired lease = %v", err)
	}
	if _, ch, err := v.Evaluate(Expire(3), nil, at(25)); ch != nil || err != nil {
		t.Fatalf("Expire before its time = %v, %v", ch, err)
	}
	_, ch, err := v.Evaluate(Expire(1), nil, at(25))
	if err != nil || ch.Revision != v.Head() || len(ch.Writes) != 2 || string(ch.Writes[0].Key) != "a" || ch.Revoke != 1 {
		t.Fatalf("Expire(1) = %+v, %v, want deletes of a, b", ch, err)
	}
	v.Publish()
	if got := contents(t, v); len(got) != 1 {
		t.Errorf("keys %v, want c", got)
	}
	st := v.Leases(at(25))
	if len(st) != 2 || st[0].ID != 2 || st[0].Remaining != -5*time.Second || st[1].ID != 3 {
		t.Errorf("Leases() = %+v", st)
	}
}

// narrow allows the keys that begin with p, and no range.
type narrow string

var (
	errDenied  = errors.New("denied")
	errRefused = status.Error(codes.PermissionDenied, "etcdserver: permission denied: denied")
)

func (p narrow) MayWrite(key []byte) error {
	if len(key) < len(p) || string(key[:len(p)]) != string(p) {
		return errDenied
	}
	return nil
}

func (p narrow) MayWriteRange(key, end []byte) error { return errDenied }

func (p narrow) CheckValue(key, value []byte) error { return nil }

func TestLeaseExpiresWithoutPermission(t *testing.T) {
	v := New(Config{})
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 2})
	must[*pb.PutResponse](t, v, leased("a/1", 1))
	must[*pb.PutResponse](t, v, leased("b/1", 1))
	later := testNow.Add(time.Hour)
	if _, _, err := v.Evaluate(&pb.LeaseRevokeRequest{ID: 1}, narrow("a/"), later); !errors.Is(err, errRefused) {
		t.Fatalf("revoke = %v, want %v", err, errRefused)
	}
	if _, ch, err := v.Evaluate(Expire(1), narrow("a/"), later); err != nil || len(ch.Writes) != 1 || ch.Revoke != 1 {
		t.Fatalf("Expire = %+v, %v, want a delete of a/1", ch, err)
	}
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 2}) // the same ID again
	if keys := leaseKeys(t, v, 1); len(keys) != 0 {
		t.Errorf("the new lease has keys %v", keys)
	}
	must[*pb.PutResponse](t, v, leased("b/1", 1))
	if keys := leaseKeys(t, v, 1); len(keys) != 1 {
		t.Errorf("the new lease has keys %v, want b/1", keys)
	}
}

func TestLeaseExpiresInPortions(t *testing.T) {
	v := New(Config{})
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 2})
	const keys = maxWrites + 10
	for i := range keys {
		if _, _, err := v.Evaluate(leased(fmt.Sprintf("%07d", i), 1), nil, testNow); err != nil {
			t.Fatal(err)
		}
	}
	v.Publish()
	later := testNow.Add(time.Hour)
	if _, _, err := v.Evaluate(&pb.LeaseRevokeRequest{ID: 1}, nil, later); err != rpctypes.ErrGRPCRequestTooLarge {
		t.Fatalf("revoke = %v, want %v", err, rpctypes.ErrGRPCRequestTooLarge)
	}
	rounds := 0
	for ; len(v.Expired(later)) > 0; rounds++ {
		_, ch, err := v.Evaluate(Expire(1), nil, later)
		if err != nil || ch.Size() > maxTransactionBytes || rounds > 3 {
			t.Fatal(rounds, err)
		}
		v.Publish()
	}
	if st := v.Stats(); st.Keys != 0 || st.Leases != 0 || rounds != 2 {
		t.Errorf("after %d rounds: %+v", rounds, st)
	}
}

// TestLeaseEndsWithRemotePut: another node's put takes the key off the lease.
func TestLeaseEndsWithRemotePut(t *testing.T) {
	mesh := dagtest.New(t, 2)
	v := New(Config{})
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 2})
	_, ch, err := v.Evaluate(leased("k", 1), nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	tx := v.Transaction(ch, 1)
	if !tx[0].Leased {
		t.Error("the write is not marked as leased")
	}
	v.Sealed(1, 1, mesh.Write(0, tx...))
	w := dagtest.Put("k", "theirs")
	if rev, _ := applied(t, v, mesh.Write(1, w), []dag.Transaction{{w}}, nil); rev != 3 {
		t.Fatalf("ApplyRemote() = %d, want 3", rev)
	}
	v.Publish()
	resp, err := v.Range(context.Background(), &pb.RangeRequest{Key: []byte("k")})
	if err != nil || resp.Kvs[0].Lease != 0 || resp.Kvs[0].Version != 2 || string(resp.Kvs[0].Value) != "theirs" {
		t.Fatalf("Range() = %v, %v", resp, err)
	}
	must[*pb.LeaseRevokeResponse](t, v, &pb.LeaseRevokeRequest{ID: 1})
	if got := contents(t, v); got["k"] != "theirs" {
		t.Errorf("after the revoke: %v", got)
	}
}

// TestLeaseReplayed: after a replay a lease has its whole time, from when it is first asked about.
func TestLeaseReplayed(t *testing.T) {
	v := New(Config{})
	if err := v.Replay(&Change{Grant: Grant{ID: 1, TTL: 10}}); err != nil {
		t.Fatal(err)
	}
	v.Publish()
	if ids := v.Expired(testNow.Add(time.Hour)); len(ids) != 0 {
		t.Errorf("expired at once: %v", ids)
	}
	if ids := v.Expired(testNow.Add(time.Hour + 10*time.Second)); !slices.Equal(ids, []int64{1}) {
		t.Errorf("Expired() = %v, want 1", ids)
	}
}
