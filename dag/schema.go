package dag

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A SchemaID names the merge schema of a value (docs/op.md sections 4 and 5):
// the sha2-256 hash of the schema's bytes, or one of two that need none. The
// zero SchemaID is [SchemaJSON]. The text form is "json", "opaque" or "schema:"
// and 64 hexadecimal digits.
type SchemaID [sha256.Size]byte

// Schemas without bytes.
var (
	SchemaJSON   = SchemaID{}      // plain JSON, docs/merge.md's default
	SchemaOpaque = SchemaID{31: 1} // the value is only ever replaced whole
)

// SchemaIDOf returns the ID of the schema with those bytes.
func SchemaIDOf(schema []byte) SchemaID { return sha256.Sum256(schema) }

// Carried reports whether the schema has bytes, which operations carry: it is
// neither [SchemaJSON] nor [SchemaOpaque].
func (id SchemaID) Carried() bool { return id != SchemaJSON && id != SchemaOpaque }

// String returns the text form.
func (id SchemaID) String() string {
	switch id {
	case SchemaJSON:
		return "json"
	case SchemaOpaque:
		return "opaque"
	}
	return "schema:" + hex.EncodeToString(id[:])
}

// MarshalText implements encoding.TextMarshaler.
func (id SchemaID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors wrap [ErrID].
func (id *SchemaID) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "json":
		*id = SchemaJSON
	case "opaque":
		*id = SchemaOpaque
	default:
		digits, ok := strings.CutPrefix(s, "schema:")
		b, err := hex.DecodeString(digits)
		if !ok || err != nil || len(b) != len(id) || !SchemaID(b).Carried() || SchemaID(b).String() != s {
			return fmt.Errorf("%w: %.100q is no schema", ErrID, s)
		}
		*id = SchemaID(b)
	}
	return nil
}

// append appends the ID's encoding in a replace.
func (id SchemaID) append(b []byte) []byte {
	switch id {
	case SchemaJSON:
		return dagcbor.AppendNull(b)
	case SchemaOpaque:
		return dagcbor.AppendBool(b, false)
	}
	return dagcbor.AppendBytes(b, id[:])
}

var errSchemaID = errors.New("a schema in another than its one encoding")

// read reads what append appends, leaving any error in d.
func (id *SchemaID) read(d *dagcbor.Decoder) {
	switch {
	case d.Null():
		*id = SchemaJSON
	case d.IsBytes():
		if d.Fixed(id[:]); d.Err() == nil && !id.Carried() {
			d.Fail(errSchemaID)
		}
	default:
		if *id = SchemaOpaque; d.Bool() {
			d.Fail(errSchemaID)
		}
	}
}

// schema is what a graph knows of a schema.
type schema struct {
	bytes []byte
	// carriers are the ops that carry it and have no other such op in their
	// past: in the past of whoever has it in its past is one of them.
	carriers []*Op
}

// Schema returns the bytes of a schema that an op of the graph carries. The
// caller must not modify them. There are none for [SchemaJSON] and [SchemaOpaque].
func (g *Graph) Schema(id SchemaID) ([]byte, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	s, ok := g.schemas[id]
	if !ok {
		return nil, false
	}
	return s.bytes, true
}

// checkSchemas is rule 10: o or an op of its past carries each schema that o's
// replaces name.
func (g *Graph) checkSchemas(o *Op, s *Signed) *Refusal {
	var known map[SchemaID]bool // carried by o, or looked up
	note := func(id SchemaID) {
		if known == nil {
			known = make(map[SchemaID]bool)
		}
		known[id] = true
	}
	for _, b := range s.schemas {
		note(SchemaIDOf(b))
	}
	last := SchemaJSON
	for _, t := range s.transactions {
		for i := range t {
			id := t[i].Schema
			if id == last || !id.Carried() {
				continue
			}
			if !known[id] {
				if !g.carriedBefore(o, id) {
					return refusef(ReasonSchema, "%v", id)
				}
				note(id)
			}
			last = id
		}
	}
	return nil
}

func (g *Graph) carriedBefore(o *Op, id SchemaID) bool {
	s, ok := g.schemas[id]
	if !ok {
		return false
	}
	for _, c := range s.carriers {
		if o.InPast(c) {
			return true
		}
	}
	return false
}

// linkSchemas remembers what o carries. The bytes are copied: they would hold
// o's whole body in memory.
func (g *Graph) linkSchemas(o *Op, schemas [][]byte) {
	for _, b := range schemas {
		id := SchemaIDOf(b)
		s, ok := g.schemas[id]
		if !ok {
			s = &schema{bytes: append(make([]byte, 0, len(b)), b...)}
			g.schemas[id] = s
		}
		if !g.carriedBefore(o, id) && (len(s.carriers) == 0 || s.carriers[len(s.carriers)-1] != o) {
			s.carriers = append(s.carriers, o)
		}
	}
}
