package rotation

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/node/admin"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the moments at which nodes are killed")

// TestKilledWhileRotating kills a real process with SIGKILL at random moments of
// rotations. The key and the log agree after each, what was answered is there,
// and no key was rotated twice.
func TestKilledWhileRotating(t *testing.T) {
	t.Logf("replay with -seed=%d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	n := harness.NewNode(t)
	n.Start()
	admins := admin.NewClient(n.Dir)
	rotations := 0
	for round := range 6 {
		key := []byte{byte('a' + round)}
		put(t, n, key)
		before, err := admins.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() {
			_, err := admins.Rotate(context.Background())
			answered <- err
		}()
		// Most of the steps are within some 20 ms.
		time.Sleep(time.Duration(random.Int64N(int64(25 * time.Millisecond))))
		n.Kill()
		done := <-answered == nil

		n.Start()
		after, err := admins.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case after.Node == before.Node && !done: // it was killed before the append
		case after.Node == before.Node:
			t.Fatalf("round %d: a rotation was answered and is lost", round)
		default:
			rotations++
		}
		if len(after.Key.Past) != rotations || after.Key.Index != uint64(rotations) || after.Key.State != "writing" {
			t.Fatalf("round %d: the story is %+v, want %d rotations", round, after.Key, rotations)
		}
	}
	for round := range 6 {
		r, err := n.KV().Range(t.Context(), &pb.RangeRequest{Key: []byte{byte('a' + round)}})
		if err != nil || len(r.Kvs) != 1 {
			t.Errorf("the key of round %d: %v, %v", round, r, err)
		}
	}
	rotated := make(map[identity.PublicKey]dag.ID)
	ops, err := admins.Log(t.Context(), admin.MaxLogOps)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		d, err := admins.Op(t.Context(), op.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Statements {
			if s.Kind != identity.KindRotate.String() {
				continue
			}
			if other, twice := rotated[op.Author]; twice {
				t.Errorf("%s was rotated by %s and by %s", op.Author, other, op.ID)
			}
			rotated[op.Author] = op.ID
		}
	}
	if len(rotated) != rotations {
		t.Errorf("%d keys were rotated, want %d", len(rotated), rotations)
	}
	t.Logf("%d of 6 rotations were durable", rotations)
}

// put puts a key through the etcd API, as a client that tries again while the node opens.
func put(t *testing.T, n *harness.Node, key []byte) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := n.KV().Put(t.Context(), &pb.PutRequest{Key: key, Value: key})
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
