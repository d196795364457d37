package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// A generator makes the table.
type generator struct {
	kinds   []kind
	roots   map[reflect.Type]bool // kinds that have a schema
	types   map[string][]string   // the lines of each type
	applied map[string]bool       // rules that met a type or field
}

// generate walks all kinds.
func generate() (*generator, error) {
	s, err := newScheme()
	if err != nil {
		return nil, err
	}
	g := &generator{
		kinds: storedKinds(s), roots: make(map[reflect.Type]bool),
		types: make(map[string][]string), applied: make(map[string]bool),
	}
	types, err := applyTypes(s, g.kinds)
	if err != nil {
		return nil, err
	}
	for _, k := range g.kinds {
		ref, ok := types[k.typ]
		if !ok {
			continue
		}
		g.roots[k.typ] = true
		if err := g.record(k.typ, ref); err != nil {
			return nil, fmt.Errorf("%s: %w", k.GroupVersionKind, err)
		}
	}
	g.variants()
	missed := slices.DeleteFunc(slices.AppendSeq(slices.Sorted(maps.Keys(atomicTypes)), maps.Keys(fieldShapes)),
		func(rule string) bool { return g.applied[rule] })
	if len(missed) > 0 {
		return nil, fmt.Errorf("rules that apply nowhere: %q", missed)
	}
	return g, nil
}

// record writes the lines of a type, once.
func (g *generator) record(t reflect.Type, ref typeRef) error {
	name := typeName(t)
	if _, ok := g.types[name]; ok {
		return nil
	}
	g.types[name] = []string{}
	var lines []string
	for i := range t.NumField() {
		f := t.Field(i)
		jsonName, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type == reflect.TypeFor[metav1.TypeMeta]() || jsonName == "-" {
			continue
		}
		number, err := fieldNumber(f)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		if jsonName == "" && strings.Contains(options, "inline") {
			if err := g.record(f.Type, ref); err != nil {
				return err
			}
			if g.atomic(f.Type, nil) {
				return fmt.Errorf("%s.%s: inline and one leaf", name, f.Name)
			}
			lines = append(lines, fmt.Sprintf("inline %d %s", number, typeName(f.Type)))
			continue
		}
		shape, err := g.field(t, f, jsonName, ref)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		if shape != "" {
			lines = append(lines, fmt.Sprintf("%s %d %s", jsonName, number, shape))
		}
	}
	g.types[name] = lines
	return nil
}

// fieldNumber reads the number of a field in protobuf.
func fieldNumber(f reflect.StructField) (int, error) {
	parts := strings.Split(f.Tag.Get("protobuf"), ",")
	if len(parts) < 2 {
		return 0, fmt.Errorf("no field number")
	}
	return strconv.Atoi(parts[1])
}

// field returns the shape of a field, empty for a scalar that needs no line.
func (g *generator) field(in reflect.Type, f reflect.StructField, jsonName string, ref typeRef) (string, error) {
	rule := groupName(in) + "." + in.Name() + "." + jsonName
	shape, ruled := fieldShapes[rule]
	if ruled {
		g.applied[rule] = true
		if !strings.HasPrefix(shape, "list ") {
			return shape, nil
		}
	}
	atom, ok := ref.schema.Resolve(ref.ref)
	if !ok || atom.Map == nil {
		return "", fmt.Errorf("server-side apply knows no such record")
	}
	sf, ok := atom.Map.FindField(jsonName)
	if !ok {
		return "", fmt.Errorf("server-side apply knows no field %s", jsonName)
	}
	if ruled { // a list whose items are to be walked
		list, ok := ref.schema.Resolve(sf.Type)
		if !ok || list.List == nil {
			return "", fmt.Errorf("no list")
		}
		return shape, g.record(f.Type.Elem(), typeRef{ref.schema, list.List.ElementType})
	}
	if _, kind := in.FieldByName("TypeMeta"); f.Type == reflect.TypeFor[metav1.ObjectMeta]() && !kind {
		return "record " + templateMeta, nil
	}
	return g.shape(f.Type, typeRef{ref.schema, sf.Type}, jsonName)
}

// scalars are structs that are scalars in JSON.
var scalars = []reflect.Type{
	reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[metav1.Duration](),
	reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString](),
}

// hasStructure reports whether values of a type are no scalars in JSON.
func hasStructure(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return !slices.Contains(scalars, t)
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8
	}
	return t.Kind() == reflect.Map
}

// eachField calls f for the fields that a struct has in JSON, and the struct
// that they are in.
func eachField(t reflect.Type, f func(in reflect.Type, name string, field reflect.Type)) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Type == reflect.TypeFor[metav1.TypeMeta]() || name == "-":
		case name == "" && strings.Contains(options, "inline"):
			eachField(field.Type, f)
		default:
			f(t, name, field.Type)
		}
	}
}

// shape returns the shape of a type, empty for a scalar.
func (g *generator) shape(t reflect.Type, ref typeRef, field string) (string, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case !hasStructure(t):
		return "", nil
	case t == reflect.TypeFor[metav1.FieldsV1]():
		return "managed", nil
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()):
		return "leaf", nil // a text of any shape
	}
	atom, ok := ref.schema.Resolve(ref.ref)
	if !ok {
		return "", fmt.Errorf("server-side apply does not know %s", t)
	}
	if g.atomic(t, &atom) {
		return "leaf", nil
	}
	switch {
	case t.Kind() == reflect.Struct && atom.Map != nil:
		return "record " + typeName(t), g.record(t, ref)
	case t.Kind() == reflect.Map && atom.Map != nil:
		elem, err := g.element(t.Elem(), typeRef{ref.schema, atom.Map.ElementType})
		return "map " + elem, err
	case t.Kind() == reflect.Slice && atom.List != nil && len(atom.List.Keys) == 0:
		return "set", nil
	case t.Kind() == reflect.Slice && atom.List != nil:
		keys, err := keys(t.Elem(), atom.List.Keys)
		if err != nil {
			return "", err
		}
		elem := "leaf"
		if !atomicItems(field, atom.List.Keys) {
			elem, err = g.element(t.Elem(), typeRef{ref.schema, atom.List.ElementType})
		}
		return fmt.Sprintf("list %s %s", keys, elem), err
	}
	return "", fmt.Errorf("%s is not what server-side apply takes it for", t)
}

// element is shape for what a map or list holds.
func (g *generator) element(t reflect.Type, ref typeRef) (string, error) {
	shape, err := g.shape(t, ref, "")
	if shape == "" {
		shape = "leaf"
	}
	return shape, err
}

// atomic reports whether what is of a type is one leaf.
func (g *generator) atomic(t reflect.Type, atom *smd.Atom) bool {
	rule := groupName(t) + "." + t.Name()
	if _, ok := atomicTypes[rule]; ok {
		g.applied[rule] = true
		return true
	}
	switch {
	case atom == nil:
	case atom.Map != nil && t.Kind() != reflect.Slice:
		return atom.Map.ElementRelationship == smd.Atomic || len(atom.Map.Unions) > 0
	case atom.List != nil:
		return atom.List.ElementRelationship != smd.Associative
	}
	return false
}

// keys returns the fields that identify items of a type, with their numbers.
func keys(item reflect.Type, names []string) (string, error) {
	for item.Kind() == reflect.Pointer {
		item = item.Elem()
	}
	var found []string
	for _, name := range names {
		number := 0
		for i := range item.NumField() {
			f := item.Field(i)
			if jsonName, _, _ := strings.Cut(f.Tag.Get("json"), ","); jsonName == name {
				var err error
				if number, err = fieldNumber(f); err != nil {
					return "", err
				}
			}
		}
		found = append(found, name+"="+strconv.Itoa(number))
	}
	return strings.Join(found, ","), nil
}

// A table has types that Go has not: a Secret whose parts only make sense
// together, and the metadata of a template, which identify no object.
const (
	objectMeta   = "meta/v1.ObjectMeta"
	templateMeta = objectMeta + "/template"
	secret       = "core/v1.Secret"
	typedSecret  = secret + "/typed"
)

// variants adds them.
func (g *generator) variants() {
	for _, line := range g.types[secret] {
		words := strings.Fields(line)
		if slices.Contains(secretData, words[0]) {
			line = words[0] + " " + words[1] + " leaf"
		}
		g.types[typedSecret] = append(g.types[typedSecret], line)
	}
	for _, line := range g.types[objectMeta] {
		switch strings.Fields(line)[2] {
		case "pin", "counter", "once":
		default:
			g.types[templateMeta] = append(g.types[templateMeta], line)
		}
	}
}

// groupName returns the folder of a type's API group.
func groupName(t reflect.Type) string { return path.Base(path.Dir(t.PkgPath())) }

// typeName names a type in the table by group, version and name.
func typeName(t reflect.Type) string {
	return groupName(t) + "/" + path.Base(t.PkgPath()) + "." + t.Name()
}
