package kube

import (
	"bytes"
	"slices"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// maxDefinitions bounds how many custom resource definitions a [Catalog]
// remembers: beyond it, it begins anew. A cluster has some hundreds.
const maxDefinitions = 4096

// A Catalog says how the values that a client puts merge: Kubernetes objects
// by their kind, custom resources by the definitions in the same store, other
// JSON as plain JSON, and everything else not at all. Use it from one
// goroutine.
//
// What it says is for the origin alone: the schema goes with the value.
type Catalog struct {
	// latest returns what is stored at a key now, in memory that does not change.
	latest      func(key []byte) (value []byte, ok bool)
	definitions map[string]stored // by key
}

// A stored definition is what a definition that was read says.
type stored struct {
	value     []byte
	resources []CustomResource // none if it says nothing
}

// NewCatalog returns a catalog that reads definitions with latest, which returns
// what is stored at a key at the moment of the put and may be nil.
func NewCatalog(latest func(key []byte) (value []byte, ok bool)) *Catalog {
	if latest == nil {
		latest = func([]byte) ([]byte, bool) { return nil, false }
	}
	return &Catalog{latest: latest, definitions: make(map[string]stored)}
}

// SchemaFor returns how a value that is put at key merges: nil as plain JSON,
// [crdt.Opaque] not at all. It looks at the value no further than it must:
// whether the rest fits its schema is found out where it is merged.
//
//   - Protobuf of a known kind has that kind's schema, other protobuf and whatever does
//     not begin as a JSON object or array is opaque.
//   - A JSON object of a known kind has that kind's schema; of an unknown one
//     that of the definition that is stored under the same root, as the API
//     server stores it. Without one, a kind of Kubernetes' own groups is
//     opaque (kinds of aggregated API servers), and another is plain JSON.
func (c *Catalog) SchemaFor(key, value []byte) *crdt.Schema {
	if bytes.HasPrefix(value, []byte(protobufPrefix)) {
		if s, ok := SchemaFor(value); ok {
			return s
		}
		return crdt.Opaque
	}
	switch text := bytes.TrimLeft(value, " \t\r\n"); {
	case len(text) == 0 || text[0] != '{' && text[0] != '[':
		return crdt.Opaque
	case text[0] == '[' || !mayBeObject(value):
		return nil
	}
	e, ok := readEnvelope(value)
	if !ok {
		return nil
	}
	if s, ok := schemaOf(variant(&e), e.format); ok {
		return s
	}
	group, _, grouped := bytes.Cut(e.apiVersion, []byte("/"))
	if grouped {
		if s, ok := c.custom(key, group, &e); ok {
			return s
		}
	}
	if !grouped || !bytes.Contains(group, []byte(".")) || bytes.HasSuffix(group, []byte(".k8s.io")) {
		return crdt.Opaque
	}
	return nil
}

// mayBeObject reports whether a JSON object may be one that an API server wrote:
// kind is its first member, or its members ascend and there is an apiVersion.
// That is soon known of most other objects, however long.
func mayBeObject(text []byte) bool {
	m := members{text: text}
	if !m.begin() {
		return false
	}
	for first := true; ; first = false {
		name, ok := m.name()
		switch {
		case !ok:
			return false
		case string(name) == "apiVersion" || first && string(name) == "kind":
			return true
		case string(name) > "apiVersion" || !m.skip():
			return false
		}
	}
}

// definitionsPart is what follows ROOT in the keys of definitions.
const definitionsPart = "/apiextensions.k8s.io/customresourcedefinitions/"

// IsDefinition reports whether key is one at which an API server stores the definition of custom
// resources, whatever its root. A [Catalog] wants it to be there before the resources.
func IsDefinition(key []byte) bool { return bytes.Contains(key, []byte(definitionsPart)) }

// custom returns the schema of a custom resource, whose key is
// ROOT/GROUP/PLURAL/…, by the definition at
// ROOT/apiextensions.k8s.io/customresourcedefinitions/PLURAL.GROUP.
func (c *Catalog) custom(key, group []byte, e *envelope) (*crdt.Schema, bool) {
	part := slices.Concat([]byte("/"), group, []byte("/"))
	i := bytes.Index(key, part)
	if i < 0 {
		return nil, false
	}
	plural, _, ok := bytes.Cut(key[i+len(part):], []byte("/"))
	if !ok || len(plural) == 0 {
		return nil, false
	}
	at := slices.Concat(key[:i], []byte(definitionsPart), plural, []byte("."), group)
	for _, r := range c.definition(at) {
		if r.APIVersion == string(e.apiVersion) && r.Kind == string(e.kind) {
			return r.Schema, true
		}
	}
	return nil, false
}

// definition returns what the definition at a key says. It is read again only
// where what is stored there is not what was.
func (c *Catalog) definition(key []byte) []CustomResource {
	value, ok := c.latest(key)
	if !ok {
		delete(c.definitions, string(key))
		return nil
	}
	known, ok := c.definitions[string(key)]
	if ok && len(known.value) == len(value) && (len(value) == 0 || &known.value[0] == &value[0]) {
		return known.resources
	}
	if !ok && len(c.definitions) >= maxDefinitions {
		clear(c.definitions)
	}
	now := stored{value: value}
	now.resources, _ = SchemasFromCRD(value) // one that is none says nothing
	for i := range now.resources {
		// An equal schema stays the one it was, so that trees made with it still serve.
		for _, r := range known.resources {
			if s := now.resources[i].Schema; s.ID() == r.Schema.ID() {
				now.resources[i].Schema = r.Schema
			}
		}
	}
	c.definitions[string(key)] = now
	return now.resources
}
