package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// A scenario is what three sites do while none sees another, and what must be
// true afterwards at each (docs/kubernetes-merge.md).
type scenario struct {
	name string
	// keys must have the same values at all sites, or be at none.
	keys []string
	// prepare writes at the first site, before the cut.
	prepare func(*testing.T, *cluster)
	// edits are of each site, nil if it does nothing.
	edits [3]func(*testing.T, *cluster)
	// listed is what `causeway conflicts` lists of the keys at each site, in lines as scenario.line
	// makes them, of values that brief makes shorter; merged says that it calls one of them merged.
	listed []string
	brief  func(value json.RawMessage) string
	merged bool
	// settles says that an API server may write the keys once more by itself, having seen all.
	settles bool
	// check looks at each site once all are equal.
	check func(*testing.T, *cluster)
	// then writes at one site after that: what merged can be updated.
	then func(*testing.T, *cluster)
}

// TestMerging cuts three sites off from each other, each with a kube-apiserver on
// a node of its own, and lets them edit the same objects.
func TestMerging(t *testing.T) {
	if !harness.Island(t) {
		return
	}
	logs := harness.LogDir(t)
	mesh := harness.StartSites(t, logs, 3)
	trust := harness.NewTrust(t)
	var at []*cluster
	for i, node := range mesh.Nodes {
		plane := harness.Plane{
			Logs: logs, Endpoint: node.Endpoint, Site: harness.SiteName(i), Trust: trust, Only: true,
			Services: fmt.Sprintf("10.0.%d.0/24", i), Controllers: []string{"--controllers=namespace-controller"},
		}
		at = append(at, &cluster{name: plane.Site, store: node, ControlPlane: plane.Start(t)})
	}
	at[0].Controllers.Start() // a namespace that is deleted is emptied by the first site
	scenarios := slices.Concat(scenarios(), created(), customs())
	if err := at[0].createNamespace(t, mergeNamespace); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		if s.prepare != nil {
			s.prepare(t, at[0])
		}
	}
	mesh.WaitEqual(stepTimeout)
	for _, c := range at {
		eventually(t, "gadgets are served at "+c.name, func(ctx context.Context) error {
			_, err := c.gadgets().Get(ctx, "one", get)
			return err
		})
	}

	seen := watchAll(t, at)
	mesh.Cut()
	for _, s := range scenarios {
		for i, edit := range s.edits {
			if edit != nil {
				edit(t, at[i])
			}
		}
	}
	at[0].waitGone(t, "doomed")
	seen.note(t, at)
	mesh.Heal()
	mesh.WaitEqual(stepTimeout)

	found := make([]map[string]harness.Conflicted, len(at))
	for i, c := range at {
		unsettled := c.store.Unsettled()
		found[i] = c.store.Conflicts()
		if n := c.store.Unsettled(); n == unsettled && n != len(found[i]) {
			t.Errorf("%s: %d keys are unsettled, %d listed", c.name, n, len(found[i]))
		}
		c.checkForms(t, harness.SharedProfile(t))
		c.checkRefused(t, mapKey("formless"))
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for _, key := range s.keys {
				for _, c := range at[1:] {
					// An API server may write the status of a definition once more.
					eventually(t, key+" is the same at "+c.name, func(context.Context) error {
						if one, other := at[0].value(t, key), c.value(t, key); !bytes.Equal(one, other) {
							return fmt.Errorf("%q at %s, %q at %s", one, at[0].name, other, c.name)
						}
						return nil
					})
				}
			}
			for i, c := range at {
				s.check(t, c)
				s.checkConflicts(t, c, found[i])
			}
			if s.then != nil && !t.Failed() {
				s.then(t, at[2])
			}
		})
	}
	t.Run("Watches", func(t *testing.T) { seen.check(t, at) })
	mesh.WaitEqual(stepTimeout)
}

// value returns what a node has stored, nil if there is nothing.
func (c *cluster) value(t *testing.T, key string) []byte {
	t.Helper()
	client := c.store.Client()
	defer client.Close()
	resp, err := client.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Kvs) == 0 {
		return nil
	}
	return resp.Kvs[0].Value
}

// waitGone waits until a namespace is deleted with all that is in it.
func (c *cluster) waitGone(t *testing.T, name string) {
	t.Helper()
	eventually(t, "the namespace "+name+" is gone", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().Namespaces().Get(ctx, name, get)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
}
