package mvcc

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/etcdgw/kube/kubetest"
)

// TestPatchSize prints what an update of a Pod's status costs, beside the same
// updates as whole values: on each link, the operation with its signature, and on the origin's
// disk, the change and its share of the sealed block. An update by itself takes at most a third of the
// object, and a quarter where four share an operation; in JSON, which names its fields, a tenth more, as
// here nothing is compressed: see integration/bench/update.
func TestPatchSize(t *testing.T) {
	const updates = 64
	for _, kind := range kubetest.Pods {
		object := len(kind.Make(1))
		for _, together := range []int{1, 4, 16} {
			var link, disk [2]float64
			for i, whole := range []bool{false, true} {
				link[i], disk[i] = sizeOfUpdates(t, kind, together, updates, whole)
			}
			t.Logf("%s, %d bytes, %d in an operation: %.0f bytes of an update on a link (%.2f of the object), %.0f whole; %.0f on disk (%.2f), %.0f whole",
				kind.Name, object, together, link[0], link[0]/float64(object), link[1], disk[0], disk[0]/float64(object), disk[1])
			most := 0.25
			if together == 1 {
				most = 1. / 3
			}
			if kind.Name == "json" {
				most *= 1.1
			}
			if link[0] > most*float64(object) || disk[0] > most*float64(object) {
				t.Errorf("%s, %d in an operation: %.0f bytes on a link and %.0f on disk, want at most %.2f of %d", kind.Name, together, link[0], disk[0], most, object)
			}
		}
	}
}

// sizeOfUpdates returns the bytes of one update, of which some are sealed together.
func sizeOfUpdates(t *testing.T, kind kubetest.Pod, together, updates int, whole bool) (link, disk float64) {
	mesh := dagtest.New(t, 2)
	v := New(Config{Values: KubeValues{}})
	if whole {
		v.verdicts.judge = lww{}
	}
	first := mesh.Write(1, dagtest.Put("x", ""))
	var sealed []dag.Transaction
	for i := range together * (updates + 1) {
		pod, n := i%together, i/together
		_, ch, err := v.Evaluate(&pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/default/web-7c5ddbdf54-%d", pod), Value: kind.Make(n)}, nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		v.unsealed = v.unsealed[:0]
		if n == 0 {
			continue // it creates the object
		}
		tx := v.Transaction(ch, 1)
		tx[0].Incarnation = dag.Incarnation{Kind: dag.IncarnationPast, Op: first.ID()}
		tx[0].Schema = dag.SchemaOpaque // the node has named it before
		if !whole {
			if tx[0].Kind != dag.Patch {
				t.Fatalf("%s: an update is no patch", kind.Name)
			}
			tx[0].Schema = dag.SchemaJSON
		}
		disk += float64(len(ch.Append(nil)))
		if pod == 0 {
			sealed = nil
		}
		sealed = append(sealed, tx)
		if pod == together-1 {
			s := mesh.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{first.ID()}, Transactions: sealed})
			link += float64(len(s.Block()) + len(s.Body()))
			disk += float64(len(s.Block()))
		}
	}
	n := float64(together * updates)
	return link / n, disk / n
}
