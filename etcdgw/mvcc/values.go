package mvcc

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// Values says what the values of clients are.
type Values interface {
	// SchemaFor returns how a value that a client puts at key merges, nil for
	// plain JSON. It is not asked of what other nodes wrote. The writer calls it;
	// it may call [View.Latest].
	SchemaFor(key, value []byte) *crdt.Schema
}

// Latest returns what is visible at key, the writes before included in the
// transaction that is evaluated. It is for [Values]: only the writer may call it,
// and the value must not be changed.
func (v *View) Latest(key []byte) (value []byte, ok bool) {
	if x := v.visible(key); x != nil {
		return x.kv.Value, true
	}
	return nil, false
}

// schemas are the merge schemas that were met.
type schemas struct {
	carried func(dag.SchemaID) ([]byte, bool)
	by      map[dag.SchemaID]*crdt.Schema
}

// schema returns the schema of that ID. One that nothing carries, or that does
// not decode, makes values opaque.
func (v *View) schema(id dag.SchemaID) *crdt.Schema {
	if id == dag.SchemaJSON {
		return nil
	}
	if s := v.schemas.by[id]; s != nil {
		return s
	}
	if !id.Carried() || v.schemas.carried == nil {
		return crdt.Opaque
	}
	b, ok := v.schemas.carried(id)
	if !ok {
		return crdt.Opaque
	}
	return v.schemas.learn(id, b)
}

// learn takes in a schema.
func (c *schemas) learn(id dag.SchemaID, encoding []byte) *crdt.Schema {
	s, err := crdt.DecodeSchema(encoding)
	if err != nil {
		s = crdt.Opaque
	}
	c.add(id, s)
	return s
}

func (c *schemas) add(id dag.SchemaID, s *crdt.Schema) {
	if c.by == nil {
		c.by = make(map[dag.SchemaID]*crdt.Schema)
	}
	c.by[id] = s
}

// knows reports whether the schema needs no carrying: an operation holds it, or
// a change before.
func (v *View) knows(id dag.SchemaID) bool {
	if !id.Carried() || v.schemas.by[id] != nil {
		return true
	}
	if v.schemas.carried == nil {
		return false
	}
	b, ok := v.schemas.carried(id)
	if ok {
		v.schemas.learn(id, b)
	}
	return ok
}
