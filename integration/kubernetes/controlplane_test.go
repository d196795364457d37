package kubernetes

import (
	"flag"
	"testing"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
	"github.com/causeway-sync/causeway/integration/kubernetes/upstream"
)

var storeName = flag.String("store", "founder", "what TestControlPlane runs on: founder, secured, joined or shared, Causeway nodes, or etcd")

// TestControlPlane puts one control plane on one Causeway node through the
// steps below, in order.
func TestControlPlane(t *testing.T) {
	logs := harness.LogDir(t)
	newStore, ok := upstream.Stores[*storeName]
	if *storeName == "shared" { // not for the storage tests, which store no objects of a cluster
		newStore, ok = harness.NewShared, true
	}
	if !ok {
		t.Fatalf("-store %s: not founder, secured, joined, shared or etcd", *storeName)
	}
	store := newStore(t, logs)
	store.Start()
	c := &cluster{store: store, ControlPlane: harness.StartControlPlane(t, logs, store.Endpoint,
		append(store.Flags, "--event-ttl="+eventTTL.String(), "--etcd-compaction-interval="+compactionInterval.String())...)}
	harness.StartKubelets(t, c.Client, 3)

	c.run(t, []step{
		{"Deployment", testDeployment},
		{"Objects", testObjects},
		{"Conflicts", testConflicts},
		{"LargeObjects", testLargeObjects},
		{"CustomResources", testCustomResources},
		{"Watches", testWatches},
		{"Paging", testPaging},
		{"Compaction", testCompaction},
		{"Events", testEvents},
		{"NamespaceDeletion", testNamespaceDeletion},
		{"APIServerKilled", testAPIServerKilled},
		{"NodeKilled", testNodeKilled},
		{"Agreement", testAgreement},
	})
}

// step is a part of a test on one cluster.
type step struct {
	name string
	run  func(*testing.T, *cluster)
}

// run takes the cluster through steps, in order.
func (c *cluster) run(t *testing.T, steps []step) {
	t.Helper()
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c) }) {
			break // later steps would only repeat the failure
		}
	}
}

func testDeployment(t *testing.T, c *cluster) {
	c.namespace(t, "deployment")
	c.workload(t, "deployment")
}
