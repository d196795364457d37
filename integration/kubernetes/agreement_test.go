package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// version identifies one version of an object: the name that ends its key and
// the revision that wrote it.
type version struct {
	name     string
	revision string
}

// notObjects are the keys under /registry/ that no list returns.
var notObjects = []string{"/registry/ranges/", "/registry/masterleases/", "/registry/peerserverleases/", "/registry/health"}

// testAgreement checks that after all this what the API server has in its
// caches is what the store holds, object by object, and what it reads from the store.
func testAgreement(t *testing.T, c *cluster) {
	resources := c.listable(t)
	if len(resources) < 40 {
		t.Fatalf("the API server lists only %d resources", len(resources))
	}
	eventually(t, fmt.Sprintf("the caches of %d resources agree with the store", len(resources)), func(ctx context.Context) error {
		stored, err := c.versions(ctx)
		if err != nil {
			return err
		}
		cached := make(map[version]bool)
		for _, r := range resources {
			list, err := c.Dynamic.Resource(r).List(ctx, meta.ListOptions{ResourceVersion: "0"})
			if apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", r, err)
			}
			for _, object := range list.Items {
				if revision := object.GetResourceVersion(); revision != "" { // componentstatuses have none
					cached[version{object.GetName(), revision}] = true
				}
			}
		}
		// Leases are renewed between the two readings: then it is tried again.
		return errors.Join(missing("cached", stored, cached), missing("stored", cached, stored))
	})
}

func missing(where string, want, have map[version]bool) error {
	for v := range want {
		if !have[v] {
			return fmt.Errorf("%s at revision %s is not %s", v.name, v.revision, where)
		}
	}
	return nil
}

// versions returns the objects that the store holds.
func (c *cluster) versions(ctx context.Context) (map[version]bool, error) {
	client := c.store.Client()
	defer client.Close()
	resp, err := client.Get(ctx, "/registry/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	stored := make(map[version]bool)
	for _, kv := range resp.Kvs {
		key := string(kv.Key)
		if slices.ContainsFunc(notObjects, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			continue
		}
		stored[version{path.Base(key), fmt.Sprint(kv.ModRevision)}] = true
	}
	return stored, nil
}

// listable returns the resources of the API server that can be listed from the
// store. API services are served from it too, by another path.
func (c *cluster) listable(t *testing.T) []schema.GroupVersionResource {
	t.Helper()
	lists, err := c.Client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	var resources []schema.GroupVersionResource
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") {
				resources = append(resources, group.WithResource(r.Name))
			}
		}
	}
	return resources
}
