package crdt

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// Format is how a value's bytes are read.
type Format uint8

// Formats of values.
const (
	JSON     Format = 0 // a JSON text
	Protobuf Format = 1 // the protobuf wire format after the schema's prefix
)

// Kind says what a [Type] is in the tree (docs/merge.md section 3).
type Kind uint8

// Kinds of types.
const (
	Leaf        Kind = 1 // assigned as a whole, whatever is inside; Rule says how concurrent ones merge
	Record      Kind = 2 // an object or message of Fields; a delete takes the whole
	Map         Kind = 3 // a collection of Elem by name: a JSON object, a protobuf map with text keys
	List        Kind = 4 // a collection of Elem, records or leaves, identified by their fields Keys
	Set         Kind = 5 // a collection of scalars
	Sequence    Kind = 6 // a collection of Elem by place
	JSONInBytes Kind = 7 // a bytes field of a message whose content is the compact JSON text of an Elem
)

// Rule says which of several concurrent assignments of a leaf is visible.
type Rule uint8

// Rules of leaves.
const (
	Greatest  Rule = 0 // the greatest in the order of writes
	WriteOnce Rule = 1 // the least in the order of writes
	Max       Rule = 2 // the greatest integer; of others the greatest text
	Counter   Rule = 3 // the greatest, and what the others added to what they saw
	Pin       Rule = 4 // values that differ here are never merged: the last writer's stands whole
)

// String returns the rule's name.
func (r Rule) String() string {
	names := [...]string{"greatest", "write-once", "max", "counter", "pin"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("rule-%d", uint8(r))
}

// A TypeRef names a type of a schema: 0 is the default (in JSON objects are
// records, arrays sequences and scalars leaves, all of the default type; in
// protobuf a leaf), n is Types[n-1].
type TypeRef uint32

// A Field is a named member of a record. In protobuf the name is the field
// number in decimal.
type Field struct {
	Name string
	Type TypeRef
}

// A Type is one entry of a schema's table. Fields that its kind does not use are zero.
type Type struct {
	Kind   Kind
	Rule   Rule     // of Leaf
	Fields []Field  // of Record, ascending by name; others have the default type
	Keys   []string // of List: one or more fields of the item, in this order
	Elem   TypeRef  // of Map, List, Sequence and JSONInBytes
}

// A Schema says how values merge: which format, and which rule at which path.
// It does not change once made, and is known by the hash of its encoding. The
// nil schema is [JSON] with the default type everywhere.
type Schema struct {
	format   Format
	prefix   []byte // before the message; only of Protobuf
	types    []Type
	encoding []byte
	id       [32]byte
	opaque   bool
}

// Opaque is the schema of values that are never merged: what a node uses for a
// schema that it cannot decode. It has no encoding; its ID is all zero but for
// the last byte.
var Opaque = &Schema{opaque: true, id: [32]byte{31: 1}}

// schemaVersion is the first element of a schema's encoding.
const schemaVersion = 0

// NewSchema makes a schema whose values' type is types[0]. The prefix is what
// precedes the message, empty in JSON. Errors wrap [ErrSchema] or [ErrLimit].
func NewSchema(format Format, prefix []byte, types []Type) (*Schema, error) {
	b := dagcbor.AppendArray(nil, 4)
	b = dagcbor.AppendUint(b, schemaVersion)
	b = dagcbor.AppendUint(b, uint64(format))
	b = dagcbor.AppendBytes(b, prefix)
	b = dagcbor.AppendArray(b, len(types))
	for i := range types {
		b = types[i].append(b)
	}
	return DecodeSchema(b)
}

func (t *Type) append(b []byte) []byte {
	text := func(b []byte, s string) []byte { return dagcbor.AppendText(b, strings.ToValidUTF8(s, "")) }
	n := 2
	switch t.Kind {
	case List:
		n = 3
	case Set:
		n = 1
	}
	b = dagcbor.AppendArray(b, n)
	b = dagcbor.AppendUint(b, uint64(t.Kind))
	switch t.Kind {
	case Leaf:
		return dagcbor.AppendUint(b, uint64(t.Rule))
	case Record:
		b = dagcbor.AppendArray(b, len(t.Fields))
		for _, f := range t.Fields {
			b = text(dagcbor.AppendArray(b, 2), f.Name)
			b = dagcbor.AppendUint(b, uint64(f.Type))
		}
		return b
	case List:
		b = dagcbor.AppendArray(b, len(t.Keys))
		for _, k := range t.Keys {
			b = text(b, k)
		}
	case Set:
		return b
	}
	return dagcbor.AppendUint(b, uint64(t.Elem))
}

// DecodeSchema parses an encoded schema. Errors wrap [ErrSchema] or [ErrLimit].
func DecodeSchema(b []byte) (*Schema, error) {
	if len(b) > MaxSchema {
		return nil, fmt.Errorf("%w: a schema of %d bytes", ErrLimit, len(b))
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(4)
	version, format := d.Uint(), d.Uint()
	prefix := d.Bytes(64)
	n := d.Array(MaxTypes)
	switch {
	case d.Err() != nil:
	case version != schemaVersion:
		d.Fail(fmt.Errorf("version %d", version))
	case format > uint64(Protobuf) || format == uint64(JSON) && len(prefix) > 0:
		d.Fail(fmt.Errorf("format %d with a prefix of %d bytes", format, len(prefix)))
	case n == 0:
		d.Fail(fmt.Errorf("no types"))
	}
	s := &Schema{format: Format(format), prefix: slices.Clone(prefix), encoding: slices.Clone(b)}
	for range n {
		if d.Err() != nil {
			break
		}
		s.types = append(s.types, readType(d, n))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	for i := range s.types {
		if err := s.check(&s.types[i]); err != nil {
			return nil, fmt.Errorf("%w: type %d: %w", ErrSchema, i+1, err)
		}
	}
	s.id = sha256.Sum256(b)
	return s, nil
}

func readType(d *dagcbor.Decoder, types int) (t Type) {
	ref := func() TypeRef {
		r := d.Uint()
		if r > uint64(types) {
			d.Fail(fmt.Errorf("no type %d", r))
			return 0
		}
		return TypeRef(r)
	}
	n := d.Array(3)
	kind := d.Uint()
	if kind < uint64(Leaf) || kind > uint64(JSONInBytes) {
		d.Fail(fmt.Errorf("kind %d", kind))
		return Type{}
	}
	t.Kind = Kind(kind)
	want := 2
	switch t.Kind {
	case Leaf:
		rule := d.Uint()
		if rule > uint64(Pin) {
			d.Fail(fmt.Errorf("rule %d", rule))
		}
		t.Rule = Rule(rule)
	case Record:
		fields := d.Array(MaxTypes)
		for i := range fields {
			d.Tuple(2)
			f := Field{Name: d.Text(1024), Type: ref()}
			if d.Err() != nil {
				break
			}
			if i > 0 && f.Name <= t.Fields[i-1].Name {
				d.Fail(fmt.Errorf("fields do not ascend"))
			}
			t.Fields = append(t.Fields, f)
		}
	case List:
		want = 3
		for range d.Array(16) {
			t.Keys = append(t.Keys, d.Text(1024))
		}
		t.Elem = ref()
	case Set:
		want = 1
	default:
		t.Elem = ref()
	}
	if d.Err() == nil && n != want {
		d.Fail(fmt.Errorf("%d elements of a type of kind %d", n, kind))
	}
	return t
}

// check holds what a type needs beyond its encoding, so that every schema means something.
func (s *Schema) check(t *Type) error {
	switch t.Kind {
	case List:
		if len(t.Keys) == 0 {
			return fmt.Errorf("a list without keys")
		}
		if e := s.at(t.Elem); e != nil && e.Kind != Record && e.Kind != Leaf {
			return fmt.Errorf("items of a list are neither records nor leaves")
		}
	case JSONInBytes:
		if e := s.at(t.Elem); s.format != Protobuf || e != nil && e.Kind == JSONInBytes {
			return fmt.Errorf("JSON in bytes within JSON")
		}
	case Record:
		if s.format == JSON {
			break
		}
		for _, f := range t.Fields {
			if n, ok := fieldNumber(f.Name); !ok || n > maxFieldNumber {
				return fmt.Errorf("field %q is not a field number", f.Name)
			}
		}
	}
	return nil
}

// Encoding returns the encoding of s, which must not be changed; nil for the
// nil schema and [Opaque].
func (s *Schema) Encoding() []byte {
	if s == nil {
		return nil
	}
	return s.encoding
}

// ID returns the sha2-256 hash of the encoding, all zero for the nil schema.
func (s *Schema) ID() [32]byte {
	if s == nil {
		return [32]byte{}
	}
	return s.id
}

func (s *Schema) formatOf() Format {
	if s == nil {
		return JSON
	}
	return s.format
}

func (s *Schema) at(r TypeRef) *Type {
	if r == 0 {
		return nil
	}
	return &s.types[r-1]
}

// A place is the type of one place of a tree, with the format it is written in.
type place struct {
	s    *Schema
	ref  TypeRef
	role role
	json bool // written as JSON
}

// documentOf returns the place of a document with schema s.
func documentOf(s *Schema) place { return place{s: s, role: document, json: s.formatOf() == JSON} }

// role tells places apart that no type of a schema describes.
type role uint8

const (
	typed    role = iota
	document      // the pair of style and value
	plain         // a leaf with the rule Greatest
)

// The names of a document's two members. What is between people and the tree
// shows the value's path only.
const (
	styleKey = "style"
	valueKey = "value"
)

// typ returns the type of p, nil for the default.
func (p place) typ() *Type {
	if p.role != typed || p.s == nil {
		return nil
	}
	return p.s.at(p.ref)
}

// inner returns p, or what is inside if p is JSON in bytes.
func (p place) inner() place {
	if t := p.typ(); t != nil && t.Kind == JSONInBytes {
		return place{s: p.s, ref: t.Elem, json: true}
	}
	return p
}

// child returns the place of the child of that name.
func (p place) child(key string) place {
	p = p.inner()
	if p.role == document {
		switch {
		case key != valueKey:
			return place{role: plain, json: p.json}
		case p.s == nil:
			return place{json: true}
		}
		return place{s: p.s, ref: 1, json: p.json}
	}
	t := p.typ()
	if t == nil {
		return place{s: p.s, json: p.json}
	}
	switch t.Kind {
	case Record:
		i, ok := slices.BinarySearchFunc(t.Fields, key, func(f Field, key string) int { return strings.Compare(f.Name, key) })
		if ok {
			return place{s: p.s, ref: t.Fields[i].Type, json: p.json}
		}
		return place{s: p.s, json: p.json}
	case Set:
		return place{role: plain, json: p.json}
	}
	return place{s: p.s, ref: t.Elem, json: p.json}
}

// collection returns the kind of node that p always holds if it is a
// collection, which exists through its members (docs/merge.md section 3).
func (p place) collection() (k kind, ok bool) {
	if t := p.inner().typ(); t != nil {
		switch t.Kind {
		case Map:
			return mapping, true
		case List:
			return list, true
		case Set:
			return set, true
		case Sequence:
			return sequence, true
		}
	}
	return leaf, false
}

// rule returns the rule of a leaf at p.
func (p place) rule() Rule {
	if t := p.typ(); t != nil && t.Kind == Leaf {
		return t.Rule
	}
	return Greatest
}

// keys returns the fields that identify items at p.
func (p place) keys() []string {
	if t := p.inner().typ(); t != nil {
		return t.Keys
	}
	return nil
}
