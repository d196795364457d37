package kube

import (
	"strings"
	"sync"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// SchemaFor returns the merge schema of a value by the apiVersion and kind that
// it says it has, in the encoding that it has. It returns false for values of
// unknown kinds (custom resources among them, see [SchemasFromCRD]), kinds that
// are never merged, and what is no object: encrypted values, etcd's own.
//
// It looks at the value no further than it must. A schema is made at its first
// use, shared, and does not change. Safe for concurrent use.
func SchemaFor(value []byte) (*crdt.Schema, bool) {
	e, ok := readEnvelope(value)
	if !ok {
		return nil, false
	}
	return schemaOf(variant(&e), e.format)
}

// variant returns the kind of the table that an object is of: the parts of a
// Secret of a type (a key and its certificate, say) only make sense together.
func variant(e *envelope) kind {
	k := kind{string(e.apiVersion), string(e.kind)}
	switch {
	case strings.Contains(k.name, "/"): // a variant is not what an object says that it is
		return kind{}
	case k == kind{"v1", "Secret"} && len(e.secretType) > 0 && string(e.secretType) != "Opaque":
		k.name = "Secret/typed"
	}
	return k
}

// schemaOf returns the schema of a built-in kind.
func schemaOf(k kind, format crdt.Format) (*crdt.Schema, bool) {
	root, ok := builtins().kinds[k]
	if !ok {
		return nil, false
	}
	made.Lock()
	defer made.Unlock()
	id := schemaID{root, format}
	s, ok := made.schemas[id]
	if !ok {
		var err error
		if s, err = build(builtins(), root, format); err != nil {
			panic(err) // generated and tested
		}
		if made.schemas == nil {
			made.schemas = make(map[schemaID]*crdt.Schema)
		}
		made.schemas[id] = s
	}
	return s, true
}

// made keeps the schemas that were asked for: at most two for each kind of the table.
var made struct {
	sync.Mutex
	schemas map[schemaID]*crdt.Schema
}

// A schemaID names a schema of the table by the type of its objects.
type schemaID struct {
	root   string
	format crdt.Format
}
