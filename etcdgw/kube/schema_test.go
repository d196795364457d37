package kube_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// merge returns what becomes of a value that sites edited without seeing each
// other, as the nodes write it: in patches, where there is one.
func merge(t testing.TB, s *crdt.Schema, base string, edits ...string) string {
	t.Helper()
	h := crdt.NewHistory()
	first := crdt.Position{Depth: 1}
	h.Add(crdt.Write{Position: first, Incarnation: first, Value: []byte(base), Schema: s}, nil)
	for i, e := range edits {
		w := crdt.Write{Position: crdt.Position{Depth: 2, Op: [32]byte{byte(i + 1)}}, Incarnation: first, Value: []byte(e), Schema: s}
		if p, ok := crdt.Diff(crdt.Parse([]byte(base), s), crdt.Parse(w.Value, s)); ok {
			w.Kind, w.Patch = crdt.Patched, p
		}
		h.Add(w, func(n int) bool { return n == 0 })
	}
	return string(h.Value().Tree.Value())
}

// Three sites edit one Deployment, cut off from each other: one scales it, one
// changes the image, one adds a variable and a label.
func ExampleSchemaFor() {
	const (
		base     = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","uid":"1","generation":1},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"web","image":"web:1"}]}}}}`
		scaled   = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","uid":"1","generation":2},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"web","image":"web:1"}]}}}}`
		upgraded = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","uid":"1","generation":2},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`
		labelled = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","uid":"1","generation":2,"labels":{"tier":"front"}},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"web","image":"web:1","env":[{"name":"A","value":"1"}]}]}}}}`
	)
	s, ok := kube.SchemaFor([]byte(base))
	fmt.Println(ok)
	fmt.Println(merge(&testing.T{}, s, base, scaled, upgraded, labelled))
	// Output:
	// true
	// {"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","uid":"1","generation":4,"labels":{"tier":"front"}},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"web","image":"web:2","env":[{"name":"A","value":"1"}]}]}}}}
}

// object returns an object in JSON, with its spec or the like.
func object(apiVersion, kind, metadata, rest string) string {
	return fmt.Sprintf(`{"kind":%q,"apiVersion":%q,"metadata":{"name":"a","uid":"1"%s}%s}`, kind, apiVersion, metadata, rest)
}

func TestMerge(t *testing.T) {
	pod := func(spec string) string { return object("v1", "Pod", "", `,"spec":{`+spec+`}`) }
	meta := func(m string) string { return object("v1", "ConfigMap", m, "") }
	secret := func(typ, data string) string {
		return object("v1", "Secret", "", `,"data":{`+data+`},"type":"`+typ+`"`)
	}
	for _, tt := range []struct{ name, base, one, other, want string }{
		{"finalizers unite", meta(`,"finalizers":["a"]`), meta(`,"finalizers":["a","b"]`), meta(`,"finalizers":["c"]`), meta(`,"finalizers":["c","b"]`)},
		{"labels unite", meta(``), meta(`,"labels":{"a":"1"}`), meta(`,"labels":{"b":"2"}`), meta(`,"labels":{"a":"1","b":"2"}`)},
		{"a deletion stays", meta(``), meta(`,"deletionTimestamp":"2026-01-01T00:00:00Z"`), meta(`,"deletionTimestamp":"2026-02-02T00:00:00Z"`), meta(`,"deletionTimestamp":"2026-01-01T00:00:00Z"`)},
		{"owners are known by uid",
			meta(`,"ownerReferences":[{"kind":"A","uid":"1"}]`), meta(`,"ownerReferences":[{"kind":"A","uid":"1"},{"kind":"B","uid":"2"}]`), meta(`,"ownerReferences":[{"kind":"A","uid":"1","blockOwnerDeletion":true}]`),
			meta(`,"ownerReferences":[{"kind":"A","uid":"1","blockOwnerDeletion":true},{"kind":"B","uid":"2"}]`)},
		{"what a manager owns unites",
			meta(`,"managedFields":[{"manager":"m","operation":"Apply","fieldsV1":{"f:a":{}}}]`), meta(`,"managedFields":[{"manager":"m","operation":"Apply","fieldsV1":{"f:a":{},"f:b":{}}}]`), meta(`,"managedFields":[{"manager":"m","operation":"Apply","fieldsV1":{"f:a":{},"f:c":{"f:d":{}}}}]`),
			meta(`,"managedFields":[{"manager":"m","operation":"Apply","fieldsV1":{"f:a":{},"f:b":{},"f:c":{"f:d":{}}}}]`)},
		{"another uid is another object", meta(``), `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","uid":"2"}}`, meta(`,"labels":{"a":"1"}`), meta(`,"labels":{"a":"1"}`)},
		{"a Pod is bound once", pod(``), pod(`"nodeName":"n1"`), pod(`"nodeName":"n2"`), pod(`"nodeName":"n1"`)},
		{"a volume is one source",
			pod(`"volumes":[{"name":"v","emptyDir":{}}]`), pod(`"volumes":[{"name":"v","hostPath":{"path":"/"}}]`), pod(`"volumes":[{"name":"v","secret":{"secretName":"s"}}]`),
			pod(`"volumes":[{"name":"v","secret":{"secretName":"s"}}]`)},
		{"a variable is one value",
			pod(`"containers":[{"name":"c","env":[{"name":"A","value":"1"}]}]`), pod(`"containers":[{"name":"c","env":[{"name":"A","valueFrom":{}}]}]`), pod(`"containers":[{"name":"c","env":[{"name":"A","value":"2"},{"name":"B"}]}]`),
			pod(`"containers":[{"name":"c","env":[{"name":"A","value":"2"},{"name":"B"}]}]`)},
		{"parts of a Secret unite", secret("Opaque", ``), secret("Opaque", `"a":"MQ=="`), secret("Opaque", `"b":"MQ=="`), secret("Opaque", `"a":"MQ==","b":"MQ=="`)},
		{"a key has its certificate",
			secret("kubernetes.io/tls", `"tls.crt":"MQ==","tls.key":"MQ=="`), secret("kubernetes.io/tls", `"tls.crt":"Mg==","tls.key":"Mg=="`), secret("kubernetes.io/tls", `"tls.crt":"Mw==","tls.key":"MQ=="`),
			secret("kubernetes.io/tls", `"tls.crt":"Mw==","tls.key":"MQ=="`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := kube.SchemaFor([]byte(tt.base))
			if !ok {
				t.Fatal("no schema")
			}
			if got := merge(t, s, tt.base, tt.one, tt.other); got != tt.want {
				t.Errorf("merge = %s\nwant    %s", got, tt.want)
			}
		})
	}
}

// unknown returns a runtime.Unknown as the API server stores it.
func unknown(apiVersion, kind string, raw []byte) []byte {
	var meta, b []byte
	meta = protowire.AppendString(protowire.AppendTag(meta, 1, protowire.BytesType), apiVersion)
	meta = protowire.AppendString(protowire.AppendTag(meta, 2, protowire.BytesType), kind)
	b = protowire.AppendBytes(protowire.AppendTag([]byte("k8s\x00"), 1, protowire.BytesType), meta)
	b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), raw)
	return append(b, 0x1a, 0, 0x22, 0)
}

func TestSchemaFor(t *testing.T) {
	tls := protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), "kubernetes.io/tls")
	for _, tt := range []struct {
		value string
		want  bool
	}{
		{`{"kind":"Pod","apiVersion":"v1"}`, true},
		{` { "spec" : {"kind":"x","a":["}"]} , "apiVersion":"v1", "kind" : "Pod" } `, true},
		{`{"kind":"Pod"}`, false},
		{`{"kind":"Pod","apiVersion":"v2"}`, false},
		{`{"kind":"Widget","apiVersion":"example.com/v1"}`, false},
		{`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1"}`, false},
		{`{"kind":"Pod","apiVersion":1}`, false},
		{`{"kind":"Secret/typed","apiVersion":"v1"}`, false},
		{`["kind","Pod"]`, false},
		{`{"kind":"Pod","apiVersion":"v1`, false},
		{`{"kind`, false},
		{`{"kind":"Po\`, false},
		{``, false},
		{`k8s:enc:aescbc:v1:key:Pod`, false},
		{string(unknown("v1", "Pod", nil)), true},
		{string(unknown("v1", "Secret", tls)), true},
		{string(unknown("v3", "Pod", nil)), false},
		{"k8s\x00", false},
		{"k8s\x00\x0a\x7f", false},
	} {
		s, ok := kube.SchemaFor([]byte(tt.value))
		if ok != tt.want || ok != (s != nil) {
			t.Errorf("SchemaFor(%q) = %v, %v, want %v", tt.value, s, ok, tt.want)
		}
	}
	plain, _ := kube.SchemaFor(unknown("v1", "Secret", nil))
	typed, _ := kube.SchemaFor(unknown("v1", "Secret", tls))
	if plain.ID() == typed.ID() {
		t.Error("a Secret of a type merges as one of none")
	}
}

func FuzzSchemaFor(f *testing.F) {
	f.Add([]byte(`{"kind":"Secret","apiVersion":"v1","data":{"a":"b"},"type":"x"}`))
	f.Add(unknown("v1", "Secret", nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, ok := kube.SchemaFor(value)
		if !ok {
			return
		}
		if tree := crdt.Parse(value, s); !tree.Opaque() {
			if p, ok := crdt.Diff(tree, tree); ok {
				if again, err := crdt.Apply(tree, p); err != nil || string(again.Value()) != string(value) {
					t.Fatalf("%q encodes as %q, %v", value, again.Value(), err)
				}
			}
		}
	})
}

func BenchmarkSchemaFor(b *testing.B) {
	value := unknown("apps/v1", "Deployment", make([]byte, 0))
	b.ReportAllocs()
	for b.Loop() {
		kube.SchemaFor(value)
	}
}
