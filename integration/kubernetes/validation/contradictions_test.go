package validation

import (
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

// contradiction is what two valid edits can make of an object, as fields of
// different places know nothing of each other when they merge. The rules do not
// promise that it does not come to be (docs/kubernetes-merge.md, "Contradictions").
type contradiction struct {
	kind  string // "" for all
	class string // a pattern of what [checked] reports: which check, field and type of error
	// one and other are edits of the kind's first example that make it, if there are.
	one, other func(o map[string]any)
}

var contradictions = []contradiction{
	{"", `metadata\.ownerReferences: FieldValueInvalid`, owner("a"), owner("b")},
	// A status is of one observer, which writes all of it anew the next time.
	{"", `status: status\..*`, nil, nil},
	{"Deployment", `spec\.template\.spec\..*volumeMounts\[\]\.name: FieldValueNotFound`,
		func(o map[string]any) { // a volume goes, and with it its mount
			s := podSpec(o)
			s["volumes"] = s["volumes"].([]any)[:1]
			first := item(s, "containers", 0)
			first["volumeMounts"] = first["volumeMounts"].([]any)[:1]
		},
		func(o map[string]any) { // another container mounts it
			item(podSpec(o), "containers", 1)["volumeMounts"] = []any{map[string]any{"name": "config", "mountPath": "/c"}}
		}},
	{"Deployment", `spec\.progressDeadlineSeconds: FieldValueInvalid`,
		func(o map[string]any) { child(o, "spec")["minReadySeconds"] = 30 },
		func(o map[string]any) { child(o, "spec")["progressDeadlineSeconds"] = 20 }},
	{"Service", `spec\.ports\[\]\.name: FieldValueDuplicate`, servicePort(81), servicePort(82)},
	// What the type, or the families of addresses, ask of other fields.
	{"Service", `spec\..*`, nil, nil},
	{"Ingress", `spec: FieldValueInvalid`, nil, nil}, // neither rules nor default backend
	{"ConfigMap", `data\[\]: FieldValueInvalid`,
		func(o map[string]any) { child(o, "data")["k"] = "1" },
		func(o map[string]any) { child(o, "binaryData")["k"] = "AAEC" }},
	{"CustomResourceDefinition", `status\.storedVersions(\[\])?: FieldValueInvalid`, nil, nil},
}

// TestContradictions makes those that have an example, so that the list is no longer than it must be.
func TestContradictions(t *testing.T) {
	m := startMerger(t)
	for _, k := range kinds() {
		for _, d := range contradictions {
			if d.one == nil || d.kind != k.Kind && (d.kind != "" || k.Kind != "ConfigMap") {
				continue
			}
			t.Run(k.Kind+" "+d.class, func(t *testing.T) {
				c := &checked{T: t, kind: k, merger: m, invalid: make(map[string]int), example: make(map[string]string)}
				base, err := c.create(c.kind.examples(t)[0])
				if err != nil {
					t.Fatal(err)
				}
				edit := func(change func(map[string]any)) runtime.Object {
					tree := c.fields(t, base)
					change(tree)
					o, err := c.typed(tree)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.update(c.strategy, o, base); err != nil {
						t.Fatalf("an edit is not valid: %v", err)
					}
					return o
				}
				c.check(base, edit(d.one), edit(d.other))
				for class := range c.invalid {
					if regexp.MustCompile(d.class).MatchString(class) {
						return
					}
				}
				t.Errorf("the merge has no such error: %v", c.invalid)
			})
		}
	}
}

func owner(name string) func(map[string]any) {
	return func(o map[string]any) {
		child(o, "metadata")["ownerReferences"] = []any{map[string]any{"apiVersion": "apps/v1", "kind": "Thing", "name": name, "uid": name, "controller": true}}
	}
}

func servicePort(number int) func(map[string]any) {
	return func(o map[string]any) {
		s := child(o, "spec")
		s["ports"] = append(s["ports"].([]any), map[string]any{"name": "more", "port": number})
	}
}

func podSpec(o map[string]any) map[string]any {
	return child(child(child(o, "spec"), "template"), "spec")
}

func item(o map[string]any, list string, i int) map[string]any {
	return o[list].([]any)[i].(map[string]any)
}
