package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// A CustomResource is one version of a kind that a custom resource definition
// defines. Its objects are stored in JSON.
type CustomResource struct {
	APIVersion, Kind string
	Schema           *crdt.Schema
}

// maxDefinition bounds a definition that is looked at, in bytes: what etcd takes.
const maxDefinition = 2 << 20

// objectMeta is the type of metadata in the table.
const objectMeta = "meta/v1.ObjectMeta"

// SchemasFromCRD returns how the objects of a custom resource definition
// merge, one schema for each of its versions, in their order. The definition
// is JSON, as the API server always stores it, of apiextensions.k8s.io/v1 or
// v1beta1. Errors wrap [ErrDefinition].
//
// Lists and objects merge as server-side apply takes them: by
// x-kubernetes-list-type, -list-map-keys and -map-type, and a list that says
// nothing is one leaf. So is an object with a oneOf, of which a merge could
// make what fits none, and each item of a list of conditions, known by type.
// What a definition does not describe merges as plain JSON. The metadata are
// those of any object, whatever the definition says.
//
// Equal definitions give equal schemas, byte for byte.
func SchemasFromCRD(crd []byte) ([]CustomResource, error) {
	if len(crd) > maxDefinition {
		return nil, fmt.Errorf("%w: %d bytes", ErrDefinition, len(crd))
	}
	var object any // into a struct it would take names in any case of letters
	if err := json.Unmarshal(crd, &object); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDefinition, err)
	}
	d := definition{object}
	switch version := d.at("apiVersion").text(); {
	case d.at("kind").text() != "CustomResourceDefinition":
		return nil, fmt.Errorf("%w: of kind %q", ErrDefinition, d.at("kind").text())
	case version != "apiextensions.k8s.io/v1" && version != "apiextensions.k8s.io/v1beta1":
		return nil, fmt.Errorf("%w: of apiVersion %q", ErrDefinition, version)
	}
	group, kind := d.at("spec", "group").text(), d.at("spec", "names", "kind").text()
	if group == "" || kind == "" {
		return nil, fmt.Errorf("%w: without group or kind", ErrDefinition)
	}
	versions := d.at("spec", "versions").items()
	if len(versions) == 0 { // one, as the first v1beta1 had it
		versions = []definition{{map[string]any{"name": d.at("spec", "version").text()}}}
	}
	var (
		found  []CustomResource
		shared *crdt.Schema // v1beta1 says once what is the same in all versions
	)
	for _, v := range versions {
		name := v.at("name").text()
		if name == "" {
			return nil, fmt.Errorf("%w: a version without name", ErrDefinition)
		}
		var err error
		s := shared
		if root := v.at("schema", "openAPIV3Schema"); root.v != nil {
			s, err = buildCustom(root)
		} else if shared == nil {
			s, err = buildCustom(d.at("spec", "validation", "openAPIV3Schema"))
			shared = s
		}
		if err != nil {
			return nil, fmt.Errorf("%w: version %s: %w", ErrDefinition, name, err)
		}
		found = append(found, CustomResource{group + "/" + name, kind, s})
	}
	return found, nil
}

// A definition is a part of one, as encoding/json reads it.
type definition struct{ v any }

// at returns what is at a path, nothing if it leads nowhere.
func (d definition) at(path ...string) definition {
	for _, name := range path {
		d = definition{d.members()[name]}
	}
	return d
}

func (d definition) members() map[string]any { m, _ := d.v.(map[string]any); return m }
func (d definition) text() string            { s, _ := d.v.(string); return s }

func (d definition) items() []definition {
	list, _ := d.v.([]any)
	items := make([]definition, len(list))
	for i := range list {
		items[i].v = list[i]
	}
	return items
}

// buildCustom returns the schema of objects that openAPIV3Schema describes.
func buildCustom(root definition) (*crdt.Schema, error) {
	b := &builder{table: builtins(), format: crdt.JSON, refs: make(map[string]crdt.TypeRef)}
	b.once("root", func(crdt.TypeRef) crdt.Type {
		fields := slices.DeleteFunc(b.properties(root, 1), func(f crdt.Field) bool {
			return f.Name == "apiVersion" || f.Name == "kind" || f.Name == "metadata"
		})
		pin := b.leaf(crdt.Pin)
		return crdt.Type{Kind: crdt.Record, Fields: ascending(append(fields,
			crdt.Field{Name: "apiVersion", Type: pin},
			crdt.Field{Name: "kind", Type: pin},
			crdt.Field{Name: "metadata", Type: b.ref(&shape{word: "record", typ: objectMeta})},
		))}
	})
	return crdt.NewSchema(crdt.JSON, nil, b.types)
}

// equal returns the type, the same for equal ones.
func (b *builder) equal(t crdt.Type) crdt.TypeRef {
	return b.once(fmt.Sprintf("%#v", t), func(crdt.TypeRef) crdt.Type { return t })
}

// properties returns the fields of an object that are not of the default type.
func (b *builder) properties(d definition, depth int) []crdt.Field {
	var fields []crdt.Field
	properties := d.at("properties")
	for _, name := range slices.Sorted(maps.Keys(properties.members())) {
		if r := b.property(properties.at(name), name, depth); r != 0 {
			fields = append(fields, crdt.Field{Name: name, Type: r})
		}
	}
	return fields
}

// property returns the type of what d describes, the value of the member name.
func (b *builder) property(d definition, name string, depth int) crdt.TypeRef {
	if depth > crdt.MaxDepth { // no value is looked at that deep
		return 0
	}
	switch d.at("type").text() {
	case "object":
		return b.object(d, depth)
	case "array":
		return b.array(d, name, depth)
	}
	return 0
}

func (b *builder) object(d definition, depth int) crdt.TypeRef {
	if d.at("x-kubernetes-map-type").text() == "atomic" || d.at("oneOf").v != nil {
		return b.leaf(crdt.Greatest)
	}
	if fields := b.properties(d, depth+1); len(fields) > 0 || len(d.at("properties").members()) > 0 {
		return b.equal(crdt.Type{Kind: crdt.Record, Fields: fields})
	}
	if values := d.at("additionalProperties"); values.members() != nil {
		return b.equal(crdt.Type{Kind: crdt.Map, Elem: b.property(values, "", depth+1)})
	}
	return 0
}

func (b *builder) array(d definition, name string, depth int) crdt.TypeRef {
	items := d.at("items")
	switch d.at("x-kubernetes-list-type").text() {
	case "set":
		switch items.at("type").text() {
		case "string", "integer", "number", "boolean":
			return b.equal(crdt.Type{Kind: crdt.Set})
		}
	case "map":
		var keys []string
		for _, k := range d.at("x-kubernetes-list-map-keys").items() {
			keys = append(keys, k.text())
		}
		if len(keys) == 0 {
			break
		}
		condition := strings.HasSuffix(strings.ToLower(name), "conditions") && slices.Equal(keys, []string{"type"})
		elem := b.leaf(crdt.Greatest)
		if r := b.property(items, "", depth+1); r != 0 && b.types[r-1].Kind == crdt.Record && !condition {
			elem = r
		}
		return b.equal(crdt.Type{Kind: crdt.List, Keys: keys, Elem: elem})
	}
	return b.leaf(crdt.Greatest)
}
