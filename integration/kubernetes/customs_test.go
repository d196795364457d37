package kubernetes

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// gadgets are a custom resource with a list of things that have names.
var gadgets = schema.GroupVersionResource{Group: "example.org", Version: "v1", Resource: "gadgets"}

const gadgetDefinition = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"gadgets.example.org"},
	"spec":{"group":"example.org","scope":"Namespaced","names":{"plural":"gadgets","kind":"Gadget"},"versions":[{"name":"v1","served":true,"storage":true,
	"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"size":{"type":"integer"},"parts":{"type":"array",
	"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","required":["name"],"properties":{
	"name":{"type":"string"},"color":{"type":"string"},"weight":{"type":"integer"}}}}}}}}}}]}}`

const gadget = `{"kind":"Gadget","apiVersion":"example.org/v1","metadata":{"name":"one","namespace":"merge"},
	"spec":{"size":1,"parts":[{"name":"a","color":"red"}]}}`

// customs are the scenarios of custom resources: their definition says what
// identifies the items of a list.
func customs() []scenario {
	edit := func(change func(spec map[string]any)) func(*testing.T, *cluster) {
		return func(t *testing.T, c *cluster) {
			t.Helper()
			o, err := c.gadgets().Get(t.Context(), "one", get)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			change(o.Object["spec"].(map[string]any))
			if _, err := c.gadgets().Update(t.Context(), o, put); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	add := func(part map[string]any) func(spec map[string]any) {
		return func(spec map[string]any) { spec["parts"] = append(spec["parts"].([]any), part) }
	}
	return []scenario{{
		name: "a custom resource, by the list keys of its definition",
		keys: []string{"/registry/example.org/gadgets/merge/one"},
		prepare: func(t *testing.T, c *cluster) {
			definitions := c.Dynamic.Resource(twins[len(twins)-1].resource)
			if _, err := definitions.Create(t.Context(), parsed(t, gadgetDefinition), create); err != nil {
				t.Fatal(err)
			}
			eventually(t, "gadgets are served", func(ctx context.Context) error {
				_, err := c.gadgets().Create(ctx, parsed(t, gadget), create)
				return err
			})
		},
		edits: [3]func(*testing.T, *cluster){
			edit(add(map[string]any{"name": "b", "color": "blue"})),
			edit(add(map[string]any{"name": "b", "weight": int64(2)})),
			edit(func(spec map[string]any) {
				spec["size"] = int64(7)
				spec["parts"].([]any)[0].(map[string]any)["weight"] = int64(1)
			}),
		},
		merged: true,
		check: func(t *testing.T, c *cluster) {
			o, err := c.gadgets().Get(t.Context(), "one", get)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got, err := json.Marshal(o.Object["spec"])
			if err != nil {
				t.Fatal(err)
			}
			want := `{"parts":[{"color":"red","name":"a","weight":1},{"color":"blue","name":"b","weight":2}],"size":7}`
			if string(got) != want {
				t.Errorf("%s: %s, want %s", c.name, got, want)
			}
		},
		then: edit(func(spec map[string]any) { spec["parts"] = slices.Delete(spec["parts"].([]any), 0, 1) }),
	}}
}

func (c *cluster) gadgets() dynamic.ResourceInterface {
	return c.Dynamic.Resource(gadgets).Namespace(mergeNamespace)
}

// parsed is an object of JSON.
func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}
