// Package crash kills real nodes at random moments and checks that nothing
// acknowledged is lost and no watcher is misled.
package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/node/verify"
)

var (
	seed  = flag.Uint64("crash.seed", 0, "seed of the kill times; 0 picks one")
	kills = flag.Int("crash.kills", 50, "how often the node is killed")
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	writers = 8
	// A node is killed between minLife and maxLife after it answers.
	minLife = 20 * time.Millisecond
	maxLife = 200 * time.Millisecond
	// checkEvery is how many kills lie between two checks of the whole data directory.
	checkEvery = 10
)

// TestKill kills a node with SIGKILL under concurrent writers, again and
// again, while a second node that takes part in its mesh runs on.
// After every restart: each acknowledged write is there, the revision has not
// gone back, and a watch resumed after the last seen revision sees every
// revision once. Now and then the data directory is checked whole as the kill left
// it. In the end the second node has the same ops and state, and neither has seen a fork.
func TestKill(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 0))

	node, peer := harness.NewNode(t), harness.NewNode(t)
	node.Start()
	peer.Join(node)
	peer.Start()

	c := &check{t: t, state: map[string]string{}, begun: make([]int, writers), acked: make([]int, writers)}
	c.seen = revision(t, node)
	for i := range *kills {
		life := minLife + time.Duration(rnd.Int64N(int64(maxLife-minLife)))
		c.writeUntilKilled(node, life)
		if i%checkEvery == 0 {
			checkDir(t, node, verify.Options{})
		}
		node.Start()
		c.verify(node)
	}
	t.Logf("%d kills, %d acknowledged writes, revision %d", *kills, c.total, c.seen)
	if c.total == 0 {
		t.Fatal("no write was acknowledged: the test tested nothing")
	}
	final := harness.WaitEqual(t, 30*time.Second, node, peer)
	if final.Forks != 0 || peer.Status().Forks != 0 {
		t.Errorf("forks = %d, %d, want none: the node forked itself", final.Forks, peer.Status().Forks)
	}
	node.Stop()
	peer.Stop()
	a, b := checkDir(t, node, verify.Options{Closed: true}), checkDir(t, peer, verify.Options{Closed: true})
	if a.StateHash != b.StateHash || a.Operations != b.Operations {
		t.Errorf("the directories hold %d ops, %s, and %d ops, %s", a.Operations, a.StateHash, b.Operations, b.StateHash)
	}
}

// checkDir checks the data directory of a node that does not run.
func checkDir(t *testing.T, node *harness.Node, o verify.Options) *verify.Report {
	t.Helper()
	r, err := verify.Run(t.Context(), node.Dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != verify.Sound {
		t.Fatalf("the data directory is damaged: %+v", r)
	}
	return r
}

// check is what the clients know.
type check struct {
	t     *testing.T
	total int

	mu    sync.Mutex
	begun []int // per writer, the last number it sent
	acked []int // per writer, the last number that was acknowledged
	most  int64 // greatest revision in any answer

	seen  int64             // last revision watched
	state map[string]string // as the watched events make it
}

// writeUntilKilled lets the writers write and a watcher watch until life has passed, then kills the node.
func (c *check) writeUntilKilled(node *harness.Node, life time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { c.write(ctx, node.KV(), w) })
	}
	wg.Go(func() { c.watch(ctx, node.Watch(), 0) })
	time.Sleep(life)
	node.Kill()
	cancel()
	wg.Wait()
}

// write puts increasing numbers, alone or two keys in one transaction, with a
// deletion now and then, until it fails.
func (c *check) write(ctx context.Context, kv pb.KVClient, w int) {
	for {
		c.mu.Lock()
		c.begun[w]++
		n := c.begun[w]
		c.mu.Unlock()
		put := func(prefix string) *pb.RequestOp {
			return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
				Key: fmt.Appendf(nil, "%s/%d", prefix, w), Value: strconv.AppendInt(nil, int64(n), 10)}}}
		}
		ops := []*pb.RequestOp{put("n")}
		switch n % 3 {
		case 1:
			ops = append(ops, put("twin"))
		case 2:
			ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{
				Key: fmt.Appendf(nil, "twin/%d", w)}}})
		}
		resp, err := kv.Txn(ctx, &pb.TxnRequest{Success: ops})
		if err != nil {
			return
		}
		c.mu.Lock()
		c.acked[w] = n
		c.most = max(c.most, resp.Header.Revision)
		c.total++
		c.mu.Unlock()
	}
}

// watch follows everything from the last seen revision on, until the stream
// ends or revision until has been seen (0: for ever).
func (c *check) watch(ctx context.Context, client pb.WatchClient, until int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Watch(ctx)
	if err != nil {
		return
	}
	err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: c.seen + 1}}})
	for err == nil && (until == 0 || c.seen < until) {
		var resp *pb.WatchResponse
		if resp, err = stream.Recv(); err != nil {
			return
		}
		if resp.Canceled {
			c.t.Errorf("watch from %d cancelled: %s (compact revision %d)", c.seen+1, resp.CancelReason, resp.CompactRevision)
			return
		}
		for _, e := range resp.Events {
			c.event(e)
		}
	}
}

// event checks that revisions come one after the other: every write here makes exactly one.
func (c *check) event(e *mvccpb.Event) {
	rev := e.Kv.ModRevision
	if rev != c.seen && rev != c.seen+1 {
		c.t.Errorf("event of revision %d after revision %d", rev, c.seen)
	}
	c.seen = rev
	if e.Type == mvccpb.Event_DELETE {
		delete(c.state, string(e.Kv.Key))
		return
	}
	c.state[string(e.Kv.Key)] = string(e.Kv.Value)
}

// verify checks the restarted node against what the clients know.
func (c *check) verify(node *harness.Node) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.StartTimeout)
	defer cancel()
	now := revision(c.t, node)
	if now < c.most || now < c.seen {
		c.t.Fatalf("revision %d after the restart, was %d in an answer and %d in a watch", now, c.most, c.seen)
	}
	c.watch(ctx, node.Watch(), now)
	if c.seen != now {
		c.t.Fatalf("the resumed watch saw revision %d, the node is at %d", c.seen, now)
	}
	resp, err := node.KV().Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		c.t.Fatal(err)
	}
	stored := map[string]string{}
	for _, kv := range resp.Kvs {
		stored[string(kv.Key)] = string(kv.Value)
	}
	if len(stored) != len(c.state) {
		c.t.Errorf("%d keys stored, %d by the watched events", len(stored), len(c.state))
	}
	for key, value := range c.state {
		if stored[key] != value {
			c.t.Errorf("%s = %q, by the watched events %q", key, stored[key], value)
		}
	}
	for w := range writers {
		got, _ := strconv.Atoi(stored[fmt.Sprintf("n/%d", w)]) // absent reads as 0
		if got < c.acked[w] || got > c.begun[w] {
			c.t.Errorf("writer %d: stored %d, acknowledged %d, begun %d", w, got, c.acked[w], c.begun[w])
		}
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// revision returns the node's revision.
func revision(t *testing.T, node *harness.Node) int64 {
	t.Helper()
	resp, err := node.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}
