package kube_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// enveloped returns an object as the API server stores it in protobuf.
func enveloped(apiVersion, kind, uid string) string {
	field := func(b []byte, n protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), content)
	}
	typeMeta := field(field(nil, 1, []byte(apiVersion)), 2, []byte(kind))
	metadata := field(field(nil, 1, []byte("a")), 5, []byte(uid))
	return "k8s\x00" + string(field(field(nil, 1, typeMeta), 2, field(nil, 1, metadata)))
}

func builtin(t testing.TB, value string) *crdt.Schema {
	t.Helper()
	s, ok := kube.SchemaFor([]byte(value))
	if !ok {
		t.Fatalf("no schema for %q", value)
	}
	return s
}

func TestCatalog(t *testing.T) {
	const root, at = "/registry", "/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com"
	store := map[string][]byte{at: []byte(definition)}
	c := kube.NewCatalog(func(key []byte) ([]byte, bool) { v, ok := store[string(key)]; return v, ok })
	found, err := kube.SchemasFromCRD([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	pod, protoPod := object("v1", "Pod", "", ""), enveloped("v1", "Pod", "1")
	widget := func(version string) string { return object("example.com/"+version, "Widget", "", "") }
	for _, tt := range []struct {
		name, key, value string
		want             *crdt.Schema
	}{
		{"a Pod in JSON", "/registry/pods/n/a", pod, builtin(t, pod)},
		{"a Pod anywhere", "x", pod, builtin(t, pod)},
		{"a Pod in protobuf", "/registry/pods/n/a", protoPod, builtin(t, protoPod)},
		{"protobuf of an unknown kind", "/registry/pods/n/a", enveloped("v9", "Pod", "1"), crdt.Opaque},
		{"no protobuf", "/registry/pods/n/a", "k8s\x00\xff", crdt.Opaque},
		{"encrypted", "/registry/secrets/n/a", "k8s:enc:aescbc:v1:key:{", crdt.Opaque},
		{"a number", "k", "12", crdt.Opaque},
		{"nothing", "k", "", crdt.Opaque},
		{"white space", "k", " \n", crdt.Opaque},
		{"an array", "k", " [1]", nil},
		{"an object", "k", "\t{\"a\":1}\n", nil},
		{"no object after all", "k", "{", nil}, // opaque where it is looked at
		{"apiVersion inside", "k", `{"a":{"apiVersion":"v1","kind":"Pod"}}`, nil},
		{"a custom resource", root + "/example.com/widgets/n/a", widget("v1"), found[0].Schema},
		{"without namespace", root + "/example.com/widgets/a", widget("v1"), found[0].Schema},
		{"of the other version", root + "/example.com/widgets/n/a", widget("v2"), found[1].Schema},
		{"of a version that is not there", root + "/example.com/widgets/n/a", widget("v3"), nil},
		{"under another root", "/other/example.com/widgets/n/a", widget("v1"), nil},
		{"of another resource", root + "/example.com/gadgets/n/a", widget("v1"), nil},
		{"of another kind", root + "/example.com/widgets/n/a", object("example.com/v1", "Gadget", "", ""), nil},
		{"a key that ends early", root + "/example.com/widgets", widget("v1"), nil},
		{"an aggregated API", root + "/apiregistration.k8s.io/apiservices/v1.a", object("apiregistration.k8s.io/v1", "APIService", "", ""), crdt.Opaque},
		{"an unknown kind of the core", root + "/ranges/serviceips", object("v1", "RangeAllocation", "", ""), crdt.Opaque},
		{"a file of somebody's", "k", object("example.com/v1", "Config", "", ""), nil},
	} {
		got := c.SchemaFor([]byte(tt.key), []byte(tt.value))
		if got.ID() != tt.want.ID() {
			t.Errorf("%s: SchemaFor(%q, %q) = %x, want %x", tt.name, tt.key, tt.value, got.ID(), tt.want.ID())
		}
	}

	// The definition changes under the catalog's feet, whoever changes it.
	key, value := []byte(root+"/example.com/widgets/n/a"), []byte(widget("v1"))
	before := c.SchemaFor(key, value)
	store[at] = []byte(strings.Replace(definition, `"kind":"Custom`, `"status":{"x":1},"kind":"Custom`, 1))
	if got := c.SchemaFor(key, value); got != before {
		t.Error("a definition with the same schema gives another one")
	}
	store[at] = []byte(strings.Replace(definition, `"x-kubernetes-list-type":"set"`, `"x-kubernetes-list-type":"atomic"`, 1))
	changed := c.SchemaFor(key, value)
	if changed.ID() == before.ID() || changed == nil {
		t.Error("the schema does not follow the definition")
	}
	for _, bad := range []string{"", "{", "k8s\x00", `{"kind":"CustomResourceDefinition"}`} {
		store[at] = []byte(bad)
		if got := c.SchemaFor(key, value); got != nil {
			t.Errorf("with the definition %q: %x", bad, got.ID())
		}
	}
	delete(store, at)
	if got := c.SchemaFor(key, value); got != nil {
		t.Errorf("without a definition: %x", got.ID())
	}
	store[at] = []byte(definition)
	if got := c.SchemaFor(key, value); got.ID() != before.ID() {
		t.Error("the definition does not come back")
	}
}

// FuzzCatalog: no value panics, and it is not changed.
func FuzzCatalog(f *testing.F) {
	for _, v := range []string{object("v1", "Secret", "", `,"type":"x"`), object("example.com/v1", "Widget", "", ""), enveloped("v1", "Pod", "1"), "{", definition} {
		f.Add([]byte("/registry/example.com/widgets/n/a"), []byte(v))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		before := string(value)
		c := kube.NewCatalog(func([]byte) ([]byte, bool) { return value, true })
		c.SchemaFor(key, value)
		if string(value) != before {
			t.Error("the value has changed")
		}
	})
}

// BenchmarkCatalog is what the choice of a schema costs a put.
func BenchmarkCatalog(b *testing.B) {
	store := map[string][]byte{"/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com": []byte(definition)}
	c := kube.NewCatalog(func(key []byte) ([]byte, bool) { v, ok := store[string(key)]; return v, ok })
	long := strings.Repeat(`{"some":"member"},`, 100)
	for _, bb := range []struct{ name, key, value string }{
		{"bytes of 2 KB", "k", strings.Repeat("x", 2000)},
		{"JSON of 2 KB", "k", fmt.Sprintf(`{"items":[%s1]}`, long)},
		{"JSON of 2 KB in a first member before apiVersion", "k", fmt.Sprintf(`{"a":[%s1]}`, long)},
		{"a Pod in JSON", "/registry/pods/n/a", object("v1", "Pod", "", fmt.Sprintf(`,"spec":[%s1]`, long))},
		{"a Pod in protobuf", "/registry/pods/n/a", enveloped("v1", "Pod", "1")},
		{"a Secret in JSON", "/registry/secrets/n/a", object("v1", "Secret", "", fmt.Sprintf(`,"data":[%s1],"type":"Opaque"`, long))},
		{"a custom resource", "/registry/example.com/widgets/n/a", object("example.com/v1", "Widget", "", fmt.Sprintf(`,"spec":[%s1]`, long))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			key, value := []byte(bb.key), []byte(bb.value)
			b.ReportAllocs()
			for b.Loop() {
				c.SchemaFor(key, value)
			}
		})
	}
}
