package mvcc

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"pgregory.net/rapid"
)

// TestExport: what is exported gives each revision that can be read again,
// whatever is written, compacted and renumbered while the export is read.
func TestExport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := New(Config{})
		apply := func(n int) {
			for range n {
				req := drawRequest(t)
				if rapid.IntRange(0, 9).Draw(t, "compact") == 0 {
					req = &pb.CompactionRequest{Revision: rapid.Int64Range(max(v.compacted, 1), v.head).Draw(t, "at")}
				}
				_, _, _ = v.Evaluate(req, nil, testNow) // a refused request changes nothing
				v.Publish()
			}
		}
		apply(rapid.IntRange(0, 40).Draw(t, "before"))
		if rapid.Bool().Draw(t, "window") {
			v.OpenWindow(1 << windowBits)
			v.Publish()
			apply(rapid.IntRange(0, 20).Draw(t, "in the window"))
		}
		from, to := max(v.CompactRevision(), 1), v.Revision()
		want := map[int64]string{}
		for rev := from; rev <= to; rev++ {
			resp, err := v.Range(context.Background(), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev})
			if err != nil {
				t.Fatalf("Range at %d: %v", rev, err)
			}
			want[rev] = fmt.Sprint(resp.Kvs)
		}

		e := v.Export(testNow)
		apply(rapid.IntRange(0, 20).Draw(t, "after"))
		if rapid.Bool().Draw(t, "another window") {
			v.OpenWindow(2 << windowBits)
			v.Publish()
		}
		for range 3 {
			v.Prune()
		}
		if e.Revision() != to || e.CompactRevision() != max(from, 1) && e.CompactRevision() != 0 {
			t.Fatalf("exported %d from %d, want %d from %d", e.Revision(), e.CompactRevision(), to, from)
		}
		got := rebuild(t, e, from, to)
		e.Close()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("rebuilt from the export (-want +got):\n%s", diff)
		}
		if len(v.pins) != 0 {
			t.Fatalf("history stays pinned: %v", v.pins)
		}
	})
}

// rebuild makes the states of the revisions from … to of what e exports.
func rebuild(t *rapid.T, e *Export, from, to int64) map[int64]string {
	states := map[int64]string{}
	keys := map[string]*mvccpb.KeyValue{}
	at, lastSub := from, int64(-1)
	upTo := func(rev int64) {
		for ; at < rev; at++ {
			states[at] = listed(keys)
		}
	}
	lastRev := int64(0)
	err := e.Versions(context.Background(), func(kv *mvccpb.KeyValue, sub int64) error {
		rev := kv.ModRevision
		if rev < lastRev || rev == lastRev && sub != lastSub+1 || rev > lastRev && sub != 0 {
			return fmt.Errorf("version %d.%d after %d.%d", rev, sub, lastRev, lastSub)
		}
		lastRev, lastSub = rev, sub
		upTo(rev)
		if kv.Version == 0 {
			delete(keys, string(kv.Key))
		} else {
			keys[string(kv.Key)] = kv
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	upTo(to + 1)
	return states
}

// listed returns the key-values in order, as text.
func listed(keys map[string]*mvccpb.KeyValue) string {
	all := keysIn(keys, []byte{0}, []byte{0})
	if all == nil {
		all = []*mvccpb.KeyValue{}
	}
	return fmt.Sprint(all)
}

// TestExportStops: an error of the callback ends the pass, as does the context.
func TestExportStops(t *testing.T) {
	v := New(Config{})
	for i := range 3 {
		must[*pb.PutResponse](t, v, put(fmt.Sprint(i), "v"))
	}
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: 3})
	e := v.Export(testNow)
	defer e.Close()
	stop, seen := errors.New("stop"), 0
	err := e.Versions(t.Context(), func(*mvccpb.KeyValue, int64) error {
		seen++
		return stop
	})
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("Versions = %v after %d, want the callback's error after 1", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Versions(ctx, func(*mvccpb.KeyValue, int64) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Versions with a canceled context = %v", err)
	}
}

// TestExportLeases: the leases are those of the revision exported.
func TestExportLeases(t *testing.T) {
	v := New(Config{})
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 7, TTL: 60})
	must[*pb.PutResponse](t, v, leased("a", 7))
	e := v.Export(testNow)
	defer e.Close()
	must[*pb.LeaseRevokeResponse](t, v, &pb.LeaseRevokeRequest{ID: 7})
	if got := e.Leases(); len(got) != 1 || got[0].ID != 7 || got[0].GrantedTTL != 60 {
		t.Errorf("Leases = %+v, want lease 7 of 60 s", got)
	}
	err := e.Versions(t.Context(), func(kv *mvccpb.KeyValue, _ int64) error {
		if kv.Lease != 7 || kv.Version != 1 {
			t.Errorf("exported %v, want version 1 under lease 7", kv)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
