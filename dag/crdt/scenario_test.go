package crdt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// kube merges as the objects of Kubernetes do, in JSON.
var kube = mustSchema(JSON, "",
	Type{Kind: Record, Fields: []Field{{"apiVersion", 2}, {"kind", 2}, {"meta", 3}, {"spec", 9}, {"status", 15}}},
	Type{Kind: Leaf, Rule: Pin},
	Type{Kind: Record, Fields: []Field{{"deleted", 4}, {"finalizers", 5}, {"generation", 6}, {"labels", 7}, {"owners", 8}}},
	Type{Kind: Leaf, Rule: WriteOnce},
	Type{Kind: Set},
	Type{Kind: Leaf, Rule: Counter},
	Type{Kind: Map},
	Type{Kind: List, Keys: []string{"uid"}, Elem: 16},
	Type{Kind: Record, Fields: []Field{{"containers", 10}, {"node", 4}, {"strategy", 17}, {"version", 18}}},
	Type{Kind: List, Keys: []string{"name"}, Elem: 11},
	Type{Kind: Record, Fields: []Field{{"env", 12}, {"ports", 13}}},
	Type{Kind: List, Keys: []string{"name"}, Elem: 16},
	Type{Kind: List, Keys: []string{"port", "protocol"}, Elem: 16},
	Type{Kind: List, Keys: []string{"type"}, Elem: 17},
	Type{Kind: Record, Fields: []Field{{"conditions", 14}}},
	Type{Kind: Record},
	Type{Kind: Leaf},
	Type{Kind: Leaf, Rule: Max},
)

// scenarios are concurrent edits of one value and what becomes of them. The
// greater of two edits is the later one.
var scenarios = []struct {
	name      string
	schema    *Schema
	base      string
	edits     []string
	want      string
	conflicts []string // kind and path
}{
	{"different fields", nil, `{"a":1,"b":2}`, []string{`{"a":3,"b":2}`, `{"a":1,"b":4}`}, `{"a":3,"b":4}`, nil},
	{"one field", nil, `{"a":1}`, []string{`{"a":2}`, `{"a":3}`}, `{"a":3}`, []string{"concurrent a"}},
	{"the same edit", nil, `{"a":1}`, []string{`{"a":2}`, `{"a":2}`}, `{"a":2}`, nil},
	{"numbers keep their text", nil, `{"a":1.0,"b":2}`, []string{`{"a":1.0,"b":1e2}`, `{"a":1.00,"b":2}`}, `{"a":1.00,"b":1e2}`, nil},
	{"indented", nil, "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": []\n  }\n}\n", []string{"{\n  \"a\": 2,\n  \"b\": {\n    \"c\": []\n  }\n}\n", "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": [\n      7\n    ]\n  }\n}\n"},
		"{\n  \"a\": 2,\n  \"b\": {\n    \"c\": [\n      7\n    ]\n  }\n}\n", nil},
	{"spaces", nil, `{"a": 1, "b": 2}`, []string{`{"a": 3, "b": 2}`, `{"a": 1, "b": 2, "c": [1, 2]}`}, `{"a": 3, "b": 2, "c": [1, 2]}`, nil},
	{"names with escapes", nil, `{"x\u003cy":1}`, []string{`{"x\u003cy":2}`, `{"x\u003cy":1,"x\u003cz":3}`}, `{"x\u003cy":2,"x\u003cz":3}`, nil},
	{"sorted members stay sorted", nil, `{"a":1,"z":2}`, []string{`{"a":1,"m":1,"z":2}`, `{"a":1,"c":1,"z":2}`}, `{"a":1,"c":1,"m":1,"z":2}`, nil},
	{"members in their order", nil, `{"kind":1,"api":2}`, []string{`{"kind":1,"x":1,"api":2}`, `{"kind":1,"api":2,"a":3}`}, `{"kind":1,"x":1,"api":2,"a":3}`, nil},
	{"runs of items", nil, `[0,9]`, []string{`[0,1,2,3,9]`, `[0,5,6,7,9]`}, `[0,1,2,3,5,6,7,9]`, nil},
	{"items inserted and cut", nil, `[1,2,3,4]`, []string{`[1,4]`, `[1,2,7,3,4]`}, `[1,7,4]`, nil},
	{"items edited inside", nil, `[{"a":1,"b":1},5]`, []string{`[{"a":2,"b":1},5]`, `[{"a":1,"b":2},5,6]`}, `[{"a":2,"b":2},5,6]`, nil},
	{"a record deleted and edited", nil, `{"o":{"x":1,"y":2}}`, []string{`{}`, `{"o":{"x":5,"y":2}}`}, `{}`, []string{"orphaned o.x"}},
	{"a record remade and edited", nil, `{"o":{"x":1,"y":2}}`, []string{`{"o":[3]}`, `{"o":{"x":5,"y":2}}`}, `{"o":[3]}`, []string{"orphaned o.x"}},

	{"scale, image, env and label", kube, `{"meta":{"generation":1},"spec":{"replicas":1,"containers":[{"name":"web","image":"1"}]}}`, []string{
		`{"meta":{"generation":2},"spec":{"replicas":3,"containers":[{"name":"web","image":"1"}]}}`,
		`{"meta":{"generation":2},"spec":{"replicas":1,"containers":[{"name":"web","image":"2"}]}}`,
		`{"meta":{"labels":{"a":"b"},"generation":2},"spec":{"replicas":1,"containers":[{"name":"web","image":"1","env":[{"name":"E","value":"v"}]}]}}`,
	}, `{"meta":{"labels":{"a":"b"},"generation":4},"spec":{"replicas":3,"containers":[{"name":"web","image":"2","env":[{"name":"E","value":"v"}]}]}}`, nil},
	{"finalizers", kube, `{"meta":{"finalizers":["a"]}}`, []string{`{"meta":{"finalizers":["a","b"]}}`, `{"meta":{"finalizers":["c"]}}`}, `{"meta":{"finalizers":["c","b"]}}`, nil},
	{"the last label goes, another comes", kube, `{"meta":{"labels":{"a":"1"}}}`, []string{`{"meta":{}}`, `{"meta":{"labels":{"a":"1","b":"2"}}}`}, `{"meta":{"labels":{"b":"2"}}}`, nil},
	{"first labels at two sites", kube, `{"meta":{}}`, []string{`{"meta":{"labels":{"b":"1"}}}`, `{"meta":{"labels":{"a":"2","c":"3"}}}`}, `{"meta":{"labels":{"a":"2","b":"1","c":"3"}}}`, nil},
	{"reorder against insert", kube, `{"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}}`, []string{
		`{"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}}`,
		`{"spec":{"containers":[{"name":"a"},{"name":"n"},{"name":"b"},{"name":"c"}]}}`,
	}, `{"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"},{"name":"n"}]}}`, nil},
	{"two reorders", kube, `{"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}}`, []string{
		`{"spec":{"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}}`,
		`{"spec":{"containers":[{"name":"b"},{"name":"a"},{"name":"c"}]}}`,
	}, `{"spec":{"containers":[{"name":"b"},{"name":"a"},{"name":"c"}]}}`, []string{"reordered spec.containers"}},
	{"a container removed and edited", kube, `{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b"}]}}`, []string{
		`{"spec":{"containers":[{"name":"b"}]}}`,
		`{"spec":{"containers":[{"name":"a","image":"2"},{"name":"b"}]}}`,
	}, `{"spec":{"containers":[{"name":"b"}]}}`, []string{`orphaned spec.containers.["a"].image`}},
	{"ports of two keys", kube, `{"spec":{"containers":[{"name":"a","ports":[{"port":53,"protocol":"TCP"}]}]}}`, []string{
		`{"spec":{"containers":[{"name":"a","ports":[{"port":53,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}]}}`,
		`{"spec":{"containers":[{"name":"a","ports":[{"port":53,"protocol":"TCP","hostPort":1}]}]}}`,
	}, `{"spec":{"containers":[{"name":"a","ports":[{"port":53,"protocol":"TCP","hostPort":1},{"port":53,"protocol":"UDP"}]}]}}`, nil},
	{"equal keys make one leaf", kube, `{"spec":{"containers":[{"name":"a"},{"name":"a"}]}}`, []string{
		`{"spec":{"containers":[{"name":"a","x":1},{"name":"a"}]}}`,
		`{"spec":{"containers":[{"name":"a"},{"name":"a","y":1}]}}`,
	}, `{"spec":{"containers":[{"name":"a"},{"name":"a","y":1}]}}`, []string{"concurrent spec.containers"}},
	{"a condition is whole", kube, `{"status":{"conditions":[{"type":"R","s":"0","t":0}]}}`, []string{
		`{"status":{"conditions":[{"type":"R","s":"1","t":1}]}}`,
		`{"status":{"conditions":[{"type":"R","s":"2","t":0},{"type":"Q","s":"1"}]}}`,
	}, `{"status":{"conditions":[{"type":"R","s":"2","t":0},{"type":"Q","s":"1"}]}}`, []string{`concurrent status.conditions.["R"]`}},
	{"atomic", kube, `{"spec":{"strategy":{"a":1,"b":1}}}`, []string{`{"spec":{"strategy":{"a":2,"b":1}}}`, `{"spec":{"strategy":{"a":1,"b":2}}}`}, `{"spec":{"strategy":{"a":1,"b":2}}}`, []string{"concurrent spec.strategy"}},
	{"write once", kube, `{"meta":{},"spec":{}}`, []string{`{"meta":{},"spec":{"node":"x"}}`, `{"meta":{"deleted":1},"spec":{"node":"y"}}`}, `{"meta":{"deleted":1},"spec":{"node":"x"}}`, []string{"concurrent spec.node"}},
	{"max", kube, `{"spec":{"version":1}}`, []string{`{"spec":{"version":10}}`, `{"spec":{"version":9}}`}, `{"spec":{"version":10}}`, []string{"concurrent spec.version"}},
	{"pins differ", kube, `{"apiVersion":"v1","meta":{}}`, []string{`{"apiVersion":"v2","meta":{}}`, `{"apiVersion":"v1","meta":{"labels":{"a":"b"}}}`}, `{"apiVersion":"v1","meta":{"labels":{"a":"b"}}}`, []string{"fell-back "}},
	{"opaque", nil, `{"a":1}`, []string{`{"a":2}`, `{"a" :1}`}, `{"a" :1}`, []string{"fell-back "}},
}

// concurrently is a history in which each edit saw the base only.
func concurrently(s *Schema, base string, edits []string) *History {
	h := NewHistory()
	first := Position{Depth: 1}
	h.Add(Write{Position: first, Incarnation: first, Schema: s, Value: []byte(base)}, nil)
	for i, e := range edits {
		w := Write{Position: Position{Depth: 2, Op: [32]byte{byte(i)}}, Incarnation: first, Schema: s, Value: []byte(e)}
		if p, ok := Diff(Parse([]byte(base), s), Parse([]byte(e), s)); ok {
			w = Write{Position: w.Position, Incarnation: first, Kind: Patched, Patch: p}
		}
		h.Add(w, func(n int) bool { return n == 0 })
	}
	return h
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		h := concurrently(s.schema, s.base, s.edits)
		r := h.Value()
		if got := string(r.Tree.Value()); got != s.want {
			t.Errorf("%s: V = %s, want %s", s.name, got, s.want)
		}
		var conflicts []string
		for _, c := range h.Conflicts() {
			conflicts = append(conflicts, fmt.Sprintf("%v %s", c.Kind, strings.Join(c.Path, ".")))
		}
		if !slices.Equal(conflicts, s.conflicts) {
			t.Errorf("%s: conflicts %q, want %q", s.name, conflicts, s.conflicts)
		}
	}
}

// TestCounterLater: a counter only adds up what is concurrent. A write that
// saw the sum overrides it.
func TestCounterLater(t *testing.T) {
	h := concurrently(kube, `{"meta":{"generation":5}}`, []string{`{"meta":{"generation":6}}`, `{"meta":{"generation":8}}`, `{"meta":{"generation":4}}`})
	if got, want := string(h.Value().Tree.Value()), `{"meta":{"generation":8}}`; got != want { // 5 + 1 + 3 - 1
		t.Errorf("V = %s, want %s", got, want)
	}
	p, _ := Diff(h.Value().Tree, Parse([]byte(`{"meta":{"generation":1}}`), kube))
	h.Add(Write{Position: Position{Depth: 3}, Kind: Patched, Incarnation: Position{Depth: 1}, Patch: p}, func(int) bool { return true })
	if got, want := string(h.Value().Tree.Value()), `{"meta":{"generation":1}}`; got != want {
		t.Errorf("V = %s, want %s", got, want)
	}
}

// TestReorderKeepsDeleted: what the author of a reorder does not see, since it
// was deleted, stays behind what it stood behind for that author, in case
// somebody else keeps it. The history that begins with the first reorder agrees.
func TestReorderKeepsDeleted(t *testing.T) {
	values := []string{`{"a":1,"b":1,"c":1,"d":1}`, `{"c":1,"d":1,"b":1,"a":1}`, `{"c":1,"d":1,"a":1}`, `{"d":1,"c":1,"a":1}`, `{"c":1,"d":1,"b":2,"a":1}`}
	seen := []int{-1, 0, 1, 2, 1} // the value that each author saw
	first := Position{Depth: 1}
	const want = `{"d":1,"b":2,"c":1,"a":1}`
	for _, cut := range []int{0, 1} {
		h := NewHistory()
		h.Add(Write{Position: Position{Depth: uint64(1 + cut)}, Incarnation: first, Value: []byte(values[cut])}, nil)
		for i := cut + 1; i < len(values); i++ {
			p, ok := Diff(Parse([]byte(values[seen[i]]), nil), Parse([]byte(values[i]), nil))
			if !ok {
				t.Fatalf("no patch makes %s", values[i])
			}
			h.Add(Write{Position: Position{Depth: uint64(2 + seen[i]), Op: [32]byte{byte(i)}}, Incarnation: first, Kind: Patched, Patch: p},
				func(n int) bool { return n+cut <= seen[i] })
		}
		if got := string(h.Value().Tree.Value()); got != want {
			t.Errorf("from write %d on: V = %s, want %s", cut, got, want)
		}
	}
}

// TestLives: deletes and creates beside puts.
func TestLives(t *testing.T) {
	at := func(depth uint64, site byte) Position { return Position{Depth: depth, Op: [32]byte{site}} }
	first := at(1, 0)
	create := Write{Position: first, Incarnation: first, Value: []byte(`{"a":1,"b":1}`)}
	p, _ := Diff(Parse(create.Value, nil), Parse([]byte(`{"a":2,"b":1}`), nil))
	update := Write{Position: at(2, 1), Incarnation: first, Kind: Patched, Patch: p}
	again := Write{Position: at(3, 2), Incarnation: at(3, 2), Value: []byte(`"new"`)}
	other := Write{Position: at(1, 9), Incarnation: at(1, 9), Value: []byte(`"other"`)}
	observed := Write{Position: at(2, 2), Incarnation: first, Kind: DeleteObserved}
	final := Write{Position: at(2, 2), Incarnation: first, Kind: DeleteFinal}
	afterOf := func(n ...int) func(int) bool { return func(i int) bool { return slices.Contains(n, i) } }
	replace := Write{Position: at(2, 3), Incarnation: first, Value: []byte(`{"c":1}`)}
	for _, c := range []struct {
		name   string
		writes []Write
		past   []func(int) bool
		want   string
	}{
		{"an observed delete beside an update", []Write{create, update, observed}, []func(int) bool{nil, afterOf(0), afterOf(0)}, `{"a":2,"b":1}`},
		{"a final delete beside an update", []Write{create, update, final}, []func(int) bool{nil, afterOf(0), afterOf(0)}, ``},
		{"a put after a delete", []Write{create, observed, again}, []func(int) bool{nil, afterOf(0), afterOf(0, 1)}, `"new"`},
		{"a put after a final delete, beside an update", []Write{create, final, again, update}, []func(int) bool{nil, afterOf(0), afterOf(0, 1), afterOf(0)}, `"new"`},
		{"a put after an observed delete, beside an update: two lives", []Write{create, observed, again, update}, []func(int) bool{nil, afterOf(0), afterOf(0, 1), afterOf(0)}, `"new"`},
		{"two creates", []Write{create, other}, []func(int) bool{nil, afterOf()}, `"other"`},
		{"an update of the lesser life ends the greater", []Write{create, other, update}, []func(int) bool{nil, afterOf(), afterOf(0, 1)}, `{"a":2,"b":1}`},
		{"a patch without its create", []Write{update}, []func(int) bool{nil}, ``},
		{"a replace without its create", []Write{replace}, []func(int) bool{nil}, `{"c":1}`},
		{"a patch upon a replace without its create", []Write{replace, update}, []func(int) bool{nil, afterOf(0)}, `{"a":2,"c":1}`},
	} {
		h := NewHistory()
		for i, w := range c.writes {
			h.Add(w, c.past[i])
		}
		got := ""
		if r := h.Value(); r.Tree != nil {
			got = string(r.Tree.Value())
		}
		if got != c.want {
			t.Errorf("%s: V = %s, want %s", c.name, got, c.want)
		}
	}
}

// TestEnvelope: an object in Kubernetes' envelope merges by field number, and
// fields that the schema does not know, or that do not encode back, stay.
func TestEnvelope(t *testing.T) {
	s := mustSchema(Protobuf, "k8s\x00",
		Type{Kind: Record, Fields: []Field{{"1", 2}, {"2", 3}}},
		Type{Kind: Leaf, Rule: Pin},
		Type{Kind: Record, Fields: []Field{{"1", 4}, {"2", 5}}},
		Type{Kind: Record, Fields: []Field{{"11", 6}}},
		Type{Kind: List, Keys: []string{"1"}, Elem: 7},
		Type{Kind: Map},
		Type{Kind: Record},
	)
	text := func(n protowire.Number, v ...string) string {
		b := protowire.AppendTag(nil, n, protowire.BytesType)
		return string(protowire.AppendString(b, strings.Join(v, "")))
	}
	// A field 99 that no schema knows, twice; field 98 a varint of more than the least length.
	object := func(label, image, more string) string {
		labels := text(11, text(1, "app"), text(2, label))
		unknown := "\x90\x06\x81\x00" + text(99, "x") + text(99, "y")
		return "k8s\x00" + text(1, text(1, "v1"), text(2, "Pod")) +
			text(2, text(1, text(1, "web"), labels), text(2, text(1, "c"), text(2, image), unknown), more) + text(3) + text(4)
	}
	h := concurrently(s, object("a", "1", ""), []string{object("b", "1", ""), object("a", "2", ""), object("a", "1", text(2, text(1, "d")))})
	if got, want := string(h.Value().Tree.Value()), object("b", "2", text(2, text(1, "d"))); got != want {
		t.Errorf("V = %q, want %q", got, want)
	}
	if c := h.Conflicts(); len(c) > 0 {
		t.Errorf("conflicts %+v, want none", c)
	}
}
