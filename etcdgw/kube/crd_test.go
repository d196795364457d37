package kube_test

import (
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

const properties = `{"type":"object","properties":{
	"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},
	"spec":{"type":"object","properties":{
		"hosts":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
		"args":{"type":"array","items":{"type":"string"}},
		"routes":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port","name"],
			"items":{"type":"object","properties":{"name":{"type":"string"},"port":{"type":"integer"},"weight":{"type":"integer"},"tags":{"type":"object","additionalProperties":{"type":"string"}}}}},
		"ref":{"type":"object","x-kubernetes-map-type":"atomic","properties":{"a":{"type":"string"}}},
		"source":{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"type":"string"},"b":{"type":"string"}}},
		"any":{"type":"object","x-kubernetes-preserve-unknown-fields":true}
	}},
	"status":{"type":"object","properties":{
		"conditions":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],
			"items":{"type":"object","properties":{"type":{"type":"string"}}}}}}
}}`

const (
	definition = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":"example.com","names":{"kind":"Widget"},"versions":[` +
		`{"name":"v1","schema":{"openAPIV3Schema":` + properties + `}},{"name":"v2"}]}}`
	older = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1beta1","spec":{"group":"example.com","names":{"kind":"Widget"},"version":"v1",` +
		`"versions":[{"name":"v1"},{"name":"v2"}],"validation":{"openAPIV3Schema":` + properties + `}}}`
	oldest = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1beta1","spec":{"group":"example.com","names":{"kind":"Widget"},"version":"v1",` +
		`"validation":{"openAPIV3Schema":` + properties + `}}}`
)

func TestSchemasFromCRD(t *testing.T) {
	var first *crdt.Schema
	for _, tt := range []struct {
		crd      string
		versions int
	}{{definition, 2}, {older, 2}, {oldest, 1}} {
		found, err := kube.SchemasFromCRD([]byte(tt.crd))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != tt.versions || found[0].APIVersion != "example.com/v1" || found[0].Kind != "Widget" {
			t.Fatalf("SchemasFromCRD = %v", found)
		}
		if first == nil {
			first = found[0].Schema
		}
		if found[0].Schema.ID() != first.ID() {
			t.Errorf("equal definitions have other schemas")
		}
	}
}

func TestMergeCustom(t *testing.T) {
	found, err := kube.SchemasFromCRD([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	widget := func(meta, spec, status string) string {
		return `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","uid":"1"` + meta + `},"spec":{` + spec + `},"status":{` + status + `}}`
	}
	spec := func(s string) string { return widget("", s, "") }
	for _, tt := range []struct{ name, base, one, other, want string }{
		{"metadata are an object's", widget(`,"finalizers":["a"],"generation":1`, "", ""), widget(`,"finalizers":["a","b"],"generation":2`, "", ""), widget(`,"finalizers":["c"],"generation":2`, "", ""), widget(`,"finalizers":["c","b"],"generation":3`, "", "")},
		{"set", spec(`"hosts":["a"]`), spec(`"hosts":["a","b"]`), spec(`"hosts":[]`), spec(`"hosts":["b"]`)},
		{"list that says nothing", spec(`"args":["a"]`), spec(`"args":["a","b"]`), spec(`"args":["c"]`), spec(`"args":["c"]`)},
		{"keyed list",
			spec(`"routes":[{"name":"a","port":1,"weight":1}]`), spec(`"routes":[{"name":"a","port":1,"weight":2},{"name":"a","port":2}]`), spec(`"routes":[{"name":"a","port":1,"weight":1,"tags":{"x":"y"}}]`),
			spec(`"routes":[{"name":"a","port":1,"weight":2,"tags":{"x":"y"}},{"name":"a","port":2}]`)},
		{"atomic map", spec(`"ref":{"a":"1","b":"1"}`), spec(`"ref":{"a":"2","b":"1"}`), spec(`"ref":{"a":"1","b":"2"}`), spec(`"ref":{"a":"1","b":"2"}`)},
		{"one of", spec(`"source":{}`), spec(`"source":{"a":"1"}`), spec(`"source":{"b":"1"}`), spec(`"source":{"b":"1"}`)},
		{"undescribed", spec(`"any":{"x":[1]}`), spec(`"any":{"x":[1],"a":1}`), spec(`"any":{"x":[1,2]}`), spec(`"any":{"x":[1,2],"a":1}`)},
		{"a condition", widget("", "", `"conditions":[{"type":"Ready","status":"No","reason":"a"}]`), widget("", "", `"conditions":[{"type":"Ready","status":"Yes","reason":"a"}]`), widget("", "", `"conditions":[{"type":"Ready","status":"No","reason":"b"}]`),
			widget("", "", `"conditions":[{"type":"Ready","status":"No","reason":"b"}]`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := merge(t, found[0].Schema, tt.base, tt.one, tt.other); got != tt.want {
				t.Errorf("merge = %s\nwant    %s", got, tt.want)
			}
		})
	}
}

func TestSchemasFromCRDErrors(t *testing.T) {
	for _, crd := range []string{
		``, `{}`, `null`, `[]`, `{"kind":"CustomResourceDefinition"}`,
		`{"kind":"Pod","apiVersion":"apiextensions.k8s.io/v1"}`,
		`{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1"}`,
		`{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":"g","names":{"kind":"K"}}}`,
		`{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":"g","names":{"kind":"K"},"versions":[1]}}`,
	} {
		if found, err := kube.SchemasFromCRD([]byte(crd)); !errors.Is(err, kube.ErrDefinition) || found != nil {
			t.Errorf("SchemasFromCRD(%q) = %v, %v", crd, found, err)
		}
	}
}

func FuzzSchemasFromCRD(f *testing.F) {
	for _, seed := range []string{definition, older, oldest} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, crd []byte) {
		found, err := kube.SchemasFromCRD(crd)
		if (err == nil) != (len(found) > 0) {
			t.Fatalf("SchemasFromCRD = %v, %v", found, err)
		}
		for _, c := range found {
			if _, err := crdt.DecodeSchema(c.Schema.Encoding()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
