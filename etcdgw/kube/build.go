package kube

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// protobufPrefix is what the API server puts before a runtime.Unknown.
const protobufPrefix = "k8s\x00"

// A builder makes the schema of one kind in one encoding. It numbers the types
// in the order in which it meets them, so that a schema, and so its ID,
// depends on nothing but what is reachable from its root.
type builder struct {
	table  *table
	format crdt.Format
	types  []crdt.Type
	refs   map[string]crdt.TypeRef // by spelling of the shape
}

// build returns the schema of objects of a type.
func build(t *table, root string, format crdt.Format) (*crdt.Schema, error) {
	b := &builder{table: t, format: format, refs: make(map[string]crdt.TypeRef)}
	if format == crdt.Protobuf {
		b.once("runtime.Unknown", func(crdt.TypeRef) crdt.Type {
			typeMeta := b.leaf(crdt.Pin)
			raw := b.ref(&shape{word: "record", typ: root})
			return crdt.Type{Kind: crdt.Record, Fields: []crdt.Field{{Name: "1", Type: typeMeta}, {Name: "2", Type: raw}}}
		})
		return crdt.NewSchema(format, []byte(protobufPrefix), b.types)
	}
	b.ref(&shape{word: "record", typ: root})
	pin := b.leaf(crdt.Pin)
	b.types[0].Fields = ascending(append(b.types[0].Fields, crdt.Field{Name: "apiVersion", Type: pin}, crdt.Field{Name: "kind", Type: pin}))
	return crdt.NewSchema(format, nil, b.types)
}

// once returns the type of that spelling, and makes it at its first use. The
// place is taken before fill is called, which may come back to it.
func (b *builder) once(spelling string, fill func(self crdt.TypeRef) crdt.Type) crdt.TypeRef {
	if r, ok := b.refs[spelling]; ok {
		return r
	}
	b.types = append(b.types, crdt.Type{})
	r := crdt.TypeRef(len(b.types))
	b.refs[spelling] = r
	made := fill(r)
	b.types[r-1] = made
	return r
}

func (b *builder) leaf(rule crdt.Rule) crdt.TypeRef {
	return b.once("leaf "+strconv.Itoa(int(rule)), func(crdt.TypeRef) crdt.Type {
		return crdt.Type{Kind: crdt.Leaf, Rule: rule}
	})
}

// ref returns the type of a shape.
func (b *builder) ref(s *shape) crdt.TypeRef {
	switch s.word {
	case "leaf":
		if b.format == crdt.Protobuf {
			return 0 // there the default
		}
		return b.leaf(crdt.Greatest)
	case "once":
		return b.leaf(crdt.WriteOnce)
	case "counter":
		return b.leaf(crdt.Counter)
	case "pin":
		return b.leaf(crdt.Pin)
	case "managed":
		return b.managed()
	}
	return b.once(s.spelling(), func(crdt.TypeRef) crdt.Type {
		switch s.word {
		case "set":
			return crdt.Type{Kind: crdt.Set}
		case "map":
			return crdt.Type{Kind: crdt.Map, Elem: b.ref(s.elem)}
		case "list":
			return b.list(s)
		}
		return crdt.Type{Kind: crdt.Record, Fields: ascending(b.fields(s.typ))}
	})
}

// managed is the type of FieldsV1: in JSON an object of objects, in protobuf a
// message whose only field has the text of one.
func (b *builder) managed() crdt.TypeRef {
	maps := func() crdt.TypeRef {
		return b.once("managed", func(self crdt.TypeRef) crdt.Type { return crdt.Type{Kind: crdt.Map, Elem: self} })
	}
	if b.format == crdt.JSON {
		return maps()
	}
	return b.once("managed in protobuf", func(crdt.TypeRef) crdt.Type {
		text := b.once("managed as text", func(crdt.TypeRef) crdt.Type { return crdt.Type{Kind: crdt.JSONInBytes, Elem: maps()} })
		return crdt.Type{Kind: crdt.Record, Fields: []crdt.Field{{Name: "1", Type: text}}}
	})
}

// list is a keyed list; a sequence where protobuf has a key deeper inside.
func (b *builder) list(s *shape) crdt.Type {
	t := crdt.Type{Kind: crdt.List}
	for _, k := range s.keys {
		switch {
		case b.format == crdt.JSON:
			t.Keys = append(t.Keys, k.name)
		case k.number == 0:
			return crdt.Type{Kind: crdt.Sequence, Elem: b.ref(s.elem)}
		default:
			t.Keys = append(t.Keys, strconv.Itoa(k.number))
		}
	}
	t.Elem = b.ref(s.elem)
	return t
}

// fields returns the fields of a type that are not of the default type.
func (b *builder) fields(typ string) []crdt.Field {
	var fields []crdt.Field
	for _, f := range b.table.types[typ] {
		switch {
		case b.format == crdt.JSON && f.name == "":
			fields = append(fields, b.fields(f.shape.typ)...)
		case b.format == crdt.JSON:
			fields = append(fields, crdt.Field{Name: f.name, Type: b.ref(&f.shape)})
		default:
			if r := b.ref(&f.shape); r != 0 {
				fields = append(fields, crdt.Field{Name: strconv.Itoa(f.number), Type: r})
			}
		}
	}
	return fields
}

// ascending sorts fields by name.
func ascending(fields []crdt.Field) []crdt.Field {
	slices.SortFunc(fields, func(a, b crdt.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// spelling tells shapes apart.
func (s *shape) spelling() string {
	switch s.word {
	case "record":
		return "record " + s.typ
	case "map":
		return "map " + s.elem.spelling()
	case "list":
		var b strings.Builder
		b.WriteString("list")
		for _, k := range s.keys {
			fmt.Fprintf(&b, " %s=%d", k.name, k.number)
		}
		return b.String() + ": " + s.elem.spelling()
	}
	return s.word
}
