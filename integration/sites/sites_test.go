// Package sites runs two and three real nodes and checks that they keep one
// keyspace in step.
package sites

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// within is how long two connected nodes may take here to show each other a
// write; idle machines take a few milliseconds, busy CI machines longer.
const within = 15 * time.Second

func put(t *testing.T, n *harness.Node, key, value string) {
	t.Helper()
	if _, err := n.KV().Put(context.Background(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func get(t *testing.T, n *harness.Node, key string) string {
	t.Helper()
	resp, err := n.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte(key)})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if len(resp.Kvs) == 0 {
		return ""
	}
	return string(resp.Kvs[0].Value)
}

// arrives waits until key has value at n.
func arrives(t *testing.T, n *harness.Node, key, value string) {
	t.Helper()
	start := time.Now()
	for get(t, n, key) != value {
		if time.Since(start) > within {
			t.Fatalf("%s = %q after %v, want %q", key, get(t, n, key), within, value)
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Logf("%s arrived after %v", key, time.Since(start).Round(time.Millisecond))
}

// twoSites returns two running nodes of one mesh.
func twoSites(t *testing.T) (a, b *harness.Node) {
	t.Helper()
	a, b = harness.NewNode(t), harness.NewNode(t)
	a.Start()
	put(t, a, "before", "the join")
	b.Join(a)
	b.Start()
	return a, b
}

func TestTwoSitesKeepOneKeyspace(t *testing.T) {
	a, b := twoSites(t)
	arrives(t, b, "before", "the join")
	put(t, a, "k", "from a")
	arrives(t, b, "k", "from a")
	put(t, b, "k", "from b")
	arrives(t, a, "k", "from b")

	// One is away; both go on alone.
	b.Stop()
	put(t, a, "only-a", "1")
	put(t, a, "both", "a")
	a.Stop()
	b.Start()
	put(t, b, "only-b", "1")
	put(t, b, "both", "b")
	if _, err := b.KV().DeleteRange(context.Background(), &pb.DeleteRangeRequest{Key: []byte("before")}); err != nil {
		t.Fatal(err)
	}
	a.Start()
	arrives(t, a, "only-b", "1")
	arrives(t, b, "only-a", "1")
	final := harness.WaitEqual(t, within, a, b)
	for _, key := range []string{"k", "only-a", "only-b", "both", "before"} {
		if x, y := get(t, a, key), get(t, b, key); x != y {
			t.Errorf("%s = %q at a, %q at b", key, x, y)
		}
	}
	if got := get(t, a, "before"); got != "" {
		t.Errorf("before = %q, want it deleted", got)
	}
	if final.Forks != 0 {
		t.Errorf("forks = %d, want 0", final.Forks)
	}
	a.Stop()
	b.Stop()
}

// TestRevisionsLiveInWindows checks that a joined node's revisions cannot be
// taken for the founder's, and that a foreign one is answered compacted.
func TestRevisionsLiveInWindows(t *testing.T) {
	a, b := twoSites(t)
	put(t, a, "x", "1")
	arrives(t, b, "x", "1")
	resp, err := b.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if rev := resp.Header.Revision; rev>>40 == 0 {
		t.Errorf("revision of the joined node = %d, want none of the founder's window", rev)
	}
	_, err = b.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte("x"), Revision: 2})
	if s, _ := status.FromError(err); s.Code() != codes.OutOfRange || s.Message() != "etcdserver: mvcc: required revision has been compacted" {
		t.Errorf("range at the founder's revision 2: %v, want compacted", err)
	}
}

// TestJoinerWaitsForItsFirstSync starts a joined node while nobody is in reach:
// it must not serve an empty keyspace. Once it has synchronised, it starts alone.
func TestJoinerWaitsForItsFirstSync(t *testing.T) {
	a, b := harness.NewNode(t), harness.NewNode(t)
	a.Start()
	put(t, a, "k", "v")
	b.Join(a)
	a.Stop()

	b.StartUnready()
	for range 5 {
		_, err := b.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte("k")})
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("range before the first sync: %v, want Unavailable", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	a.Start()
	b.WaitReady()
	if got := get(t, b, "k"); got != "v" {
		t.Errorf("k = %q at the first answer, want v", got)
	}
	b.Stop()
	a.Stop()

	b.Start() // alone
	put(t, b, "k", "w")
	if got := get(t, b, "k"); got != "w" {
		t.Errorf("k = %q, want w", got)
	}
	b.Stop()
}

// TestThreeSitesUnderLoad writes at three nodes at once, over the same keys,
// and checks that they end equal.
func TestThreeSitesUnderLoad(t *testing.T) {
	a, b := twoSites(t)
	c := harness.NewNode(t)
	c.Join(a)
	c.Start()
	nodes := []*harness.Node{a, b, c}
	done := make(chan error, len(nodes))
	for i, n := range nodes {
		kv := n.KV()
		go func() {
			var err error
			for j := 0; j < 300 && err == nil; j++ {
				_, err = kv.Put(context.Background(), &pb.PutRequest{
					Key: fmt.Appendf(nil, "shared/%d", j%20), Value: fmt.Appendf(nil, "%d-%d", i, j)})
			}
			done <- err
		}()
	}
	for range nodes {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	s := harness.WaitEqual(t, 30*time.Second, nodes...)
	if s.Forks != 0 {
		t.Errorf("forks = %d, want 0", s.Forks)
	}
	for _, n := range nodes {
		n.Stop()
	}
}

// TestTicketIsUsedOnce joins twice with one ticket.
func TestTicketIsUsedOnce(t *testing.T) {
	a := harness.NewNode(t)
	a.Start()
	ticket := harness.Run(t, "", "invite", "--data-dir", a.Dir)
	harness.Run(t, ticket, "join", "--data-dir", t.TempDir())
	out, err := harness.TryRun(t, ticket, "join", "--data-dir", t.TempDir())
	if err == nil {
		t.Fatal("a used ticket was redeemed again")
	}
	if strings.Count(strings.TrimSpace(out), "\n") != 0 || !strings.HasPrefix(out, "causeway: ") {
		t.Errorf("the refusal is not one clear line: %q", out)
	}
	if strings.Contains(out, strings.TrimSpace(ticket)) {
		t.Error("the refusal shows the ticket, which is a secret")
	}
}
