package kube

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// schemas.txt holds how the built-in kinds merge, one table for both encodings:
//
//	kind APIVERSION KIND TYPE   the objects of a kind are records of that type
//	type TYPE                   begins a type; its fields follow
//	NAME NUMBER SHAPE           a field: its name in JSON, its number in protobuf
//	inline NUMBER TYPE          fields that JSON has among the others, and protobuf in a message
//
// Fields that are not named are scalars by the rule Greatest. A shape is
//
//	leaf | once | counter | pin   a leaf by the rule Greatest, WriteOnce, Counter, Pin, whatever it holds
//	set                           a set of scalars
//	managed                       what a manager owns (FieldsV1): maps in maps, in protobuf as JSON in bytes
//	record TYPE                   an object or message
//	map SHAPE                     by name
//	list NAME=NUMBER,… SHAPE      identified by these fields of the items; 0 is a field that protobuf has elsewhere
//
//go:embed schemas.txt
var builtin string

// A table is what schemas.txt says.
type table struct {
	kinds map[kind]string // the type of its objects
	types map[string][]field
}

// A kind is what an object says that it is.
type kind struct{ apiVersion, name string }

// A field is one line of a type.
type field struct {
	name   string // empty if inline
	number int    // in protobuf
	shape  shape
}

// A shape is how a field merges. Of the rest only what its word needs is set.
type shape struct {
	word string
	typ  string // of record, and of an inline field
	keys []key  // of list
	elem *shape // of map and list
}

// A key is a field that identifies items.
type key struct {
	name   string
	number int
}

// builtins is the table of the built-in kinds, read once.
var builtins = sync.OnceValue(func() *table {
	t, err := parseTable(builtin)
	if err != nil {
		panic(err) // generated and tested
	}
	return t
})

// parseTable reads a table.
func parseTable(text string) (*table, error) {
	t := &table{kinds: make(map[kind]string), types: make(map[string][]field)}
	current := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "kind" && len(words) == 4:
			t.kinds[kind{words[1], words[2]}] = words[3]
		case words[0] == "type" && len(words) == 2:
			current = words[1]
			t.types[current] = nil
		default:
			var f field
			if f, err = parseField(words); err == nil {
				t.types[current] = append(t.types[current], f)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("kube: line %d of the table: %w", n, err)
		}
	}
	return t, t.check()
}

// check holds that all types that are referred to are there.
func (t *table) check() error {
	for k, typ := range t.kinds {
		if _, ok := t.types[typ]; !ok {
			return fmt.Errorf("kube: %v is of type %q, which is not in the table", k, typ)
		}
	}
	for typ, fields := range t.types {
		for _, f := range fields {
			s := &f.shape
			for s.elem != nil {
				s = s.elem
			}
			if _, ok := t.types[s.typ]; s.word == "record" && !ok {
				return fmt.Errorf("kube: %s has a field of type %q, which is not in the table", typ, s.typ)
			}
		}
	}
	return nil
}

func parseField(words []string) (f field, err error) {
	if len(words) < 3 {
		return f, fmt.Errorf("%q is no field", words)
	}
	if f.number, err = strconv.Atoi(words[1]); err != nil {
		return f, err
	}
	if words[0] == "inline" {
		f.shape = shape{word: "record", typ: words[2]}
		return f, nil
	}
	f.name = words[0]
	f.shape, err = parseShape(words[2:])
	return f, err
}

func parseShape(words []string) (s shape, err error) {
	if len(words) == 0 {
		return s, fmt.Errorf("a shape is missing")
	}
	s.word = words[0]
	rest := words[1:]
	switch s.word {
	case "leaf", "once", "counter", "pin", "set", "managed":
	case "record":
		if len(rest) == 0 {
			return s, fmt.Errorf("record of no type")
		}
		s.typ, rest = rest[0], rest[1:]
	case "list":
		if len(rest) == 0 {
			return s, fmt.Errorf("list without keys")
		}
		for k := range strings.SplitSeq(rest[0], ",") {
			name, number, _ := strings.Cut(k, "=")
			n, err := strconv.Atoi(number)
			if err != nil {
				return s, err
			}
			s.keys = append(s.keys, key{name, n})
		}
		rest = rest[1:]
		fallthrough
	case "map":
		elem, err := parseShape(rest)
		if err != nil {
			return s, err
		}
		s.elem, rest = &elem, nil
	default:
		return s, fmt.Errorf("no shape is called %q", s.word)
	}
	if len(rest) > 0 {
		return s, fmt.Errorf("%q follows a shape", rest)
	}
	return s, nil
}
