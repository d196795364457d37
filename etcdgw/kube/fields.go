package kube

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// fields.txt holds what the fields of protobuf are called, of the kinds that
// are stored in it:
//
//	kind APIVERSION KIND TYPE   the objects of a kind are of that type
//	type TYPE                   begins a type; its fields follow
//	NAME NUMBER FORM            a field: its name in JSON, its number in protobuf
//	NAME? NUMBER FORM           the same, and JSON leaves it out where it is zero
//	inline NUMBER TYPE          fields that JSON has among the others, and protobuf in a message
//
// A form is
//
//	text | bytes | bool | int | uint | double
//	time | microtime | duration | quantity | intorstring   messages that are one value in JSON
//	json                                          a message with a JSON text
//	record TYPE                                   a message
//	list FORM | map FORM                          repeated; by a text
//	message FORM                                  a message around field 1 of that form
//
//go:embed fields.txt
var fieldNames string

// A naming is what fields.txt says.
type naming struct {
	kinds map[kind]string
	types map[string][]named
}

// A named field is one line of a type.
type named struct {
	name   string // empty if inline
	number int
	zero   bool // left out where it is zero
	form   form
}

// A form is how a value is held. Of the rest only what its word needs is set.
type form struct {
	word string
	typ  string // of record
	elem *form  // of list, map and message
}

// names is the table of the built-in kinds, read once.
var names = sync.OnceValue(func() *naming {
	n, err := parseNames(fieldNames)
	if err != nil {
		panic(err) // generated and tested
	}
	return n
})

// parseNames reads a table.
func parseNames(text string) (*naming, error) {
	n := &naming{kinds: make(map[kind]string), types: make(map[string][]named)}
	current := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "kind" && len(words) == 4:
			n.kinds[kind{words[1], words[2]}] = words[3]
		case words[0] == "type" && len(words) == 2:
			current = words[1]
			n.types[current] = nil
		case len(words) < 3:
			return nil, fmt.Errorf("kube: %q is no field", line)
		default:
			number, err := strconv.Atoi(words[1])
			if err != nil {
				return nil, fmt.Errorf("kube: %q is no field: %w", line, err)
			}
			f := named{number: number, form: form{word: "record", typ: words[2]}}
			if words[0] != "inline" {
				f.name, f.zero = strings.CutSuffix(words[0], "?")
				if f.form, err = parseForm(words[2:]); err != nil {
					return nil, fmt.Errorf("kube: %q is no field: %w", line, err)
				}
			}
			n.types[current] = append(n.types[current], f)
		}
	}
	return n, n.check()
}

// check holds that all types that are referred to are there.
func (n *naming) check() error {
	for k, typ := range n.kinds {
		if _, ok := n.types[typ]; !ok {
			return fmt.Errorf("kube: %v is of type %q, which has no fields", k, typ)
		}
	}
	for typ, fields := range n.types {
		for _, f := range fields {
			inner := &f.form
			for inner.elem != nil {
				inner = inner.elem
			}
			if _, ok := n.types[inner.typ]; inner.word == "record" && !ok {
				return fmt.Errorf("kube: %s has a field of type %q, which has no fields", typ, inner.typ)
			}
		}
	}
	return nil
}

func parseForm(words []string) (f form, err error) {
	if len(words) == 0 {
		return f, fmt.Errorf("a form is missing")
	}
	f.word, words = words[0], words[1:]
	switch f.word {
	case "text", "bytes", "bool", "int", "uint", "double", "time", "microtime", "duration", "quantity", "intorstring", "json":
	case "record":
		if len(words) == 0 {
			return f, fmt.Errorf("record of no type")
		}
		f.typ, words = words[0], words[1:]
	case "list", "map", "message":
		elem, err := parseForm(words)
		if err != nil {
			return f, err
		}
		f.elem, words = &elem, nil
	default:
		return f, fmt.Errorf("no form is called %q", f.word)
	}
	if len(words) > 0 {
		return f, fmt.Errorf("%q follows a form", words)
	}
	return f, nil
}
