package crdt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func patchOf(t testing.TB, edits ...edit) *Patch {
	t.Helper()
	p, err := DecodePatch(newPatch(edits).encoding)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inValue returns a patch of the value, along a path of names and with edits at its end.
func inValue(t testing.TB, path []string, edits ...edit) *Patch {
	for i := len(path) - 1; i >= 0; i-- {
		edits = []edit{{op: opInside, key: path[i], edits: edits}}
	}
	return patchOf(t, edit{op: opInside, key: valueKey, edits: edits})
}

// A limit is a chain of patches at a bound, where the value made, or what would
// be read of it, is no longer what the edits say.
type limit struct {
	name    string
	schema  *Schema
	value   string
	patches []*Patch
	fails   string // of each patch: . if it makes a value, x if that is opaque
}

func limits(t testing.TB) []limit {
	set := func(key, value string) edit { return edit{op: opSet, key: key, value: []byte(value)} }
	var all []limit

	// As many nodes as can be.
	all = append(all, limit{"nodes of JSON", nil, "[1" + strings.Repeat(",1", MaxNodes-3) + "]", []*Patch{
		inValue(t, nil, edit{op: opInsert, index: 5, values: [][]byte{[]byte("[]")}}),
		inValue(t, nil, edit{op: opInsert, index: 5, values: [][]byte{[]byte("2")}}),
		inValue(t, nil, edit{op: opCut, index: 6, count: 3, sum: sumOf(Parse([]byte("[1,1,1]"), nil).doc.get(valueKey).kids)}),
		// Members of a leaf that is no object count, too.
		inValue(t, nil, edit{op: opInsert, index: 7, values: [][]byte{[]byte(`{"a":1,"a":2}`)}}),
		inValue(t, nil, edit{op: opInsert, index: 0, values: [][]byte{[]byte("2")}}),
	}, ".x..x"})

	// As long as can be, in each style.
	for _, st := range []string{"|||", "|||\n", "| | |", "  || |", "\t|||\n", " \t  || |\n"} {
		s, _ := styleOf([]byte(st))
		c := context{p: documentOf(nil)}
		object := func(n int) string {
			text := fmt.Sprintf(`{"a":[1,{"b":2}],"c":%q,"d":[]}`, strings.Repeat("x", n))
			b, ok := encode(newContainer(mapping, []kid{{styleKey, s.leaf()}, {valueKey, parseJSON([]byte(text), c.p.child(valueKey))}}), nil)
			if !ok {
				t.Fatal("too long")
			}
			return string(b)
		}
		fits := MaxValue - len(object(0))
		all = append(all, limit{fmt.Sprintf("bytes in style %q", st), nil, object(fits), []*Patch{
			inValue(t, nil, set("c", `"`+strings.Repeat("y", fits)+`"`)),
			inValue(t, nil, set("c", `"`+strings.Repeat("y", fits+1)+`"`)),
			inValue(t, []string{"a"}, edit{op: opInsert, index: 2, values: [][]byte{[]byte("{}")}}),
			patchOf(t, set(styleKey, "        |||\n")),
			inValue(t, nil, edit{op: opDelete, key: "d"}),
			inValue(t, []string{"a"}, edit{op: opInsert, index: 2, values: [][]byte{[]byte("1")}}),
		}, ".xxx.."})
	}

	// As deep as can be.
	deep := strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth)
	var path []string
	for range MaxDepth - 1 {
		path = append(path, "a")
	}
	all = append(all, limit{"depth of JSON", nil, deep, []*Patch{
		inValue(t, path, set("a", `{}`)),
		inValue(t, path, set("a", `{"b":1}`)),
		inValue(t, path, set("b", `[]`), set("c", `[1]`)),
		inValue(t, path[1:], set("a", `{"b":1}`)),
		inValue(t, path[1:], set("a", `{"b":[[]]}`)),
		inValue(t, nil, set("a", `1`)),
	}, ".xx.x."})

	// Styles that nothing shows.
	all = append(all, limit{"styles", nil, "{\n  \"a\": [\n    1\n  ]\n}\n", []*Patch{
		patchOf(t, set(valueKey, "[1]")),
		patchOf(t, set(valueKey, "[1,2]"), edit{op: opReorder, keys: []string{valueKey}}),
		patchOf(t, set(valueKey, "[]")),
		patchOf(t, set(styleKey, "| ||")),
		patchOf(t, set(valueKey, `{"a":1}`)),
		patchOf(t, set(styleKey, "| ||"), set(valueKey, `{"a":1}`)),
		patchOf(t, set(styleKey, "\t |||"), set(valueKey, `"value":{"a":{"b":1,"b":2}}`)),
		patchOf(t, set(styleKey, "| | |"), set(valueKey, `"v\u0061lue":{"a":[1]}`)),
		inValue(t, nil, set("b", `2`)),
		patchOf(t, edit{op: opDelete, key: valueKey}),
	}, ".........."})

	// Protobuf as deep as can be: what is deeper is a leaf.
	nest := mustSchema(Protobuf, "", Type{Kind: Record, Fields: []Field{{"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}}},
		Type{Kind: List, Keys: []string{"5"}, Elem: 1}, Type{Kind: JSONInBytes}, Type{Kind: Map, Elem: 1})
	message := func(levels int) []byte {
		var b []byte
		for range levels {
			inner := b
			b = appendDelimited(nil, 1, func(b []byte) []byte { return append(b, inner...) })
		}
		return b
	}
	path = nil
	for range MaxDepth - 2 {
		path = append(path, "1")
	}
	record := func(num protowire.Number, inner []byte) string {
		return string(appendDelimited(nil, num, func(b []byte) []byte { return append(b, inner...) }))
	}
	all = append(all, limit{"depth of protobuf", nest, string(message(MaxDepth)), []*Patch{
		inValue(t, path, set("1", record(1, message(3)))),
		inValue(t, path, set("2", record(2, nil)+record(2, []byte{0x28, 1}))),
		inValue(t, path, edit{op: opInside, key: "2", edits: []edit{set("\x03\x28\x02", record(2, []byte{0x28, 2}))}}),
		inValue(t, append(path, "1"), set("1", record(1, message(3)))),
		inValue(t, append(path, "1"), set("2", record(2, nil))),
		inValue(t, path, edit{op: opInside, key: "4", edits: []edit{set("k", record(2, message(2)))}}),
		inValue(t, path, edit{op: opInside, key: "4", edits: []edit{set("l", record(2, nil))}}),
	}, "......."})

	// JSON in bytes as deep as can be.
	path = nil
	for range MaxDepth - 2 {
		path = append(path, "a")
	}
	path = append([]string{"3"}, path...)
	all = append(all, limit{"depth of JSON in bytes", nest, record(3, []byte(deep)), []*Patch{
		inValue(t, path, set("a", `{"b":[]}`)),
		inValue(t, path, set("a", `{"b":[1]}`)),
		inValue(t, path, set("b", `1`)), // nothing: it is a leaf now
	}, "..."})

	// A collection in a collection, of which protobuf cannot tell where it ends.
	nested := mustSchema(Protobuf, "", Type{Kind: Record, Fields: []Field{{"1", 2}, {"2", 3}, {"3", 6}}},
		Type{Kind: Sequence, Elem: 4}, Type{Kind: Map, Elem: 4}, Type{Kind: Map, Elem: 5}, Type{Kind: Sequence}, Type{Kind: Sequence, Elem: 2})
	entry := func(key string, values string) string {
		return string(append(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key), values...))
	}
	two := []edit{{op: opInsert, index: 1, values: [][]byte{{0x10, 2}}}}
	value := record(1, []byte(entry("a", "\x10\x01"))) + record(1, []byte(entry("b", "\x10\x01"))) +
		record(2, []byte(entry("m", record(2, []byte(entry("a", "\x10\x01")))))) +
		record(3, []byte(entry("x", "\x10\x01"))) + record(3, []byte(entry("y", "\x10\x01")))
	at := func(field string, i int) edit {
		n := Parse([]byte(value), nested).doc.get(valueKey).get(field).kids[i].n
		return edit{op: opIn, index: i, sum: n.sum()}
	}
	in := func(e edit, edits ...edit) edit { e.edits = edits; return e }
	first := at("3", 1)
	inner := edit{op: opIn, index: 0, sum: Parse([]byte(value), nested).doc.get(valueKey).get("3").kids[1].n.kids[0].n.sum()}
	all = append(all, limit{"collections in collections", nested, value, []*Patch{
		inValue(t, []string{"1"}, in(at("1", 0), set("c", "\x10\x01"))),
		inValue(t, []string{"1"}, in(at("1", 0), edit{op: opInside, key: "a", edits: two}, set("c", "\x10\x01"))),
		inValue(t, []string{"1"}, in(at("1", 0), edit{op: opDelete, key: "a"})),
		inValue(t, []string{"1"}, edit{op: opInsert, index: 0, values: [][]byte{[]byte(record(1, []byte(entry("a", "\x10\x01"))))}}),
		inValue(t, []string{"1"}, in(at("1", 0), edit{op: opInside, key: "a", edits: two}, set("c", "\x10\x01"))),
		inValue(t, []string{"3"}, in(first, in(inner, set("z", "\x10\x01")))),
		inValue(t, []string{"2", "m"}, set("b", "\x10\x01")),
		inValue(t, []string{"2", "m"}, edit{op: opInside, key: "a", edits: two}), // nothing: it is a leaf now
		inValue(t, nil, edit{op: opDelete, key: "2"}),
		inValue(t, []string{"2", "n", "k"}, edit{op: opInsert, values: [][]byte{{0x10, 1}, {0x10, 2}}}), // all new
		inValue(t, []string{"2", "n", "k"}, edit{op: opInsert, values: [][]byte{{0x10, 3}}}),
	}, "..........."})

	// Protobuf with as many nodes as can be.
	flat := mustSchema(Protobuf, "", Type{Kind: Record, Fields: []Field{{"1", 2}, {"2", 1}, {"3", 3}}}, Type{Kind: Sequence}, Type{Kind: List, Keys: []string{"2"}, Elem: 1})
	fill := func(n int) string { return strings.Repeat("\x08\x01", n) }
	one := edit{op: opInsert, index: 0, values: [][]byte{{8, 1}}}
	all = append(all, limit{"nodes of protobuf", flat, fill(MaxNodes-12) + record(2, []byte(fill(7))), []*Patch{
		inValue(t, []string{"1"}, one),
		inValue(t, []string{"2"}, edit{op: opInside, key: "1", edits: []edit{one}}),
		inValue(t, []string{"1"}, one),
		inValue(t, []string{"1"}, edit{op: opCut, index: 0, count: 1, sum: sumOf([]kid{{n: &node{raw: []byte{8, 1}}}})}),
		inValue(t, []string{"1"}, one),
		inValue(t, []string{"1"}, one),
		inValue(t, nil, set("2", record(2, []byte(fill(MaxNodes+1))))), // nothing: it is none
	}, ".....x."})
	// A list with a message in a key field is one leaf, but the nodes that it takes to see that count.
	all = append(all, limit{"nodes used for what is a leaf", flat, fill(MaxNodes-20) + record(3, []byte(record(2, []byte(fill(12))))), []*Patch{
		inValue(t, []string{"1"}, one),
		inValue(t, []string{"1"}, edit{op: opInsert, index: 0, values: [][]byte{{8, 1}, {8, 1}, {8, 1}}}),
		inValue(t, []string{"1"}, one),
		inValue(t, []string{"1"}, one),
	}, "...x"})
	return all
}

// TestApplyBounds holds Apply to its definition at every bound.
func TestApplyBounds(t *testing.T) {
	for _, l := range limits(t) {
		fast := Parse([]byte(l.value), l.schema)
		if fast.Opaque() {
			t.Errorf("%s: opaque", l.name)
			continue
		}
		slow, got := fast, ""
		for i, p := range l.patches {
			if _, err := Apply(fast, p); err != nil {
				got += "x"
			} else {
				got += "."
			}
			var err error
			if fast, slow, err = checkApply(fast, slow, p); err != nil {
				t.Fatalf("%s: patch %d: %.2000s", l.name, i, err.Error())
			}
		}
		if got != l.fails {
			t.Errorf("%s: patches do %s, want %s", l.name, got, l.fails)
		}
		if string(fast.Value()) != string(slow.Value()) {
			t.Errorf("%s: the value differs", l.name)
		}
	}
}

// TestApplyHolds: leaves that a patch leaves behind do not keep what is gone
// from being freed for ever.
func TestApplyHolds(t *testing.T) {
	tree := Parse([]byte(`{}`), nil)
	for i := range 40 {
		key := fmt.Sprintf("k%02d", i)
		for _, p := range []*Patch{
			inValue(t, nil, edit{op: opSet, key: key, value: fmt.Appendf(nil, `["%d",%q]`, i, strings.Repeat("x", MaxValue/2))}),
			inValue(t, []string{key}, edit{op: opCut, index: 1, count: 1, sum: (&node{raw: fmt.Appendf(nil, "%q", strings.Repeat("x", MaxValue/2))}).sum()}),
		} {
			var err error
			if tree, err = Apply(tree, p); err != nil {
				t.Fatal(err)
			}
			if tree.holdsTooMuch() || tree.held > 4*(MaxValue+1024) {
				t.Fatalf("a value of %d bytes holds %d", tree.Size(), tree.held)
			}
		}
	}
	if tree.Size() > 1000 {
		t.Errorf("a value of %d bytes", tree.Size())
	}
}

// TestApplyWide: the same of containers of hundreds of children, in chunks of
// the length that they have.
func TestApplyWide(t *testing.T) {
	for _, k := range benches() {
		const n = 700
		fast := Parse(k.value(n), k.schema)
		slow := fast
		for name, e := range k.edits {
			for i := range 30 {
				var err error
				if fast, slow, err = checkApply(fast, slow, inValue(t, nil, e(i, n))); err != nil {
					t.Fatalf("%s: %s %d: %.2000s", k.name, name, i, err.Error())
				}
			}
		}
		if err := sameSums(fast.doc.get(valueKey)); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		// Many at once.
		for name, e := range k.edits {
			if k.name == "sequence" || name == "reorder" {
				continue
			}
			var edits []edit
			for i := range 300 {
				if one := e(2*i, n); len(one.edits) > 0 && one.key == "1" {
					edits = append(edits, one.edits...)
				} else {
					edits = append(edits, one)
				}
			}
			slices.SortFunc(edits, func(a, b edit) int { return strings.Compare(a.key, b.key) })
			edits = slices.CompactFunc(edits, func(a, b edit) bool { return a.key == b.key })
			p := inValue(t, nil, edits...)
			if k.name == "protobuf" {
				p = inValue(t, []string{"1"}, edits...)
			}
			var err error
			if fast, slow, err = checkApply(fast, slow, p); err != nil {
				t.Fatalf("%s: many %s: %.2000s", k.name, name, err.Error())
			}
		}
	}
}
