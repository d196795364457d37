package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testWatches checks what two watches of the same are sent, and one that
// resumes from the past.
func testWatches(t *testing.T, c *cluster) {
	const namespace = "watches"
	c.namespace(t, namespace)
	ctx := t.Context()
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	list, err := maps.List(ctx, meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := maps.Watch(ctx, meta.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Stop()
	some, err := maps.Watch(ctx, meta.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "some=yes"})
	if err != nil {
		t.Fatal(err)
	}
	defer some.Stop()

	var want []string
	for i := range 20 {
		m := configMap(fmt.Sprintf("m%02d", i), "1")
		if _, err := maps.Create(ctx, m, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		want = append(want, "ADDED "+m.Name)
	}
	labelled := configMap("m03", "1")
	labelled.Labels = map[string]string{"some": "yes"}
	if _, err := maps.Update(ctx, labelled, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Update(ctx, configMap("m03", "2"), meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := maps.Delete(ctx, "m04", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "MODIFIED m03", "MODIFIED m03", "DELETED m04")
	if got := collect(t, all, len(want)); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the watch of all sent %v, want %v", got, want)
	}
	// To a selector, an object that begins or ceases to match is added or deleted.
	if got := strings.Join(collect(t, some, 2), ", "); got != "ADDED m03, DELETED m03" {
		t.Errorf("the watch of some sent %s", got)
	}
	again, err := maps.Watch(ctx, meta.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if got := collect(t, again, len(want)); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the watch from the past sent %v, want %v", got, want)
	}
}

// testPaging reads a list in pages while it changes: all pages are of the
// moment of the first.
func testPaging(t *testing.T, c *cluster) {
	const namespace, count, limit = "paging", 230, 50
	c.namespace(t, namespace)
	ctx := t.Context()
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	for i := range count {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("m%03d", i), "1"), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// kube-root-ca.crt, which the controller-manager puts into each namespace,
	// sorts before them.
	eventually(t, "the namespace is filled", func(ctx context.Context) error {
		_, err := maps.Get(ctx, "kube-root-ca.crt", meta.GetOptions{})
		return err
	})
	var names []string
	options := meta.ListOptions{Limit: limit}
	for page := 0; ; page++ {
		list, err := maps.List(ctx, options)
		if err != nil {
			t.Fatalf("page %d: %v", page, err)
		}
		for _, m := range list.Items {
			names = append(names, m.Name)
		}
		left := int64(0)
		if list.RemainingItemCount != nil {
			left = *list.RemainingItemCount
		}
		if want := int64(count + 1 - len(names)); left != want {
			t.Errorf("page %d: %d items remain, want %d", page, left, want)
		}
		if list.Continue == "" {
			break
		}
		options.Continue = list.Continue
		// What changes now is not of this list.
		if err := maps.Delete(ctx, fmt.Sprintf("m%03d", count-1-page), meta.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("new%d", page), ""), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) != count+1 || names[0] != "kube-root-ca.crt" || names[1] != "m000" || names[count] != fmt.Sprintf("m%03d", count-1) {
		t.Errorf("the pages have %d items from %s to %s", len(names), names[0], names[len(names)-1])
	}
}

// compactionInterval is how often the API server under test compacts.
const compactionInterval = 10 * time.Second

// testCompaction keeps an old page and an old version until they are compacted.
func testCompaction(t *testing.T, c *cluster) {
	const namespace = "compaction"
	c.namespace(t, namespace)
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	for i := range 4 {
		if _, err := maps.Create(t.Context(), configMap(fmt.Sprintf("m%d", i), ""), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := maps.List(t.Context(), meta.ListOptions{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	client := c.store.Client()
	defer client.Close()
	eventually(t, "the store has compacted the first revisions", func(ctx context.Context) error {
		_, err := client.Get(ctx, "/registry/", clientv3.WithRev(2))
		if err != rpctypes.ErrCompacted {
			return fmt.Errorf("a read at revision 2: %v", err)
		}
		return nil
	})
	eventually(t, "the second page has expired", func(ctx context.Context) error {
		// Writes move the revision, without which there is nothing to compact.
		if _, err := maps.Update(ctx, configMap("m0", time.Now().String()), meta.UpdateOptions{}); err != nil {
			return err
		}
		_, err := maps.List(ctx, meta.ListOptions{Limit: 2, Continue: page.Continue})
		if !apierrors.IsResourceExpired(err) {
			return fmt.Errorf("the second page: %v", err)
		}
		return nil
	})
	_, err = maps.List(t.Context(), meta.ListOptions{ResourceVersion: page.ResourceVersion, ResourceVersionMatch: meta.ResourceVersionMatchExact})
	if !apierrors.IsResourceExpired(err) {
		t.Errorf("a list of the first page's version: %v, want that it has expired", err)
	}
	if list, err := maps.List(t.Context(), meta.ListOptions{}); err != nil || len(list.Items) < 4 {
		t.Errorf("a new list: %d items, %v", len(list.Items), err)
	}
}
