package etcdgw

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/etcdgw/v3lockpb"
)

// grant grants a lease with the ID.
func (s *site) grant(t *testing.T, id int64) {
	t.Helper()
	_, err := s.lease.LeaseGrant(testContext(t), &pb.LeaseGrantRequest{ID: id, TTL: 600})
	fatal(t, err)
}

// keys returns the keys with the prefix.
func (s *site) keys(t *testing.T, prefix string) []string {
	t.Helper()
	resp, err := s.view.Range(t.Context(), &pb.RangeRequest{Key: []byte(prefix), RangeEnd: prefixEnd([]byte(prefix))})
	fatal(t, err)
	var keys []string
	for _, kv := range resp.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// awaitKeys waits until there are n keys with the prefix.
func (s *site) awaitKeys(t *testing.T, prefix string, n int) {
	t.Helper()
	for len(s.keys(t, prefix)) != n {
		time.Sleep(time.Millisecond)
	}
}

func TestLock(t *testing.T) {
	s := newSite(t)
	lock, ctx := v3lockpb.NewLockClient(s.conn), testContext(t)
	s.grant(t, 0x4d)
	s.grant(t, 0x4e)
	first, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 0x4d})
	fatal(t, err)
	if string(first.Key) != "m/4d" || first.Header.Revision != 2 || first.Header.MemberId != 0xa1 {
		t.Errorf("Lock = %v, want m/4d at revision 2", first)
	}
	again, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 0x4d})
	fatal(t, err)
	if string(again.Key) != "m/4d" || again.Header.Revision != 2 {
		t.Errorf("Lock again = %v, want the same", again)
	}
	second := make(chan *v3lockpb.LockResponse, 1)
	go func() {
		resp, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 0x4e})
		if err != nil {
			t.Errorf("second Lock = %v", err)
		}
		second <- resp
	}()
	s.awaitKeys(t, "m/", 2)
	select {
	case resp := <-second:
		t.Fatalf("Lock = %v while another has it", resp)
	case <-time.After(20 * time.Millisecond):
	}
	_, err = lock.Unlock(ctx, &v3lockpb.UnlockRequest{Key: first.Key})
	fatal(t, err)
	if resp := <-second; string(resp.GetKey()) != "m/4e" || resp.GetHeader().GetRevision() != 4 {
		t.Errorf("second Lock = %v, want m/4e at revision 4", resp)
	}
	// Without a lease one of a minute is made, which ends the lock.
	own, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("n")})
	fatal(t, err)
	var id int64
	if _, err := fmt.Sscanf(string(own.Key), "n/%x", &id); err != nil {
		t.Fatalf("key %q: %v", own.Key, err)
	}
	ttl, err := s.lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: id})
	if err != nil || ttl.GrantedTTL != candidateTTL {
		t.Errorf("lease of the lock = %v, %v, want %d s", ttl, err, candidateTTL)
	}
	_, err = s.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: id})
	fatal(t, err)
	if keys := s.keys(t, "n/"); keys != nil {
		t.Errorf("keys %v after the lease, want none", keys)
	}
}

func TestLockErrors(t *testing.T) {
	s := newSite(t)
	lock := v3lockpb.NewLockClient(s.conn)
	s.grant(t, 1)
	s.grant(t, 2)
	for _, tt := range []struct {
		name string
		call func(context.Context) error
		text string
	}{
		{"unknown lease", try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 9}), "etcdserver: requested lease not found"},
		{"negative lease", try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: -9}), "etcdserver: requested lease not found"},
		{"unlock nothing", try(lock.Unlock, &v3lockpb.UnlockRequest{}), "etcdserver: key is not provided"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantStatus(t, tt.call(testContext(t)), codes.Unknown, tt.text) })
	}
	fatal(t, try(lock.Unlock, &v3lockpb.UnlockRequest{Key: []byte("none")})(testContext(t)))

	// A lease that ends while its owner waits: told when its turn comes.
	fatal(t, try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 1})(testContext(t)))
	waited := make(chan error, 1)
	go func() {
		waited <- try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 2})(testContext(t))
	}()
	s.awaitKeys(t, "m/", 2)
	fatal(t, try(s.lease.LeaseRevoke, &pb.LeaseRevokeRequest{ID: 2})(testContext(t)))
	fatal(t, try(s.lease.LeaseRevoke, &pb.LeaseRevokeRequest{ID: 1})(testContext(t)))
	wantStatus(t, <-waited, codes.Unknown, "mutex: session is expired")
}

// TestLockAbandoned checks that a client that gives up waiting leaves no key
// behind, with authentication, too, and that one whose server stops is told to
// try again.
func TestLockAbandoned(t *testing.T) {
	s := newAuthSite(t)
	lock := v3lockpb.NewLockClient(s.conn)
	s.grant(t, 1)
	s.grant(t, 2)
	s.enable(t)
	ctx := s.as(t, "writer")
	fatal(t, try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("w/m"), Lease: 1})(ctx))
	giveUp, cancel := context.WithCancel(ctx)
	waited := make(chan error, 1)
	go func() { waited <- try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("w/m"), Lease: 2})(giveUp) }()
	s.awaitKeys(t, "w/m/", 2)
	cancel()
	if err := <-waited; status.Code(err) != codes.Canceled {
		t.Errorf("Lock given up = %v, want Canceled", err)
	}
	s.awaitKeys(t, "w/m/", 1)

	m := newMemory(t, mvcc.Config{})
	stopped, err := Listen(t.Context(), testConfig(), m)
	fatal(t, err)
	served := make(chan error, 1)
	go func() { served <- stopped.Serve() }()
	conn := dial(t, stopped)
	lock = v3lockpb.NewLockClient(conn)
	for range 2 {
		go func() { waited <- try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m")})(testContext(t)) }()
	}
	fatal(t, <-waited) // one of them has it
	for len(m.view.Leases(time.Now())) < 2 || m.view.Revision() < 3 {
		time.Sleep(time.Millisecond)
	}
	fatal(t, stopped.Shutdown(testContext(t)))
	wantStatus(t, <-waited, codes.Unavailable, "etcdserver: server stopped")
	<-served
}

// TestLockExcludes lets clients take a lock by turns, and checks that no two have
// it at once, while history is compacted.
func TestLockExcludes(t *testing.T) {
	s := newSite(t)
	lock := v3lockpb.NewLockClient(s.conn)
	const clients, turns = 8, 10
	var holders, taken atomic.Int64
	g, ctx := errgroup.WithContext(testContext(t))
	for range clients {
		g.Go(func() error {
			for range turns {
				resp, err := lock.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("m")})
				if err != nil {
					return err
				}
				if n := holders.Add(1); n != 1 {
					return fmt.Errorf("%d clients have the lock", n)
				}
				if n := taken.Add(1); n%20 == 0 {
					if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: resp.Header.Revision}); err != nil {
						return err
					}
				}
				holders.Add(-1)
				if _, err := lock.Unlock(ctx, &v3lockpb.UnlockRequest{Key: resp.Key}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if keys := s.keys(t, "m/"); keys != nil {
		t.Errorf("keys %v are left", keys)
	}
}

// TestLockInNewWindow checks that who waits goes on waiting for the same others
// when the revisions are counted anew, in another order.
func TestLockInNewWindow(t *testing.T) {
	s := newSite(t)
	lock := v3lockpb.NewLockClient(s.conn)
	s.grant(t, 1)
	s.grant(t, 2)
	s.grant(t, 3)
	fatal(t, try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: 3})(testContext(t)))
	waited := make(chan error, 2)
	for i, lease := range []int64{2, 1} {
		go func() {
			waited <- try(lock.Lock, &v3lockpb.LockRequest{Name: []byte("m"), Lease: lease})(testContext(t))
		}()
		s.awaitKeys(t, "m/", 2+i)
	}
	window := int64(1) << 40
	still := func() {
		t.Helper()
		s.write(func() { s.view.OpenWindow(window) })
		window *= 2
		select {
		case err := <-waited:
			t.Fatalf("Lock = %v while another has it", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	still()
	still()
	fatal(t, try(lock.Unlock, &v3lockpb.UnlockRequest{Key: []byte("m/3")})(testContext(t)))
	fatal(t, <-waited)
	still()
	fatal(t, try(lock.Unlock, &v3lockpb.UnlockRequest{Key: []byte("m/2")})(testContext(t)))
	fatal(t, <-waited)
}
