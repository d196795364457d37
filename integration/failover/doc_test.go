// Package failover runs two gateways of one mesh, a founder and a node that
// joined it, behind one client that switches between them, as a client does
// that is given the endpoints of both. Whatever the order in which it is served
// by which, a watcher (which resumes after the last revision it saw) and a
// pager (which goes on at the revision of its first page) must either go on
// without a hole or be told at once to start over: never be served a hole, nor
// be left to wait for a revision of the other gateway.
package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience is how long any single answer may take before it counts as waiting
// for ever; busy machines may need seconds.
const patience = 20 * time.Second

// stable is how many keys are never touched after they are put.
const stable = 40

// root is the prefix of all keys.
const root = "/site/"

var rootEnd = []byte("/site0")

// twoGateways returns a founder and a joined node, both running and in step.
func twoGateways(t *testing.T) (a, b *harness.Node) {
	t.Helper()
	a, b = harness.NewNode(t), harness.NewNode(t)
	a.Start()
	for i := range stable {
		put(t, a, fmt.Sprintf("stable/%03d", i))
	}
	b.Join(a)
	b.Start()
	harness.WaitEqual(t, patience, a, b)
	return a, b
}

// put puts a key that says by its value who put it.
func put(t *testing.T, n *harness.Node, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := n.KV().Put(ctx, &pb.PutRequest{Key: []byte(root + key), Value: []byte("by " + n.Client)}); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func remove(t *testing.T, n *harness.Node, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := n.KV().DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(root + key)}); err != nil {
		t.Fatalf("delete %s: %v", key, err)
	}
}

// churn writes at n: keys that nobody writes again, but that half of them are
// deleted later, so that a watcher that misses an event ends in another state.
func churn(t *testing.T, n *harness.Node, name string) {
	t.Helper()
	for i := range 6 {
		put(t, n, fmt.Sprintf("churn/%s/%d", name, i))
	}
	for i := range 3 {
		remove(t, n, fmt.Sprintf("churn/%s/%d", name, i))
	}
}

// orders returns all orders in which two gateways can serve n steps.
func orders(n int) [][]int {
	all := make([][]int, 1<<n)
	for i := range all {
		for j := range n {
			all[i] = append(all[i], i>>j&1)
		}
	}
	return all
}
