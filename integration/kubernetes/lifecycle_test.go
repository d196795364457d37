package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// absent returns an error if the store has keys that contain one of the parts.
func (c *cluster) absent(ctx context.Context, parts ...string) error {
	client := c.store.Client()
	defer client.Close()
	resp, err := client.Get(ctx, "/registry/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return err
	}
	var left []string
	for _, kv := range resp.Kvs {
		key := string(kv.Key)
		if slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(key, part) }) {
			left = append(left, key)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("the store still has %d keys, %s for one", len(left), left[0])
	}
	return nil
}

// eventTTL is how long the API server under test keeps events.
const eventTTL = 5 * time.Second

// testEvents checks that events end by their lease, with a watch event, and not
// before their time.
func testEvents(t *testing.T, c *cluster) {
	const namespace = "events"
	c.namespace(t, namespace)
	events := c.Client.CoreV1().Events(namespace)
	event := &core.Event{
		ObjectMeta:     meta.ObjectMeta{Name: "e"},
		InvolvedObject: core.ObjectReference{Kind: "Namespace", Name: namespace, Namespace: namespace},
		Reason:         "Tested", Type: core.EventTypeNormal,
	}
	began := time.Now()
	created, err := events.Create(t.Context(), event, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := events.Watch(t.Context(), meta.ListOptions{ResourceVersion: created.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if got := collect(t, w, 1); got[0] != "DELETED e" {
		t.Errorf("the watch sent %v, want the deletion", got)
	}
	if lived := time.Since(began); lived < eventTTL || lived > 2*eventTTL {
		t.Errorf("the event lived %v, want %v and not much more", lived, eventTTL)
	}
	if _, err := events.Get(t.Context(), "e", meta.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("Get(e) = %v, want that it is not found", err)
	}
}

// testNamespaceDeletion deletes a namespace full of objects, and looks into the
// store for what is left.
func testNamespaceDeletion(t *testing.T, c *cluster) {
	const namespace = "doomed"
	c.namespace(t, namespace)
	ctx := t.Context()
	for i := range 30 {
		name := fmt.Sprintf("o%d", i)
		if _, err := c.Client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap(name, ""), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Client.CoreV1().Secrets(namespace).Create(ctx, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Client.AppsV1().Deployments(namespace).Create(ctx, deployment("web", 3), meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.running(t, namespace, "web", 3)
	if err := c.Client.CoreV1().Namespaces().Delete(ctx, namespace, meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is gone", func(ctx context.Context) error {
		if _, err := c.Client.CoreV1().Namespaces().Get(ctx, namespace, meta.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("Get(%s) = %v", namespace, err)
		}
		return c.absent(ctx, "/doomed/", "/namespaces/doomed")
	})
}
