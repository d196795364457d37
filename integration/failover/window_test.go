package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
)

// window returns the number of the window that n's revisions are in.
func window(n *harness.Node) int64 { return n.Status().Revision >> 40 }

// served is a client of one gateway, with a watcher and a pager under way.
type served struct {
	client
	pager
	stream pb.Watch_WatchClient
}

// serve lists at n, begins to page and, if it stays up, to watch.
func serve(t *testing.T, n *harness.Node, watch bool) *served {
	t.Helper()
	s := new(served)
	if err := s.client.list(n); err != nil {
		t.Fatal(err)
	}
	if err := s.pager.pages(n, 1); err != nil {
		t.Fatal(err)
	}
	if !watch {
		return s
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	var err error
	if s.stream, err = n.Watch().Watch(ctx); err != nil {
		t.Fatal(err)
	}
	create := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: s.client.revision + 1}
	if err := s.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWindowChange lets two joined nodes, which have not heard of each other,
// claim the same revision window and serve clients from it. Once they meet, no
// client of either may go on with a revision from before, at either.
func TestWindowChange(t *testing.T) {
	a, b, c := harness.NewNode(t), harness.NewNode(t), harness.NewNode(t)
	a.Start()
	for i := range stable { // several pages
		put(t, a, fmt.Sprintf("stable/%03d", i))
	}
	b.Join(a)
	c.Join(a)
	a.Stop()
	// What the founder knew before b claimed its window: c will claim the same.
	early := t.TempDir()
	if err := os.CopyFS(early, regularFiles{os.DirFS(a.Dir)}); err != nil {
		t.Fatal(err)
	}
	makePrivate(t, early)
	late := a.Dir
	a.Start()
	b.Start()
	harness.WaitEqual(t, patience, a, b)
	churn(t, b, "b")
	ofB := serve(t, b, false)
	harness.WaitEqual(t, patience, a, b)
	b.Stop()
	a.Stop()

	a.Dir = early
	a.Start()
	c.Start()
	a.Kill()
	for _, key := range []string{"c1", "c2"} {
		churn(t, c, key)
	}
	ofC := serve(t, c, true)
	if window(c) != 1 || ofB.client.revision>>40 != 1 {
		t.Fatalf("windows %d and %d, want both to be 1: the test tests nothing", window(c), ofB.client.revision>>40)
	}

	a.Dir = late
	a.Start()
	b.Start()
	for start := time.Now(); window(b) == window(c); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("both nodes are still in window %d", window(b))
		}
	}
	harness.WaitEqual(t, patience, a, b, c)

	// The watcher that was under way at c was told.
	for {
		resp, err := ofC.stream.Recv()
		if err != nil {
			t.Fatalf("the watcher at c: %v, want to be told to start over", err)
		}
		if resp.Canceled {
			if resp.CompactRevision == 0 {
				t.Errorf("the watcher at c was canceled with %v, want a compact revision", resp)
			}
			break
		}
	}
	for from, s := range map[string]*served{"b": ofB, "c": ofC} {
		for to, n := range map[string]*harness.Node{"a": a, "b": b, "c": c} {
			if err := s.client.follow(n); !errors.Is(err, errStartOver) {
				t.Errorf("a watcher of %s at %s: %v, want to be told to start over", from, to, err)
			}
			if err := s.pager.pages(n, 1); !errors.Is(err, errStartOver) {
				t.Errorf("a pager of %s at %s: %v, want to be told to start over", from, to, err)
			}
		}
	}
	// Who starts over is served, and goes on without a hole.
	for _, n := range []*harness.Node{a, b, c} {
		s := new(client)
		if err := s.list(n); err != nil {
			t.Fatal(err)
		}
		churn(t, n, "after")
		if err := s.follow(n); err != nil {
			t.Error(err)
		}
		s.check(t, n)
	}
	for _, n := range []*harness.Node{a, b, c} {
		n.Stop()
	}
}
