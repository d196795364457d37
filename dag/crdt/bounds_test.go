package crdt

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestOpaque holds values that are only ever replaced whole, and some that
// nearly are.
func TestOpaque(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name   string
		value  string
		schema *Schema
		opaque bool
	}{
		{"nothing", "", nil, true},
		{"two values", "1 2", nil, true},
		{"a leading zero", "01", nil, true},
		{"not UTF-8", "\"\xff\"", nil, true},
		{"a control character", "\"\n\"", nil, true},
		{"white space in the middle", `{"a" :1}`, nil, true},
		{"two kinds of layout", "{\n \"a\": [1,2]\n}", nil, true},
		{"two newlines at the end", "{}\n\n", nil, true},
		{"nested as deep as can be", deep(MaxDepth + 1), nil, false},
		{"nested too deeply", deep(MaxDepth + 2), nil, true},
		{"as many nodes as can be", "[1" + strings.Repeat(",1", MaxNodes-2) + "]", nil, false},
		{"too many nodes", "[1" + strings.Repeat(",1", MaxNodes-1) + "]", nil, true},
		{"as long as can be", `"` + strings.Repeat("x", MaxValue-2) + `"`, nil, false},
		{"too long", `"` + strings.Repeat("x", MaxValue-1) + `"`, nil, true},
		{"another prefix", "k8t\x00", corpora[2].schema, true},
		{"fields out of order", "k8s\x00\x10\x01\x08\x01", corpora[2].schema, true},
		{"a group", "k8s\x00\x0b\x0c", corpora[2].schema, true},
		{"an empty message", "k8s\x00", corpora[2].schema, false},
		{"an unknown schema", "{}", Opaque, true},
	} {
		if got := Parse([]byte(c.value), c.schema).Opaque(); got != c.opaque {
			t.Errorf("%s: opaque is %v, want %v", c.name, got, c.opaque)
		}
	}
}

// TestRefusals holds one fault for each way in which bytes are no patch or schema.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want error
	}{
		{"nothing", "", ErrPatch},
		{"another version", "\x82\x01\x80", ErrPatch},
		{"an unknown edit", "\x82\x00\x81\x82\x09\x00", ErrPatch},
		{"an element more", "\x82\x00\x81\x83\x00\x41a\x00", ErrPatch},
		{"a long number", "\x82\x00\x81\x82\x18\x00\x41a", ErrPatch},
		{"keys out of order", "\x82\x00\x82\x82\x00\x41b\x82\x00\x41a", ErrPatch},
		{"a key twice", "\x82\x00\x82\x82\x00\x41a\x82\x00\x41a", ErrPatch},
		{"a reorder that is not last", "\x82\x00\x82\x82\x04\x80\x82\x00\x41a", ErrPatch},
		{"names and indexes", "\x82\x00\x82\x82\x00\x41a\x83\x08\x00\x81\x411", ErrPatch},
		{"a cut of nothing", "\x82\x00\x81\x84\x05\x00\x00\x00", ErrPatch},
		{"cuts that overlap", "\x82\x00\x82\x84\x05\x00\x02\x00\x84\x05\x01\x01\x00", ErrPatch},
		{"something left", "\x82\x00\x80\x00", ErrPatch},
		{"nested too deeply", "\x82\x00\x81" + strings.Repeat("\x83\x03\x41a\x81", MaxDepth+1) + "\x82\x00\x41a", ErrLimit},
		{"too long", strings.Repeat("\x00", MaxPatch+1), ErrLimit},
	} {
		if _, err := DecodePatch([]byte(c.in)); !errors.Is(err, c.want) {
			t.Errorf("DecodePatch of %s = %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name  string
		types []Type
	}{
		{"no type", nil},
		{"an unknown kind", []Type{{Kind: 8}}},
		{"an unknown rule", []Type{{Kind: Leaf, Rule: 5}}},
		{"a reference beyond the table", []Type{{Kind: Map, Elem: 2}}},
		{"a list without keys", []Type{{Kind: List, Elem: 0}}},
		{"a list of sets", []Type{{Kind: List, Keys: []string{"a"}, Elem: 2}, {Kind: Set}}},
		{"JSON in JSON", []Type{{Kind: JSONInBytes}}},
		{"fields out of order", []Type{{Kind: Record, Fields: []Field{{"b", 0}, {"a", 0}}}}},
	} {
		if _, err := NewSchema(JSON, nil, c.types); !errors.Is(err, ErrSchema) {
			t.Errorf("NewSchema of %s: %v, want %v", c.name, err, ErrSchema)
		}
	}
	if _, err := NewSchema(Protobuf, nil, []Type{{Kind: Record, Fields: []Field{{"a", 0}}}}); !errors.Is(err, ErrSchema) {
		t.Errorf("NewSchema of a field without a number: %v, want %v", err, ErrSchema)
	}
}

// TestManyBranches: a thousand writes that saw nothing of each other, each
// adding to the same containers, all arrive in the value.
func TestManyBranches(t *testing.T) {
	s := corpora[1].schema
	base := `{"l":[{"n":0}],"m":{"a":1},"q":[0],"s":[0]}`
	const n = 1000
	var edits []string
	for i := 1; i <= n; i++ {
		edits = append(edits, fmt.Sprintf(`{"l":[{"n":0},{"n":%d}],"m":{"a":1,"b%d":%d},"q":[0,%d],"s":[0,%d]}`, i, i, i, i, i))
	}
	h := NewHistory()
	first := Position{Depth: 1}
	h.Add(Write{Position: first, Incarnation: first, Schema: s, Value: []byte(base)}, nil)
	for i, e := range edits {
		p, ok := Diff(Parse([]byte(base), s), Parse([]byte(e), s))
		if !ok {
			t.Fatal("no patch")
		}
		h.Add(Write{Position: Position{Depth: 2, Op: [32]byte{byte(i >> 8), byte(i)}}, Incarnation: first, Kind: Patched, Patch: p}, func(k int) bool { return k == 0 })
	}
	r := h.Value()
	for _, name := range []string{"l", "m", "q", "s"} {
		if got := len(r.Tree.doc.get(valueKey).get(name).kids); got != n+1 {
			t.Errorf("%s has %d children, want %d", name, got, n+1)
		}
	}
	if c := h.Conflicts(); len(c) > 0 {
		t.Errorf("%d conflicts, want none", len(c))
	}
}

// TestTooLarge: two additions of a megabyte merge; three do not, and the
// greatest write stands.
func TestTooLarge(t *testing.T) {
	big := func(name string) string { return fmt.Sprintf(`{%q:%q}`, name, strings.Repeat("x", MaxValue/2-100)) }
	h := concurrently(nil, `{}`, []string{big("a"), big("b")})
	if r := h.Value(); !r.Merged || len(r.Tree.Value()) < MaxValue-1000 {
		t.Errorf("two additions: merged is %v, %d bytes", r.Merged, len(r.Tree.Value()))
	}
	h = concurrently(nil, `{}`, []string{big("a"), big("b"), big("c")})
	if r := h.Value(); r.Merged || string(r.Tree.Value()) != big("c") {
		t.Errorf("three additions: merged is %v, %d bytes", r.Merged, len(r.Tree.Value()))
	}
	// Arrays of many small items, each cut and extended in the middle.
	items := "[0" + strings.Repeat(",0", MaxNodes/4) + "]"
	h = concurrently(nil, items, []string{"[1," + items[1:], items[:len(items)-1] + ",2]", "[" + items[3:]})
	if r := h.Value(); !r.Merged {
		t.Error("long arrays are not merged")
	}
}
