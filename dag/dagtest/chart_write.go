package dagtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// A chartSchema is a schema that a chart can name; the zero value is plain JSON.
type chartSchema struct {
	schema *crdt.Schema
	bytes  []byte // that operations carry
}

func (s *chartSchema) id() dag.SchemaID {
	if s.bytes != nil {
		return dag.SchemaIDOf(s.bytes)
	}
	return s.schema.ID()
}

// newChartSchema makes a schema of words: fields of an object, each with its
// type, or !bytes.
func newChartSchema(words []string) (*chartSchema, error) {
	if len(words) == 1 && strings.HasPrefix(words[0], "!") {
		b := []byte(words[0][1:])
		s, err := crdt.DecodeSchema(b)
		if err != nil {
			s = crdt.Opaque
		}
		return &chartSchema{s, b}, nil
	}
	types := []crdt.Type{{Kind: crdt.Record}}
	for _, word := range words {
		name, text, _ := strings.Cut(word, ":")
		text, key, _ := strings.Cut(text, "/")
		t := crdt.Type{Kind: crdt.Leaf}
		switch text {
		case "leaf":
		case "once":
			t.Rule = crdt.WriteOnce
		case "max":
			t.Rule = crdt.Max
		case "counter":
			t.Rule = crdt.Counter
		case "pin":
			t.Rule = crdt.Pin
		case "map":
			t.Kind = crdt.Map
		case "set":
			t.Kind = crdt.Set
		case "sequence":
			t.Kind = crdt.Sequence
		case "list":
			types = append(types, crdt.Type{Kind: crdt.Record})
			t = crdt.Type{Kind: crdt.List, Keys: []string{key}, Elem: crdt.TypeRef(len(types))}
		default:
			return nil, fmt.Errorf("%q is no field of a schema", word)
		}
		types = append(types, t)
		types[0].Fields = append(types[0].Fields, crdt.Field{Name: name, Type: crdt.TypeRef(len(types))})
	}
	slices.SortFunc(types[0].Fields, func(a, b crdt.Field) int { return strings.Compare(a.Name, b.Name) })
	s, err := crdt.NewSchema(crdt.JSON, nil, types)
	if err != nil {
		return nil, err
	}
	return &chartSchema{s, s.Encoding()}, nil
}

// write returns the write that an item in braces describes.
func (c *Chart) write(item string) (w dag.Write, err error) {
	if rest, ok := strings.CutPrefix(item, "-"); ok {
		if key, end, ok := strings.Cut(rest, ".."); ok {
			return DeleteRange(key, end), nil
		}
		w.Kind = dag.DeleteObserved
		if rest, ok = strings.CutPrefix(rest, "-"); ok {
			w.Kind = dag.DeleteFinal
		}
		_, err = c.place(&w, rest)
		return w, err
	}
	i := strings.IndexAny(item, "=~")
	if i < 0 {
		return w, fmt.Errorf("%q is not a write", item)
	}
	s, err := c.place(&w, item[:i])
	if err != nil {
		return w, err
	}
	if item[i] == '=' {
		w.Value, err = c.text(item[i+1:])
		w.Schema = s.id()
		return w, err
	}
	w.Kind = dag.Patch
	before, after, ok := strings.Cut(item[i+1:], ">")
	if !ok {
		return w, fmt.Errorf("%q has no new value behind >", item)
	}
	from, err := c.text(before)
	if err != nil {
		return w, err
	}
	to, err := c.text(after)
	if err != nil {
		return w, err
	}
	p, ok := crdt.Diff(crdt.Parse(from, s.schema), crdt.Parse(to, s.schema))
	if !ok {
		return w, fmt.Errorf("no patch makes %q of %q", to, from)
	}
	w.Value = p.Encoding()
	return w, nil
}

// place fills in key and incarnation of a write, key[#op][@schema], and returns the schema.
func (c *Chart) place(w *dag.Write, text string) (*chartSchema, error) {
	text, name, _ := strings.Cut(text, "@")
	s := c.schemas[name]
	if s == nil {
		return nil, fmt.Errorf("no schema %q so far", name)
	}
	key, name, named := strings.Cut(text, "#")
	w.Key = []byte(key)
	if !named {
		return s, nil
	}
	o := c.ops[name]
	if o == nil {
		return nil, fmt.Errorf("no op %q so far", name)
	}
	for i, t := range o.Transactions() {
		for k := range t {
			if t[k].Kind.Puts() && string(t[k].Key) == key {
				w.Incarnation = resolved(o, uint32(i), uint32(k))
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("op %s does not put %s", name, key)
}

// text returns a value: as it stands, or the text that $name names.
func (c *Chart) text(value string) ([]byte, error) {
	name, named := strings.CutPrefix(value, "$")
	if !named {
		return []byte(value), nil
	}
	text, ok := c.texts[name]
	if !ok {
		return nil, fmt.Errorf("no text %q so far", name)
	}
	return []byte(text), nil
}
