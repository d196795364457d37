package dagtest

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// A ValueSchema is a merge schema of random values, with values that are written under it.
type ValueSchema struct {
	Schema *crdt.Schema // nil is plain JSON; crdt.Opaque also where Bytes do not decode
	Bytes  []byte       // what operations carry; empty of plain JSON and of opaque
	Values []string     // what is put, and what patches are made between
}

// ID returns the schema's ID in a write.
func (s *ValueSchema) ID() dag.SchemaID {
	if s.Bytes != nil {
		return dag.SchemaIDOf(s.Bytes)
	}
	return s.Schema.ID()
}

// Patch returns an encoded patch between two of the values, or false if none makes one of the other.
func (s *ValueSchema) Patch(from, to string) ([]byte, bool) {
	p, ok := crdt.Diff(crdt.Parse([]byte(from), s.Schema), crdt.Parse([]byte(to), s.Schema))
	if !ok {
		return nil, false
	}
	return p.Encoding(), true
}

// ValueSchemas returns what random worlds write: plain JSON, opaque values, JSON and
// protobuf under rules of their own, and a schema that does not decode. It
// makes them anew at each call.
func ValueSchemas() []ValueSchema {
	made := func(format crdt.Format, prefix string, types ...crdt.Type) *crdt.Schema {
		s, err := crdt.NewSchema(format, []byte(prefix), types)
		if err != nil {
			panic(err)
		}
		return s
	}
	rules := made(crdt.JSON, "",
		crdt.Type{Kind: crdt.Record, Fields: []crdt.Field{{Name: "kind", Type: 2}, {Name: "l", Type: 3}, {Name: "m", Type: 4}, {Name: "n", Type: 5}, {Name: "s", Type: 6}, {Name: "w", Type: 7}}},
		crdt.Type{Kind: crdt.Leaf, Rule: crdt.Pin},
		crdt.Type{Kind: crdt.List, Keys: []string{"k"}, Elem: 8},
		crdt.Type{Kind: crdt.Map},
		crdt.Type{Kind: crdt.Leaf, Rule: crdt.Counter},
		crdt.Type{Kind: crdt.Set},
		crdt.Type{Kind: crdt.Leaf, Rule: crdt.WriteOnce},
		crdt.Type{Kind: crdt.Record},
	)
	wire := made(crdt.Protobuf, "p\x00", crdt.Type{Kind: crdt.Record, Fields: []crdt.Field{{Name: "1", Type: 2}}}, crdt.Type{Kind: crdt.Map})
	nonsense := []byte("not a schema")
	return []ValueSchema{
		{nil, nil, []string{
			`{"a":1}`, `{"a":2,"b":[1,2,3]}`, `{"a":2,"b":[1,9,3],"c":{"d":null}}`, "{\n  \"b\": [],\n  \"a\": 1\n}\n", `{"c":{"d":1,"e":{}}}`, `[]`, `no JSON`,
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"}}`, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}}}`,
			`{"kind":"Pod"}`, `k8s:enc:x`,
		}},
		{crdt.Opaque, nil, []string{"", "k8s:enc:x", `{"a":1}`, "\x00\xff"}},
		{rules, rules.Encoding(), []string{
			`{"kind":"A","n":1}`, `{"kind":"A","n":3,"m":{"x":"1"},"l":[{"k":1,"v":1},{"k":2}]}`, `{"kind":"A","n":2,"m":{"y":"1"},"s":["a","b"]}`,
			`{"kind":"A","n":2,"l":[{"k":2},{"k":1,"v":2},{"k":3}],"w":"first","s":["b","c"]}`, `{"kind":"B","n":2,"w":"second"}`, `{"kind":"A"}`, `{`,
		}},
		{wire, wire.Encoding(), []string{
			"p\x00", "p\x00\x0a\x06\x0a\x01a\x12\x01b", "p\x00\x0a\x06\x0a\x01a\x12\x01c\x10\x07", "p\x00\x0a\x06\x0a\x01a\x12\x01b\x0a\x06\x0a\x01b\x12\x01b\x10\x08", "\x0a",
		}},
		{crdt.Opaque, nonsense, []string{`{"a":1}`, `{"a":2}`}},
	}
}

// life returns the write that created the life that the latest put of the key,
// among the ops seen, is of, as a write of a later op names it; the zero value if there is no put.
func (w *World) life(seen map[dag.ID]bool, key string) dag.Incarnation {
	for _, s := range slices.Backward(w.Ops) {
		if !seen[s.ID()] || w.chance(10) {
			continue
		}
		for i, t := range slices.Backward(s.Transactions()) {
			for k := range slices.Backward(t) {
				if wr := &t[k]; wr.Kind.Puts() && string(wr.Key) == key {
					return resolved(s, uint32(i), uint32(k))
				}
			}
		}
	}
	return dag.Incarnation{}
}

// resolved returns the incarnation of a put as a write of a later op names it.
func resolved(s *dag.Signed, tx, write uint32) dag.Incarnation {
	in := s.Transactions()[tx][write].Incarnation
	switch in.Kind {
	case dag.IncarnationPast:
		return in
	case dag.IncarnationLocal:
		tx, write = in.Tx, in.Write
	}
	return dag.Incarnation{Kind: dag.IncarnationPast, Op: s.ID(), Tx: tx, Write: write}
}

// merging makes w, a random put or delete, one of the kinds that only merging
// values need: under a schema, a patch, or of a life that there is already.
func (w *World) merging(wr dag.Write, seen map[dag.ID]bool) dag.Write {
	if wr.Kind == dag.DeleteRange {
		return wr
	}
	life := w.life(seen, string(wr.Key))
	if life.Kind == dag.IncarnationPast && w.chance(5) {
		life.Write += w.rng.Uint32N(3) // of another key, or of nothing
	}
	if wr.Kind == dag.DeleteObserved {
		wr.Incarnation = life
		if w.chance(50) {
			wr.Kind = dag.DeleteFinal
		}
		return wr
	}
	s := &w.values[w.rng.IntN(len(w.values))]
	if w.chance(50) {
		s = &w.values[0]
	}
	value := func() string { return s.Values[w.rng.IntN(len(s.Values))] }
	if w.chance(75) {
		wr.Incarnation = life
	}
	wr.Value, wr.Schema = []byte(value()), s.ID()
	if w.chance(60) {
		patch, ok := s.Patch(value(), value())
		if w.chance(3) {
			patch, ok = []byte("not a patch"), true
		}
		if ok {
			wr.Kind, wr.Value, wr.Schema = dag.Patch, patch, dag.SchemaJSON
		}
	}
	return wr
}

// carried returns the schemas that an op with those transactions is to carry,
// with what is in seen as its past: what is missing, now and then too little, or too much.
func (w *World) carried(ts []dag.Transaction, seen map[dag.ID]bool) [][]byte {
	var schemas [][]byte
	for i := range w.values {
		s := &w.values[i]
		named := slices.ContainsFunc(ts, func(t dag.Transaction) bool {
			return slices.ContainsFunc(t, func(wr dag.Write) bool { return wr.Schema == s.ID() })
		})
		known := slices.ContainsFunc(w.Ops, func(o *dag.Signed) bool {
			return seen[o.ID()] && slices.ContainsFunc(o.Schemas(), func(b []byte) bool { return dag.SchemaIDOf(b) == s.ID() })
		})
		if len(s.Bytes) > 0 && (named && !known) != w.chance(3) {
			schemas = append(schemas, s.Bytes)
		}
	}
	return schemas
}
