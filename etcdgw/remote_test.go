package etcdgw

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestRemoteTransaction checks what a transaction of another node looks like to
// clients of this one: one revision, delivered whole; its keys have no lease,
// also where this node's put had one; and a compare with the state before fails.
func TestRemoteTransaction(t *testing.T) {
	s := newSite(t)
	mesh := dagtest.New(t, 2)
	ctx := testContext(t)
	grant, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 600})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: []byte("local"), Lease: grant.ID}); err != nil {
		t.Fatal(err)
	}
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true})
	w.created()

	// What was answered is sealed before anything of others is taken in.
	var first uint64
	var local []dag.Transaction
	s.write(func() {
		first = s.open[0].Number
		for _, change := range s.open {
			local = append(local, s.view.Transaction(change, first))
		}
		s.open = nil
	})
	own := mesh.Op(0, mesh.Graph.Heads(), local...)
	remote := dag.Transaction{dagtest.Put("a", "remote"), dagtest.Put("b", "remote")}
	remote[0].Leased = true
	remote[0].Incarnation = dag.Incarnation{Kind: dag.IncarnationPast, Op: own.ID()}
	theirs := mesh.Op(1, mesh.Graph.Heads(), remote)
	s.write(func() {
		s.view.Sealed(first, len(local), own)
		if _, err := s.view.ApplyRemote(theirs, []dag.Transaction{remote}, nil); s.view.Head() != 3 || err != nil {
			t.Errorf("ApplyRemote = %v, then revision %d, want 3", err, s.view.Head())
		}
	})
	w.want("0@3 PUT(a=remote was local at 3) PUT(b=remote at 3)")

	got, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	if err != nil || got.Kvs[0].Lease != 0 || got.Kvs[0].CreateRevision != 2 || got.Kvs[0].Version != 2 {
		t.Errorf("Range = %v, %v, want the second version, without lease", got, err)
	}
	ttl, err := s.lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: grant.ID, Keys: true})
	if err != nil || len(ttl.Keys) != 0 {
		t.Errorf("LeaseTimeToLive = %v, %v, want no keys", ttl, err)
	}
	txn, err := s.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: 2}}},
		Success: ops(opPut("a")),
	})
	if err != nil || txn.Succeeded {
		t.Errorf("Txn on the state before = %v, %v, want a failed compare", txn, err)
	}
	if _, err := s.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: grant.ID}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")}); err != nil || got.Count != 1 || got.Header.Revision != 3 {
		t.Errorf("Range after the lease ended = %v, %v, want the key untouched", got, err)
	}
}
