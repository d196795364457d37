package crdt

import (
	"bytes"
	"testing"
)

// FuzzJSON: no text panics, and a tree encodes to the text it was made of,
// with a schema and without.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.50,-0,1e9,"x\u003c\n",null,true],"b":{}}`, "{\n  \"a\": [\n    1\n  ]\n}\n", `{"a": 1, "b": [2, 3]}`, `"s"`, `[]`,
		`{"a":1,"a":2}`, `{"\ud800":1}`, `{"l":[{"n":1,"k":2},{"n":1}],"s":["x","y"],"m":{"k":"v"},"c":4,"q":[{"x":1}]}`, `[01]`, `"` + "\xff" + `"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, co := range corpora[:2] {
			checkTree(t, value, co.schema)
		}
	})
}

// FuzzWire: the same for protobuf.
func FuzzWire(f *testing.F) {
	for _, s := range []string{"", "\x08\x01", "\x12\x02\x10\x05", "\x12\x05\x1a\x03\x0a\x01x", "\x12\x06\x22\x04\x0a\x01k\x12", "\x12\x04\x52\x02{}", "\x1a\x00\x22\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		checkTree(t, append([]byte("k8s\x00"), message...), corpora[2].schema)
	})
}

func checkTree(t *testing.T, value []byte, s *Schema) {
	t.Helper()
	tree := Parse(value, s)
	if tree.Opaque() {
		return
	}
	if got, ok := encode(tree.doc, s); !ok || !bytes.Equal(got, value) {
		t.Fatalf("%q encodes as %q", value, got)
	}
	if p, ok := Diff(tree, tree); !ok || len(p.edits) > 0 {
		t.Fatalf("%q differs from itself: %v", value, p)
	}
	if edits, ok := diff(tree.doc, tree.doc, s, true); !ok {
		t.Fatalf("%q cannot be assigned whole: %v", value, edits)
	}
}

// FuzzPatch: no patch panics, where it is read or applied; what is read has
// one encoding, and what is made of a value is mergeable.
func FuzzPatch(f *testing.F) {
	olds := []*Tree{
		Parse([]byte(`{"a":[1,2,{"b":3}],"c":{"d":"e"},"f":null}`), nil),
		Parse([]byte(`{"c":4,"l":[{"n":1,"k":2},{"n":1}],"m":{"k":"v"},"q":[{"x":1}],"s":["x","y"]}`), corpora[1].schema),
		Parse([]byte("k8s\x00\x08\x01\x12\x0f\x10\x05\x1a\x03\x0a\x01x\x22\x06\x0a\x01k\x12\x01v"), corpora[2].schema),
	}
	news := [][]byte{
		[]byte(`{"a":[1,5,{"b":4},6],"c":{},"g":null}`),
		[]byte(`{"l":[{"n":1},{"n":1,"k":2}],"c":5,"m":{"k":"w","j":"x"},"q":[],"s":["y","z"]}`),
		[]byte("k8s\x00\x08\x01\x12\x08\x10\x06\x1a\x04\x0a\x02xy"),
	}
	for i, old := range olds {
		p, ok := Diff(old, Parse(news[i], old.schema))
		if !ok {
			f.Fatalf("no patch from %q to %q", old.value, news[i])
		}
		f.Add(p.Encoding())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePatch(b)
		if err != nil {
			return
		}
		if again := newPatch(p.edits).encoding; !bytes.Equal(again, b) {
			t.Fatalf("%x encodes as %x", b, again)
		}
		for _, old := range olds {
			first := Position{Depth: 1}
			h := NewHistory()
			h.Add(Write{Position: first, Incarnation: first, Value: old.value, Schema: old.schema}, nil)
			made, err := Apply(old, p)
			for site := range byte(2) {
				w := Write{Position: Position{Depth: 2, Op: [32]byte{site}}, Kind: Patched, Incarnation: first, Patch: p}
				if _, counts := h.Add(w, func(n int) bool { return n == 0 }); counts != (err == nil) {
					t.Fatalf("counts is %v, but Apply says %v", counts, err)
				}
			}
			h.Conflicts()
			h.Blame()
			if r := h.Value(); r.Tree == nil || err == nil && made.Opaque() {
				t.Fatalf("no value of %q and %v", old.value, p)
			}
		}
	})
}

// FuzzSchema: no schema panics, where it is read or used; what is read has one
// encoding.
func FuzzSchema(f *testing.F) {
	for _, co := range corpora[1:] {
		f.Add(co.schema.Encoding(), []byte(`{"a":[1],"l":[{"n":1}],"s":["x"]}`))
	}
	f.Fuzz(func(t *testing.T, b, value []byte) {
		s, err := DecodeSchema(b)
		if err != nil {
			return
		}
		again, err := NewSchema(s.format, s.prefix, s.types)
		if err != nil || !bytes.Equal(again.Encoding(), b) || again.ID() != s.ID() {
			t.Fatalf("%x encodes as %x, %v", b, again.Encoding(), err)
		}
		checkTree(t, value, s)
		checkTree(t, append(bytes.Clone(s.prefix), value...), s)
	})
}
