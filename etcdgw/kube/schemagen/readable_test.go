package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// TestReadable: of every kind that is stored in protobuf, what people see of a
// value is JSON that Kubernetes reads as the same object.
func TestReadable(t *testing.T) {
	s, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	wire, text := encodings(s)[0], encodings(s)[1]
	n, err := nameFields()
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range n.kinds {
		if *only != "" && k.Kind != *only {
			continue
		}
		d := newDrawer(*seed + int64(i))
		for range *objects {
			obj := d.object(k)
			value := wire.value(t, obj)
			readable, err := kube.Readable(value)
			if err != nil {
				t.Fatalf("%s: %v", k.GroupVersionKind, err)
			}
			back, _, err := text.Decode(readable, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v: %s", k.GroupVersionKind, err, readable)
			}
			if again := wire.value(t, back); !bytes.Equal(again, value) {
				t.Fatalf("%s: %s\n%s", k.GroupVersionKind, readable, cmp.Diff(text.value(t, obj), text.value(t, back)))
			}
			if extended, err := kube.Readable(wire.extend(value, k.typ)); err != nil || !json.Valid(extended) || bytes.Equal(extended, readable) {
				t.Fatalf("%s: with fields of a later version: %v: %s", k.GroupVersionKind, err, extended)
			}
		}
	}
}
