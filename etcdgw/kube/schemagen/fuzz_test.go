package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

// The name of every object that is drawn.
const objectName, objectNamespace, objectUID = "web", "team-a", types.UID("9a2f")

// A drawer draws objects and edits of them.
type drawer struct {
	r      *rand.Rand
	filler *randfill.Filler
}

func newDrawer(seed int64) *drawer {
	r := rand.New(rand.NewSource(seed))
	d := &drawer{r: r}
	text := func(c randfill.Continue) []byte {
		return []byte(fmt.Sprintf(`{"f:metadata":{"f:labels":{"f:%c":{}}},"f:spec":{"f:%c":{}}}`, 'a'+c.Intn(5), 'a'+c.Intn(5)))
	}
	d.filler = randfill.New().RandSource(r).NilChance(0.3).NumElements(1, 3).MaxDepth(14).Funcs(
		func(*metav1.TypeMeta, randfill.Continue) {},
		func(t *metav1.Time, c randfill.Continue) { t.Time = time.Unix(c.Int63n(1<<32), 0).UTC() },
		func(t *metav1.MicroTime, c randfill.Continue) { t.Time = time.UnixMicro(c.Int63n(1 << 50)).UTC() },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = resource.MustParse(fmt.Sprintf("%dm", c.Intn(1e6)))
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			if *v = intstr.FromInt32(c.Int31n(100)); c.Bool() {
				*v = intstr.FromString("50%")
			}
		},
		func(f *metav1.FieldsV1, c randfill.Continue) { f.SetRawBytes(text(c)) },
		func(f *runtime.RawExtension, c randfill.Continue) { f.Raw = text(c) },
		func(f *apiextensionsv1.JSON, c randfill.Continue) { f.Raw = text(c) },
		func(f *apiextensionsv1beta1.JSON, c randfill.Continue) { f.Raw = text(c) },
		// These hold each other.
		func(f *apiextensionsv1.JSONSchemaProps, c randfill.Continue) { c.Fill(&f.Description) },
		func(f *apiextensionsv1beta1.JSONSchemaProps, c randfill.Continue) { c.Fill(&f.Description) },
	)
	return d
}

// object draws an object of a kind.
func (d *drawer) object(k kind) runtime.Object {
	v := reflect.New(k.typ)
	d.filler.Fill(v.Interface())
	obj := v.Interface().(runtime.Object)
	named(obj, k)
	return obj
}

// named gives an object what its key and its kind say.
func named(obj runtime.Object, k kind) {
	obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	m := obj.(metav1.Object)
	m.SetName(objectName)
	m.SetNamespace(objectNamespace)
	m.SetUID(objectUID)
}

// edited draws an edit of an object, leaving what identifies it.
func (d *drawer) edited(obj runtime.Object, k kind) runtime.Object {
	obj = obj.DeepCopyObject()
	v := reflect.ValueOf(obj).Elem()
	var secretType reflect.Value
	if k.Kind == "Secret" {
		secretType = reflect.New(v.FieldByName("Type").Type()).Elem()
		secretType.Set(v.FieldByName("Type"))
	}
	for range 1 + d.r.Intn(4) {
		d.edit(v, 0)
	}
	if secretType.IsValid() {
		v.FieldByName("Type").Set(secretType)
	}
	named(obj, k)
	return obj
}

// edit changes something at or below v.
func (d *drawer) edit(v reflect.Value, depth int) {
	if depth > 0 && d.r.Intn(8) == 0 || isLeaf(v.Type()) {
		v.SetZero()
		d.filler.Fill(v.Addr().Interface())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for { // every struct has a field beside TypeMeta, but for empty ones
			if v.NumField() == 0 {
				return
			}
			if i := d.r.Intn(v.NumField()); v.Type().Field(i).Type != reflect.TypeFor[metav1.TypeMeta]() {
				d.edit(v.Field(i), depth+1)
				return
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		} else if d.r.Intn(6) == 0 {
			v.SetZero()
			return
		}
		d.edit(v.Elem(), depth)
	case reflect.Slice:
		switch n := v.Len(); {
		case n > 0 && d.r.Intn(3) == 0:
			i := d.r.Intn(n)
			v.Set(reflect.AppendSlice(v.Slice3(0, i, i), v.Slice(i+1, n)))
		case n > 0 && d.r.Intn(2) == 0:
			d.edit(v.Index(d.r.Intn(n)), depth)
		default:
			item := reflect.New(v.Type().Elem())
			d.filler.Fill(item.Interface())
			v.Set(reflect.Append(v, item.Elem()))
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		if keys := v.MapKeys(); len(keys) > 0 && d.r.Intn(3) == 0 {
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
			v.SetMapIndex(keys[d.r.Intn(len(keys))], reflect.Value{})
			return
		}
		key, value := reflect.New(v.Type().Key()), reflect.New(v.Type().Elem())
		d.filler.Fill(key.Interface())
		d.filler.Fill(value.Interface())
		v.SetMapIndex(key.Elem(), value.Elem())
	}
}

// isLeaf reports whether values of a type are edited as a whole.
func isLeaf(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return slices.Contains(scalars, t) || t == reflect.TypeFor[metav1.FieldsV1]() || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) ||
			t == reflect.TypeFor[apiextensionsv1.JSONSchemaProps]() || t == reflect.TypeFor[apiextensionsv1beta1.JSONSchemaProps]()
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	}
	return t.Kind() != reflect.Map && t.Kind() != reflect.Pointer
}

// unknownFields adds fields that no version knows to a message of a type, and
// to all messages in it.
func unknownFields(message []byte, t reflect.Type) []byte {
	var out []byte
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeField(message)
		if n < 0 {
			panic(protowire.ParseError(n))
		}
		_, _, tag := protowire.ConsumeTag(message)
		raw := message[:n]
		message = message[n:]
		f, ok := fieldOf(t, int(num))
		if typ != protowire.BytesType || !ok {
			out = append(out, raw...)
			continue
		}
		payload, _ := protowire.ConsumeBytes(raw[tag:])
		out = protowire.AppendTag(out, num, typ)
		out = protowire.AppendBytes(out, unknownInside(payload, f))
	}
	out = protowire.AppendTag(out, 4000, protowire.VarintType)
	out = protowire.AppendVarint(out, 7)
	out = protowire.AppendTag(out, 4001, protowire.BytesType)
	return protowire.AppendString(out, "of a later version")
}

// unknownInside is unknownFields for what a field of type t has on the wire.
func unknownInside(payload []byte, t reflect.Type) []byte {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 && !isMessage(t) {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Struct && !slices.Contains(scalars, t):
		return unknownFields(payload, t)
	case t.Kind() == reflect.Map:
		_, _, n := protowire.ConsumeField(payload)
		_, typ, m := protowire.ConsumeField(payload[n:])
		if m < 0 || typ != protowire.BytesType {
			return payload
		}
		_, _, tag := protowire.ConsumeTag(payload[n:])
		value, _ := protowire.ConsumeBytes(payload[n+tag:])
		out := append([]byte(nil), payload[:n+tag]...)
		return protowire.AppendBytes(out, unknownInside(value, t.Elem()))
	}
	return payload
}

// isMessage reports whether a type writes a message of its own.
func isMessage(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ Marshal() ([]byte, error) }]())
}

func fieldOf(t reflect.Type, number int) (reflect.Type, bool) {
	for i := range t.NumField() {
		if n, err := fieldNumber(t.Field(i)); err == nil && n == number {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// unknownMembers does the same in JSON, and sorts the members.
func unknownMembers(text []byte, t reflect.Type) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	addMembers(v, t)
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(out, '\n')
}

func addMembers(v any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isLeaf(t) {
		return
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			addMembers(v[i], t.Elem())
		}
	case map[string]any:
		if t.Kind() == reflect.Map {
			for _, elem := range v {
				addMembers(elem, t.Elem())
			}
			return
		}
		eachField(t, func(_ reflect.Type, name string, t reflect.Type) {
			if elem, ok := v[name]; ok {
				addMembers(elem, t)
			}
		})
		v["laterField"] = map[string]any{"a": "<b>", "n": json.Number("1.50")}
	}
}
