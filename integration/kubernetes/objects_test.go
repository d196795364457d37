package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// stored returns what the store holds under a key.
func (c *cluster) stored(t *testing.T, key string) []byte {
	t.Helper()
	client := c.store.Client()
	defer client.Close()
	resp, err := client.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Kvs) == 0 {
		t.Fatalf("the store has no key %s", key)
	}
	return resp.Kvs[0].Value
}

// protobufPrefix begins every built-in object in the store. (KEP of Kubernetes'
// protobuf encoding, pkg/runtime/serializer/protobuf.)
var protobufPrefix = []byte("k8s\x00")

// testObjects creates, reads, changes and deletes ConfigMaps and Secrets.
func testObjects(t *testing.T, c *cluster) {
	const namespace = "objects"
	c.namespace(t, namespace)
	ctx := t.Context()
	maps, secrets := c.Client.CoreV1().ConfigMaps(namespace), c.Client.CoreV1().Secrets(namespace)

	created, err := maps.Create(ctx, configMap("a", "1"), meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Create(ctx, configMap("a", "2"), meta.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("creating it twice: %v, want that it exists", err)
	}
	if v := c.stored(t, "/registry/configmaps/objects/a"); !bytes.HasPrefix(v, protobufPrefix) {
		t.Errorf("stored as %q, want protobuf", v)
	}
	patched, err := maps.Patch(ctx, "a", types.MergePatchType, []byte(`{"data":{"more":"2"}}`), meta.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if patched.UID != created.UID || patched.Data["value"] != "1" || patched.Data["more"] != "2" || patched.ResourceVersion == created.ResourceVersion {
		t.Errorf("patched to %v", patched)
	}
	// A write that changes nothing is none: the version stays.
	same, err := maps.Update(ctx, patched, meta.UpdateOptions{})
	if err != nil || same.ResourceVersion != patched.ResourceVersion {
		t.Errorf("an update to the same: %v, version %s, want %s", err, same.ResourceVersion, patched.ResourceVersion)
	}

	secret := &core.Secret{ObjectMeta: meta.ObjectMeta{Name: "s"}, Data: map[string][]byte{"raw": {0, 255, 1, 254, '\n'}, "empty": {}}}
	if _, err := secrets.Create(ctx, secret, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := secrets.Get(ctx, "s", meta.GetOptions{})
	if err != nil || !bytes.Equal(got.Data["raw"], secret.Data["raw"]) || len(got.Data) != 2 {
		t.Errorf("Get(s) = %v, %v", got.Data, err)
	}

	stale := types.UID("another")
	err = maps.Delete(ctx, "a", meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &stale}})
	if !apierrors.IsConflict(err) {
		t.Errorf("deleting another life of it: %v, want a conflict", err)
	}
	for range 2 {
		err = maps.Delete(ctx, "a", meta.DeleteOptions{})
	}
	if !apierrors.IsNotFound(err) {
		t.Errorf("deleting it twice: %v, want that it is not found", err)
	}
	if err := secrets.Delete(ctx, "s", meta.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// testConflicts checks that an update of a version that is no longer current
// fails, and that of many writers who try again none loses an update.
func testConflicts(t *testing.T, c *cluster) {
	const namespace, writers, each = "conflicts", 8, 10
	c.namespace(t, namespace)
	ctx := t.Context()
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	first, err := maps.Create(ctx, configMap("shared", "0"), meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second := first.DeepCopy()
	second.Data["value"] = "1"
	if _, err := maps.Update(ctx, second, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	first.Data["value"] = "2"
	if _, err := maps.Update(ctx, first, meta.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Fatalf("an update of a stale version: %v, want a conflict", err)
	}

	done := make(chan error, writers)
	for w := range writers {
		go func() { done <- increment(ctx, c, namespace, fmt.Sprintf("w%d", w), each) }()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	last, err := maps.Get(ctx, "shared", meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		if got := len(last.Data[fmt.Sprintf("w%d", w)]); got != each {
			t.Errorf("writer %d: %d updates are left of %d", w, got, each)
		}
	}
}

// increment appends n times to a key of the ConfigMap "shared", each time to
// the version that it read, and tries again after a conflict.
func increment(ctx context.Context, c *cluster, namespace, key string, n int) error {
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	for n > 0 {
		m, err := maps.Get(ctx, "shared", meta.GetOptions{})
		if err != nil {
			return err
		}
		m.Data[key] += "x"
		_, err = maps.Update(ctx, m, meta.UpdateOptions{})
		switch {
		case err == nil:
			n--
		case !apierrors.IsConflict(err):
			return err
		}
	}
	return nil
}

// largest is the most that a ConfigMap may hold.
const largest = 1 << 20

// testLargeObjects stores objects at the limit and is refused above it.
func testLargeObjects(t *testing.T, c *cluster) {
	const namespace = "large"
	c.namespace(t, namespace)
	ctx := t.Context()
	maps := c.Client.CoreV1().ConfigMaps(namespace)
	value := strings.Repeat("0123456789abcdef", largest/16-1)
	if _, err := maps.Create(ctx, configMap("big", value), meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := maps.Get(ctx, "big", meta.GetOptions{})
	if err != nil || got.Data["value"] != value {
		t.Fatalf("Get(big) = %d bytes, %v, want %d", len(got.Data["value"]), err, len(value))
	}
	got.Annotations = map[string]string{"changed": "yes"}
	if _, err := maps.Update(ctx, got, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// A list of several is one large answer of the store.
	for i := range 8 {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("big-%d", i), value), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := maps.List(ctx, meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range list.Items {
		sum += len(m.Data["value"])
	}
	if want := 9 * len(value); sum != want {
		t.Errorf("the list has %d bytes, want %d", sum, want)
	}
	if _, err := maps.Create(ctx, configMap("bigger", value+value), meta.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("a ConfigMap of 2 MiB: %v, want that it is invalid", err)
	}
	if err := maps.DeleteCollection(ctx, meta.DeleteOptions{}, meta.ListOptions{}); err != nil {
		t.Error(err)
	}
}

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	widgets     = schema.GroupVersionResource{Group: "example.org", Version: "v1", Resource: "widgets"}
)

func widget(name string, size int64, padding string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.org/v1", "kind": "Widget",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"size": size, "padding": padding},
	}}
}

// testCustomResources defines a kind and puts objects of it through what the
// built-in ones go through.
func testCustomResources(t *testing.T, c *cluster) {
	const namespace = "custom"
	c.namespace(t, namespace)
	ctx := t.Context()
	object := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "widgets.example.org"},
		"spec": map[string]any{
			"group": "example.org", "scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": object, "status": object},
				}},
			}},
		},
	}}
	if _, err := c.Dynamic.Resource(definitions).Create(ctx, definition, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	resource := c.Dynamic.Resource(widgets).Namespace(namespace)
	eventually(t, "the custom resource is served", func(ctx context.Context) error {
		_, err := resource.List(ctx, meta.ListOptions{})
		return err
	})
	w, err := resource.Watch(ctx, meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for i := range int64(5) {
		if _, err := resource.Create(ctx, widget(fmt.Sprintf("w%d", i), i, ""), meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if v := c.stored(t, "/registry/example.org/widgets/custom/w0"); !bytes.HasPrefix(v, []byte(`{"apiVersion":"example.org/v1"`)) {
		t.Errorf("stored as %q, want JSON", v)
	}
	if _, err := resource.Patch(ctx, "w1", types.MergePatchType, []byte(`{"status":{"phase":"done"}}`), meta.PatchOptions{}, "status"); err != nil {
		t.Error(err)
	}
	stale := widget("w2", 7, "")
	stale.SetResourceVersion("1")
	if _, err := resource.Update(ctx, stale, meta.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update of a stale version: %v, want a conflict", err)
	}
	// The API server passes this on; the store refuses it, in etcd's words.
	_, err = resource.Create(ctx, widget("big", 0, strings.Repeat("x", 7<<18)), meta.CreateOptions{})
	if err == nil || err.Error() != "etcdserver: request is too large" {
		t.Errorf("a custom resource of 1.75 MiB: %v, want that it is too large", err)
	}
	if err := resource.Delete(ctx, "w0", meta.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	want := "ADDED w0, ADDED w1, ADDED w2, ADDED w3, ADDED w4, MODIFIED w1, DELETED w0"
	if got := strings.Join(collect(t, w, 7), ", "); got != want {
		t.Errorf("the watch sent %s, want %s", got, want)
	}
	if err := c.Dynamic.Resource(definitions).Delete(ctx, "widgets.example.org", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the definition and its objects are gone", func(ctx context.Context) error {
		if _, err := c.Dynamic.Resource(definitions).Get(ctx, "widgets.example.org", meta.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the definition is still there (%v)", err)
		}
		return c.absent(ctx, "/registry/example.org/")
	})
}

// collect receives n events of a watch, bookmarks aside, as "TYPE name".
func collect(t *testing.T, w watch.Interface, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		select {
		case event, ok := <-w.ResultChan():
			if !ok {
				t.Fatalf("the watch ended after %v", got)
			}
			if event.Type == watch.Error {
				t.Fatalf("the watch failed after %v: %v", got, apierrors.FromObject(event.Object))
			}
			if event.Type == watch.Bookmark {
				continue
			}
			got = append(got, fmt.Sprintf("%s %s", event.Type, event.Object.(meta.Object).GetName()))
		case <-t.Context().Done():
			t.Fatalf("the watch sent only %v", got)
		}
	}
	return got
}
