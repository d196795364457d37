package mvcc

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func at(key string, rev int64) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), Revision: rev}
}

func TestOpenWindow(t *testing.T) {
	const base = 5 << windowBits
	v := New(Config{})
	ctx := context.Background()
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 10})
	for _, k := range []string{"b", "a", "c", "a"} {
		must[*pb.PutResponse](t, v, leased(k, 1))
	}
	must[*pb.DeleteRangeResponse](t, v, del("c", ""))
	hash := v.StateHash()
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, create("a", "", 0))
	watch(t, s, create("a", "z", 9)) // in the future
	watch(t, s, create("b", "", 2))  // in the past
	must[*pb.PutResponse](t, v, leased("a", 1))

	v.OpenWindow(base)
	if resp, err := v.Range(ctx, at("a", 0)); err != nil || resp.Kvs[0].ModRevision != 7 || resp.Header.Revision != 7 {
		t.Errorf("before the window is published, Range() = %v, %v, want revision 7", resp, err)
	}
	if resp, err := v.Range(ctx, &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("z"), CountOnly: true}); err != nil || resp.Count != 2 {
		t.Errorf("before the window is published, Range() = %v, %v, want 2 keys", resp, err)
	}
	v.Publish()
	// What was pending is sent, then every watch ends.
	expectAny(t, s, "watch 0 rev 6 created", "watch 1 rev 6 created", "watch 2 rev 6 created",
		"watch 0 rev 7 a@7=",
		fmt.Sprintf(`watch 0 rev %d canceled "" compacted %d`, base+2, base+2),
		fmt.Sprintf(`watch 1 rev %d canceled "" compacted %d`, base+2, base+2),
		fmt.Sprintf(`watch 2 rev %d canceled "" compacted %d`, base+2, base+2))
	if v.Revision() != base+2 || v.CompactRevision() != base+2 {
		t.Errorf("revision %d, compacted %d, want %d", v.Revision(), v.CompactRevision(), base+2)
	}
	for i, k := range []string{"a", "b"} {
		rev := base + 1 + int64(i)
		resp, err := v.Range(ctx, at(k, base+2))
		if err != nil || resp.Kvs[0].ModRevision != rev || resp.Kvs[0].CreateRevision != rev || resp.Kvs[0].Version != 1 || resp.Kvs[0].Lease != 1 {
			t.Errorf("Range(%s) = %v, %v", k, resp, err)
		}
	}
	for rev, want := range map[int64]error{
		7:                     rpctypes.ErrGRPCCompacted,
		1 << windowBits:       rpctypes.ErrGRPCCompacted,
		base + 1:              rpctypes.ErrGRPCCompacted,
		base + 2:              nil,
		base + 3:              rpctypes.ErrGRPCFutureRev,
		6<<windowBits - 1:     rpctypes.ErrGRPCFutureRev,
		6 << windowBits:       rpctypes.ErrGRPCCompacted,
		1<<62 + 1:             rpctypes.ErrGRPCCompacted,
		7<<windowBits | 12345: rpctypes.ErrGRPCCompacted,
	} {
		if _, err := v.Range(ctx, at("a", rev)); err != want {
			t.Errorf("Range at %d = %v, want %v", rev, err, want)
		}
		txn := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", rev)}}}}
		if _, err := v.ReadTxn(ctx, txn); err != want {
			t.Errorf("ReadTxn at %d = %v, want %v", rev, err, want)
		}
		if _, _, err := v.Evaluate(txn, nil, testNow); err != want {
			t.Errorf("Txn at %d = %v, want %v", rev, err, want)
		}
		if want == nil {
			continue
		}
		if _, _, err := v.Evaluate(&pb.CompactionRequest{Revision: rev}, nil, testNow); err != want {
			t.Errorf("Compact(%d) = %v, want %v", rev, err, want)
		}
		if want == rpctypes.ErrGRPCCompacted {
			watch(t, s, create("a", "", rev))
			if r, err := s.poll(); err != nil || !r.Created {
				t.Fatal(r, err)
			}
			if r, err := s.poll(); err != nil || !r.Canceled || r.CompactRevision != base+2 {
				t.Errorf("watch from %d: %v, %v, want canceled", rev, r, err)
			}
		}
	}
	if v.StateHash() != hash {
		t.Error("the state hash depends on revisions")
	}
	if got := leaseKeys(t, v, 1); len(got) != 2 {
		t.Errorf("the lease has keys %v, want a, b", got)
	}
	for v.Prune() {
	}
	if st := v.Stats(); st.History != 1 {
		t.Errorf("history has %d events, want 1", st.History)
	}
	checkView(t, v)

	watch(t, s, create("a", "z", base+3))
	must[*pb.PutResponse](t, v, put("a", "new"))
	if _, err := s.poll(); err != nil {
		t.Fatal(err)
	}
	if r, err := s.poll(); err != nil || len(r.Events) != 1 || r.Events[0].Kv.ModRevision != base+3 || r.Events[0].Kv.Version != 2 {
		t.Errorf("the first event of the window is %v, %v", r, err)
	}
}

func TestOpenWindowWhereItIs(t *testing.T) {
	v := New(Config{})
	v.OpenWindow(1)
	v.Publish()
	if v.Revision() != 1 || v.CompactRevision() != 0 {
		t.Errorf("revision %d, compacted %d, want 1, 0", v.Revision(), v.CompactRevision())
	}
	v = New(Config{Base: 3 << windowBits})
	if _, err := v.Range(context.Background(), at("a", 3<<windowBits)); err != nil {
		t.Errorf("Range at the base: %v", err)
	}
	if _, err := v.Range(context.Background(), at("a", 1)); err != rpctypes.ErrGRPCCompacted {
		t.Errorf("Range at 1 = %v, want %v", err, rpctypes.ErrGRPCCompacted)
	}
}

// TestWatchFromEmpty checks that a watch of all that ever happened, as an etcd
// that began empty has it, is served by a window that began empty.
func TestWatchFromEmpty(t *testing.T) {
	const base = 5 << windowBits
	v := New(Config{})
	v.OpenWindow(base)
	v.Publish()
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, create("a", "", 1)) // before there is anything
	must[*pb.PutResponse](t, v, put("a", "1"))
	must[*pb.PutResponse](t, v, put("a", "2"))
	watch(t, s, create("a", "", 2))
	watch(t, s, create("a", "", 3)) // the first write of another window
	events := fmt.Sprintf("a@%d=1 a@%d=2", base+1, base+2)
	expectAny(t, s, fmt.Sprintf("watch 0 rev %d created", base), fmt.Sprintf("watch 1 rev %d created", base+2), fmt.Sprintf("watch 2 rev %d created", base+2),
		fmt.Sprintf("watch 0 rev %d %s", base+2, events),
		fmt.Sprintf("watch 1 rev %d %s", base+2, events),
		fmt.Sprintf(`watch 2 rev %d canceled "" compacted %d`, base+2, base))
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: base + 1})
	watch(t, s, create("a", "", 1))
	expect(t, s, fmt.Sprintf("watch 3 rev %d created", base+2), fmt.Sprintf(`watch 3 rev %d canceled "" compacted %d`, base+2, base+1))
}
