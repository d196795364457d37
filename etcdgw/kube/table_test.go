package kube

import (
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// TestBuiltins: every kind of the table has a schema in both encodings, small
// enough to travel with the first value of its kind.
func TestBuiltins(t *testing.T) {
	const most = 16 << 10
	longest, of := 0, kind{}
	for k := range builtins().kinds {
		for _, format := range []crdt.Format{crdt.JSON, crdt.Protobuf} {
			s, ok := schemaOf(k, format)
			if !ok {
				t.Fatalf("%v has no schema", k)
			}
			if n := len(s.Encoding()); n > longest {
				longest, of = n, k
			}
		}
	}
	t.Logf("%d kinds; the longest schema is that of %v, %d bytes", len(builtins().kinds), of, longest)
	if longest > most {
		t.Errorf("the schema of %v has %d bytes", of, longest)
	}
}

// TestSchemasAreEqual: what is made twice is the same, or it would be two schemas to the nodes.
func TestSchemasAreEqual(t *testing.T) {
	for k, root := range builtins().kinds {
		for _, format := range []crdt.Format{crdt.JSON, crdt.Protobuf} {
			one, _ := schemaOf(k, format)
			other, err := build(builtins(), root, format)
			if err != nil || one.ID() != other.ID() {
				t.Errorf("%v: another schema, %v", k, err)
			}
		}
	}
}

func TestTableErrors(t *testing.T) {
	for _, text := range []string{
		"kind v1 Pod core/v1.Pod",
		"type a\n\tx 1",
		"type a\n\tx one leaf",
		"type a\n\tx 1 leaves",
		"type a\n\tx 1 leaf leaf",
		"type a\n\tx 1 record",
		"type a\n\tx 1 record b",
		"type a\n\tx 1 map record b",
		"type a\n\tx 1 list",
		"type a\n\tx 1 list k leaf",
		"type a\n\tx 1 list k=1",
		"type a\n\tinline 1 b",
	} {
		if _, err := parseTable(text); err == nil {
			t.Errorf("%q is a table", strings.ReplaceAll(text, "\n", ";"))
		}
	}
}
