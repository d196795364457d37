package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A naming collects the names that the fields of protobuf have in JSON, of all
// kinds that are stored in it.
type naming struct {
	kinds []kind
	types map[string][]string // the lines of each type
}

// nameFields walks all kinds but definitions of custom resources, which are
// stored in JSON.
func nameFields() (*naming, error) {
	s, err := newScheme()
	if err != nil {
		return nil, err
	}
	n := &naming{types: make(map[string][]string)}
	for _, k := range storedKinds(s) {
		if k.Group == apiextensionsv1.GroupName {
			continue
		}
		n.kinds = append(n.kinds, k)
		if err := n.record(k.typ); err != nil {
			return nil, fmt.Errorf("%s: %w", k.GroupVersionKind, err)
		}
	}
	return n, nil
}

// record writes the lines of a type, once.
func (n *naming) record(t reflect.Type) error {
	name := typeName(t)
	if _, ok := n.types[name]; ok {
		return nil
	}
	n.types[name] = []string{}
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
			if err := n.record(f.Type); err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("inline %d %s", number, typeName(f.Type)))
			continue
		}
		shape, err := n.shape(f.Type)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		mark := ""
		if f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Struct && strings.Contains(options, "omitempty") {
			mark = "?" // JSON leaves it out where it is zero
		}
		lines = append(lines, fmt.Sprintf("%s%s %d %s", jsonName, mark, number, shape))
	}
	n.types[name] = lines
	return nil
}

// special are the types that protobuf holds in another form than JSON.
var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microtime",
	reflect.TypeFor[metav1.Duration]():      "duration",
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[intstr.IntOrString]():   "intorstring",
	reflect.TypeFor[metav1.FieldsV1]():      "json",
	reflect.TypeFor[runtime.RawExtension](): "json",
}

// shape returns how values of a type are held.
func (n *naming) shape(t reflect.Type) (string, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if word, ok := special[t]; ok {
		return word, nil
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return "", fmt.Errorf("%s has a text of its own", t)
	}
	switch t.Kind() {
	case reflect.String:
		return "text", nil
	case reflect.Bool:
		return "bool", nil
	case reflect.Int32, reflect.Int64:
		return "int", nil
	case reflect.Uint32, reflect.Uint64:
		return "uint", nil
	case reflect.Float64:
		return "double", nil
	case reflect.Struct:
		return "record " + typeName(t), n.record(t)
	case reflect.Map:
		elem, err := n.shape(t.Elem())
		if err == nil && t.Key().Kind() != reflect.String {
			err = fmt.Errorf("a map by %s", t.Key())
		}
		return "map " + elem, err
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes", nil
		}
		elem, err := n.shape(t.Elem())
		if t.Name() != "" && t.Elem().Kind() == reflect.String { // protobuf has a message around a list with a name
			return "message list " + elem, err
		}
		return "list " + elem, err
	}
	return "", fmt.Errorf("no shape for %s", t)
}

// text returns the names as package kube reads them.
func (n *naming) text() string {
	var b strings.Builder
	b.WriteString(header())
	for _, k := range n.kinds {
		fmt.Fprintf(&b, "kind %s %s %s\n", k.GroupVersion(), k.Kind, typeName(k.typ))
	}
	for _, name := range slices.Sorted(maps.Keys(n.types)) {
		fmt.Fprintf(&b, "type %s\n", name)
		for _, line := range n.types[name] {
			fmt.Fprintf(&b, "\t%s\n", line)
		}
	}
	return b.String()
}
