package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// window is how long requests are counted: the workload, and then idle time, so
// that what goes by the clock is the same on both stores.
const window = 20 * time.Second

// TestRequestsByType counts what one control plane asks of an etcd and of a
// Causeway node during the same workload, and prints both.
func TestRequestsByType(t *testing.T) {
	etcd := requests(t, "etcd", harness.NewEtcd)
	causeway := requests(t, "causeway", harness.NewCauseway)
	if etcd == nil || causeway == nil {
		return // reported
	}
	t.Logf("requests in %v, 3 nodes, a Deployment of 3 pods scaled to 10, to 5, deleted:\n%s", window, table(etcd, causeway))
	for _, r := range requestTypes(etcd, causeway) {
		want, exact := workloadWrites[r]
		switch {
		case exact && (etcd[r] != want || causeway[r] != want):
			t.Errorf("%s %s: %d on etcd, %d on Causeway, want %d on both", r.Kind, r.Resource, etcd[r], causeway[r], want)
		case retried(r), near(etcd[r], causeway[r]):
		default:
			t.Errorf("%s %s: %d on etcd, %d on Causeway", r.Kind, r.Resource, etcd[r], causeway[r])
		}
	}
}

// retried reports whether requests of a type are made anew when they come at a
// bad moment, or asked until something has happened.
func retried(r harness.Request) bool {
	return strings.HasPrefix(r.Kind, "failed ") || r.Kind == "get" || r.Kind == "progress"
}

// near reports whether counts are the same but for when controllers happened to
// look: several changes between two looks become one write of theirs.
func near(a, b int) bool { return max(a, b)-min(a, b) <= 5+max(a, b)/4 }

// workloadWrites are the creates and deletes that the workload is made of:
// whatever the timing they are the same.
var workloadWrites = map[harness.Request]int{
	{Kind: "create", Resource: "deployments"}: 1,
	{Kind: "create", Resource: "replicasets"}: 1,
	{Kind: "create", Resource: "pods"}:        10,
	{Kind: "delete", Resource: "deployments"}: 1,
	{Kind: "delete", Resource: "replicasets"}: 1,
	{Kind: "delete", Resource: "pods"}:        10,
}

// requests runs the workload on a store and returns what was asked of it.
func requests(t *testing.T, name string, newStore harness.NewStore) (counts map[harness.Request]int) {
	t.Run(name, func(t *testing.T) {
		logs := harness.LogDir(t)
		store := newStore(t, logs)
		store.Start()
		proxy := harness.StartProxy(t, store)
		c := &cluster{store: store, ControlPlane: harness.StartControlPlane(t, logs, proxy.Endpoint)}
		harness.StartKubelets(t, c.Client, 3)
		c.namespace(t, "table")
		time.Sleep(10 * time.Second) // until the start of the control plane is over

		before, began := proxy.Tally.Snapshot(), time.Now()
		c.workload(t, "table")
		time.Sleep(time.Until(began.Add(window)))
		after := proxy.Tally.Snapshot()
		for r, n := range before {
			if after[r] -= n; after[r] == 0 {
				delete(after, r)
			}
		}
		counts = after
	})
	return counts
}

// requestTypes returns the types in either, in order.
func requestTypes(a, b map[harness.Request]int) []harness.Request {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return slices.SortedFunc(maps.Keys(both), func(x, y harness.Request) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Resource, y.Resource))
	})
}

// table shows the counts of each kind, and then of each type.
func table(etcd, causeway map[harness.Request]int) string {
	kinds := make(map[string][2]int)
	for _, r := range requestTypes(etcd, causeway) {
		k := kinds[r.Kind]
		kinds[r.Kind] = [2]int{k[0] + etcd[r], k[1] + causeway[r]}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "kind\tetcd\tCauseway\t\n")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(w, "%s\t%d\t%d\t\n", kind, kinds[kind][0], kinds[kind][1])
	}
	fmt.Fprint(w, "\t\t\t\n")
	for _, r := range requestTypes(etcd, causeway) {
		fmt.Fprintf(w, "%s %s\t%d\t%d\t\n", r.Kind, r.Resource, etcd[r], causeway[r])
	}
	w.Flush()
	return b.String()
}
