package crdt

import (
	"bytes"
	"sync"
)

// A Tree is a value and the view of it as a tree. It does not change once
// made, and may be shared between goroutines.
type Tree struct {
	schema *Schema
	doc    *node // the pair of style and value; nil if the value is opaque
	size   int   // bytes of the value
	held   int   // at most so many bytes does the tree keep from being freed
	pins   *pins

	encode sync.Once
	value  []byte // nil until it is asked for, of a tree that Apply made
}

// pins are the leaves that must be equal for values to merge. They are looked
// for once, when somebody asks, and shared by trees between which none changed.
type pins struct {
	look sync.Once
	text string
}

// Parse looks at a value as its schema says. It never fails: a value that does
// not encode back to its own bytes, or is beyond a bound, is opaque, which
// means that it is only ever replaced whole. The tree keeps the value, which
// must not change.
func Parse(value []byte, s *Schema) *Tree {
	t := &Tree{schema: s, value: value, size: len(value), held: len(value)}
	if s != nil && s.opaque || len(value) > MaxValue {
		return t
	}
	root := documentOf(s).child(valueKey)
	kids := make([]kid, 0, 2)
	if s.formatOf() == Protobuf {
		message, ok := bytes.CutPrefix(value, s.prefix)
		if tt := root.typ(); !ok || tt.Kind != Record {
			return t
		}
		n := parseWire(message, root)
		if n == nil {
			return t
		}
		kids = append(kids, kid{valueKey, n})
	} else {
		text, st, ok := scanJSON(value)
		if !ok {
			return t
		}
		n := parseJSON(text, root)
		if n == nil {
			return t
		}
		kids = append(kids, kid{styleKey, st.leaf()}, kid{valueKey, n})
	}
	t.doc = newContainer(mapping, kids)
	t.pins = &pins{}
	return t
}

// Value returns the bytes, which must not be changed: always the same ones. A
// tree that [Apply] made encodes them when it is asked for the first time.
func (t *Tree) Value() []byte {
	t.encode.Do(func() {
		if t.value == nil && t.doc != nil {
			t.value, _ = encode(t.doc, t.schema)
		}
	})
	return t.value
}

// Size returns the length of the value, without encoding it.
func (t *Tree) Size() int { return t.size }

// Schema returns the schema that the value was looked at with.
func (t *Tree) Schema() *Schema { return t.schema }

// Opaque reports whether the value is only ever replaced whole.
func (t *Tree) Opaque() bool { return t.doc == nil }

// treeOf returns the tree of a document that a patch or a merge made. It is
// nil if its bytes are beyond the bound or do not read as the same document.
func treeOf(doc *node, s *Schema) *Tree {
	value, ok := encode(doc, s)
	if !ok {
		return nil
	}
	t := Parse(value, s)
	if t.doc == nil {
		return nil
	}
	return t
}

// encode returns the bytes of a document; ok is false if they are longer than MaxValue.
func encode(doc *node, s *Schema) (value []byte, ok bool) {
	root := doc.get(valueKey)
	if root == nil {
		return nil, false
	}
	p := documentOf(s).child(valueKey)
	if s.formatOf() == Protobuf {
		if root.kind != mapping {
			return nil, false
		}
		value = root.appendMessage(append(value, s.prefix...), p)
		return value, len(value) <= MaxValue
	}
	st, ok := style{}, false
	if n := doc.get(styleKey); n != nil {
		st, ok = styleOf(n.raw)
	}
	if !ok {
		return nil, false
	}
	value = root.appendJSON(nil)
	if st != (style{}) {
		value = st.appendTo(make([]byte, 0, len(value)+len(value)/4), value)
	}
	return value, len(value) <= MaxValue
}

// pinned returns the leaves that must be equal for values to merge.
func (t *Tree) pinned() string {
	t.pins.look.Do(func() { t.pins.text = string(appendPins(nil, t.doc, documentOf(t.schema))) })
	return t.pins.text
}

// appendPins appends the leaves that must be equal for values to merge.
func appendPins(b []byte, n *node, p place) []byte {
	if n.kind == leaf {
		if p.rule() == Pin {
			b = append(append(b, n.raw...), 0)
		}
		return b
	}
	if !p.hasPins() {
		return b
	}
	for _, k := range n.list() {
		from := len(b)
		b = appendPins(b, k.n, p.child(k.key))
		if len(b) > from {
			b = append(append(b, k.key...), 0)
		}
	}
	return b
}

// hasPins reports whether a pin may lie at or below p. Pins are looked for in
// records only, so that the search costs nothing in long collections.
func (p place) hasPins() bool {
	if p.role == document {
		return true
	}
	t := p.inner().typ()
	return t != nil && t.Kind == Record
}
