package mvcc

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
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

// TestBeginWindow checks that a window without a key is an etcd without a key:
// at revision 1, which is then followed by the window's first.
func TestBeginWindow(t *testing.T) {
	const base = 5<<windowBits | 3<<34
	v := New(Config{})
	v.BeginWindow(base)
	v.Publish()
	ranges := func(want map[int64]error) {
		t.Helper()
		for rev, want := range want {
			resp, err := v.Range(t.Context(), at("a", rev))
			if err != want || err == nil && (resp.Header.Revision != v.Revision() || rev <= base && resp.Count != 0) {
				t.Errorf("Range at %d = %v, %v, want %v", rev, resp, err, want)
			}
			txn := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", rev)}}}}
			if _, _, err := v.Evaluate(txn, nil, testNow); err != want {
				t.Errorf("Txn at %d = %v, want %v", rev, err, want)
			}
			if want == nil || rev == 2 {
				continue
			}
			if _, _, err := v.Evaluate(&pb.CompactionRequest{Revision: rev}, nil, testNow); err != want {
				t.Errorf("Compact(%d) = %v, want %v", rev, err, want)
			}
		}
	}
	foreign := map[int64]error{
		2: rpctypes.ErrGRPCCompacted, 102: rpctypes.ErrGRPCCompacted, base - 1: rpctypes.ErrGRPCCompacted,
		4<<windowBits + 9: rpctypes.ErrGRPCCompacted, 6 << windowBits: rpctypes.ErrGRPCCompacted,
	}
	ranges(foreign)
	ranges(map[int64]error{0: nil, 1: nil, base + 1: rpctypes.ErrGRPCFutureRev})
	if _, _, err := v.Evaluate(&pb.CompactionRequest{Revision: 2}, nil, testNow); err != rpctypes.ErrGRPCFutureRev {
		t.Errorf("Compact(2) before there is a change = %v, want %v", err, rpctypes.ErrGRPCFutureRev)
	}
	if r := must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 1, TTL: 10}); r.Header.Revision != 1 || v.CompactRevision() != 0 {
		t.Errorf("a lease is granted at revision %d, compacted %d, want 1, 0", r.Header.Revision, v.CompactRevision())
	}

	s := v.NewWatchStream()
	defer s.Close()
	for _, start := range []int64{0, 1, 2, 102, 3} {
		watch(t, s, create("a", "", start))
	}
	expectAny(t, s, "watch 0 rev 1 created", "watch 1 rev 1 created", "watch 2 rev 1 created", "watch 3 rev 1 created", "watch 4 rev 1 created",
		`watch 3 rev 1 canceled "" compacted 1`, `watch 4 rev 1 canceled "" compacted 1`)
	s.RequestProgress()
	expect(t, s, "watch -1 rev 1")

	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: 1})
	if _, _, err := v.Evaluate(&pb.CompactionRequest{Revision: 1}, nil, testNow); err != rpctypes.ErrGRPCCompacted {
		t.Errorf("the second Compact(1) = %v, want %v", err, rpctypes.ErrGRPCCompacted)
	}
	r := must[*pb.TxnResponse](t, v, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{}}},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", "1")}},
			{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", 1)}},
			{Request: &pb.RequestOp_RequestRange{RequestRange: at("a", 0)}},
		},
	})
	if !r.Succeeded || r.Header.Revision != base+1 || r.Responses[1].GetResponseRange().Count != 0 || r.Responses[2].GetResponseRange().Count != 1 {
		t.Errorf("the first transaction is answered %v, want revision %d", r, int64(base+1))
	}
	must[*pb.PutResponse](t, v, put("a", "2"))
	events := fmt.Sprintf("a@%d=1 a@%d=2", base+1, base+2)
	for _, start := range []int64{1, 2, base + 1, 3} {
		watch(t, s, create("a", "", start))
	}
	var want []string
	for i := range 4 {
		want = append(want, fmt.Sprintf("watch %d rev %d created", 5+i, base+2))
	}
	for _, id := range []int{0, 1, 2, 5, 6, 7} {
		want = append(want, fmt.Sprintf("watch %d rev %d %s", id, base+2, events))
	}
	expectAny(t, s, append(want, fmt.Sprintf(`watch 8 rev %d canceled "" compacted 1`, base+2))...)
	ranges(foreign)
	ranges(map[int64]error{1: nil, base: nil, base + 1: nil, base + 3: rpctypes.ErrGRPCFutureRev})

	// As etcd compacted at revision 2: 1 is gone, and a watch from there on is not.
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: 2})
	if got := v.CompactRevision(); got != base+1 {
		t.Errorf("compacted at 2: compact revision %d, want %d", got, int64(base+1))
	}
	for _, rev := range []int64{1, 2, base, base + 1} {
		if _, _, err := v.Evaluate(&pb.CompactionRequest{Revision: rev}, nil, testNow); err != rpctypes.ErrGRPCCompacted {
			t.Errorf("Compact(%d) again = %v, want %v", rev, err, rpctypes.ErrGRPCCompacted)
		}
	}
	ranges(foreign)
	ranges(map[int64]error{1: rpctypes.ErrGRPCCompacted, base + 1: nil})
	watch(t, s, create("a", "", 1))
	watch(t, s, create("a", "", 2))
	expectAny(t, s, fmt.Sprintf("watch 9 rev %d created", base+2), fmt.Sprintf("watch 10 rev %d created", base+2),
		fmt.Sprintf(`watch 9 rev %d canceled "" compacted %d`, base+2, base+1), fmt.Sprintf("watch 10 rev %d %s", base+2, events))
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: base + 2})
	watch(t, s, create("a", "", 2))
	expect(t, s, fmt.Sprintf("watch 11 rev %d created", base+2), fmt.Sprintf(`watch 11 rev %d canceled "" compacted %d`, base+2, base+2))
	checkView(t, v)
}

// TestBeginWindowAgain: a view without a key may change its window, which nobody
// notices but who waits for a revision of the one before.
func TestBeginWindowAgain(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, create("a", "", 2))
	watch(t, s, create("a", "", 102)) // in the future of a founder
	expect(t, s, "watch 0 rev 1 created", "watch 1 rev 1 created")
	for _, base := range []int64{1, 1, 7 << windowBits, 7 << windowBits, 9 << windowBits} {
		v.BeginWindow(base)
	}
	v.Publish()
	expectAny(t, s, `watch 0 rev 1 canceled "" compacted 1`, `watch 1 rev 1 canceled "" compacted 1`)
	watch(t, s, create("a", "", 2))
	if got := must[*pb.PutResponse](t, v, put("a", "")).Header.Revision; got != 9<<windowBits+1 {
		t.Errorf("the first revision is %d, want that of the last window, %d", got, int64(9<<windowBits+1))
	}
	expect(t, s, "watch 2 rev 1 created", fmt.Sprintf("watch 2 rev %d a@%d=", 9<<windowBits+1, 9<<windowBits+1))
}

// TestWindowAfterKeys: a window is not one from the beginning if there were keys
// before, though none is left: a client that saw one must not be told that nothing happened.
func TestWindowAfterKeys(t *testing.T) {
	const base = 5 << windowBits
	v := New(Config{})
	must[*pb.PutResponse](t, v, put("a", ""))
	must[*pb.DeleteRangeResponse](t, v, del("a", ""))
	v.OpenWindow(base)
	v.Publish()
	must[*pb.PutResponse](t, v, put("b", ""))
	if _, err := v.Range(t.Context(), at("a", 1)); err != rpctypes.ErrGRPCCompacted {
		t.Errorf("Range at 1 = %v, want %v", err, rpctypes.ErrGRPCCompacted)
	}
	s := v.NewWatchStream()
	defer s.Close()
	for _, start := range []int64{1, 2} {
		watch(t, s, create("a", "z", start))
	}
	expectAny(t, s, fmt.Sprintf("watch 0 rev %d created", base+1), fmt.Sprintf("watch 1 rev %d created", base+1),
		fmt.Sprintf(`watch 0 rev %d canceled "" compacted %d`, base+1, base), fmt.Sprintf(`watch 1 rev %d canceled "" compacted %d`, base+1, base))
}

// TestExportFromBeginning: an etcd has no windows, so what was before this one is
// compacted in what is exported to one.
func TestExportFromBeginning(t *testing.T) {
	const base = 5 << windowBits
	v := New(Config{})
	v.BeginWindow(base)
	v.Publish()
	compacted := func() int64 {
		e := v.Export(testNow)
		defer e.Close()
		n := 0
		if err := e.Versions(t.Context(), func(*mvccpb.KeyValue, int64) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		if int64(n) != max(v.Revision()-base, 0) {
			t.Errorf("%d versions exported at revision %d", n, v.Revision())
		}
		return e.CompactRevision()
	}
	if got := compacted(); got != 0 {
		t.Errorf("exported at revision 1, compacted %d, want 0", got)
	}
	must[*pb.PutResponse](t, v, put("a", ""))
	if got := compacted(); got != base {
		t.Errorf("exported at the first revision, compacted %d, want %d", got, int64(base))
	}
}
