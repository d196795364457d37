package kubernetes

import (
	"testing"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// TestControlPlane puts one control plane on one Causeway node through the
// steps below, in order.
func TestControlPlane(t *testing.T) {
	logs := harness.LogDir(t)
	store := harness.NewCauseway(t, logs)
	store.Start()
	c := &cluster{store: store, ControlPlane: harness.StartControlPlane(t, logs, store.Endpoint,
		"--event-ttl="+eventTTL.String(), "--etcd-compaction-interval="+compactionInterval.String())}
	harness.StartKubelets(t, c.Client, 3)

	steps := []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
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
	}
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
