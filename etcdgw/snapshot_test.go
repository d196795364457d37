package etcdgw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
)

// download calls Snapshot and returns the file, open.
func download(t *testing.T, s *site) *etcdsnap.File {
	t.Helper()
	stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(testContext(t), &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "snapshot.db")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	total, received := int64(-1), int64(0)
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if total < 0 {
			total = int64(resp.RemainingBytes) + int64(len(resp.Blob))
		}
		received += int64(len(resp.Blob))
		if want := max(total-received, 0); int64(resp.RemainingBytes) != want || len(resp.Blob) > snapshotChunk || resp.Version != etcdsnap.StorageVersion {
			t.Fatalf("a response of %d bytes, %d remaining, version %q; want at most %d, %d, %q",
				len(resp.Blob), resp.RemainingBytes, resp.Version, snapshotChunk, want, etcdsnap.StorageVersion)
		}
		if _, err := f.Write(resp.Blob); err != nil {
			t.Fatal(err)
		}
	}
	if received != total+32 {
		t.Fatalf("received %d bytes, announced %d and a checksum", received, total)
	}
	file, err := etcdsnap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSnapshot: a snapshot holds the history from the compact revision on, with
// leases, and nothing of it stays on disk. That etcd serves the same from it is
// shown by integration/snapshot.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := newSite(t, func(c *Config) { c.TempDir = dir })
	ctx := testContext(t)
	if _, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: 7, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	s.put(t, "a", "1")                          // 2, compacted
	s.put(t, "b", strings.Repeat("x", 300_000)) // 3
	at := s.put(t, "a", "2")                    // 4
	if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: at}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte("c"), Lease: 7}); err != nil { // 5
		t.Fatal(err)
	}
	_, err := s.kv.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{ // 6
		{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("a")}}},
		opPut("d"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := download(t, s)
	var got []string
	err = file.Changes(ctx, func(r etcdsnap.Revision, kv *mvccpb.KeyValue) error {
		got = append(got, fmt.Sprintf("%d.%d %s: created %d, version %d, lease %d", r.Main, r.Sub, kv.Key, kv.CreateRevision, kv.Version, kv.Lease))
		return nil
	})
	want := []string{
		"3.0 b: created 3, version 1, lease 0",
		"4.0 a: created 2, version 2, lease 0",
		"5.0 c: created 5, version 1, lease 7",
		"6.0 a: created 0, version 0, lease 0",
		"6.1 d: created 6, version 1, lease 0",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("changes: %v (-want +got):\n%s", err, diff)
	}
	leases, err := file.Leases(ctx)
	if diff := cmp.Diff([]etcdsnap.Lease{{ID: 7, TTL: 60}}, leases); err != nil || diff != "" {
		t.Errorf("leases: %v (-want +got):\n%s", err, diff)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the snapshot left %v, %v", left, err)
	}
}

// TestSnapshotNoRoom: without room for the file the call fails, and others are served.
func TestSnapshotNoRoom(t *testing.T) {
	s := newSite(t, func(c *Config) { c.TempDir = filepath.Join(t.TempDir(), "none") })
	stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(testContext(t), &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("Recv = %v, want Unknown and why", err)
	}
	s.put(t, "a", "1")
}

// TestSnapshotShutdown: a client that does not read its snapshot does not keep
// the server from stopping; the server's test helper would fail.
func TestSnapshotShutdown(t *testing.T) {
	s := newSite(t)
	for i := range 8 {
		s.put(t, fmt.Sprint(i), strings.Repeat("x", 1<<20))
	}
	if _, err := pb.NewMaintenanceClient(s.conn).Snapshot(t.Context(), &pb.SnapshotRequest{}); err != nil {
		t.Fatal(err)
	}
}
