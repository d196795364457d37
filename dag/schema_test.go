package dag_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func TestSchemaIDText(t *testing.T) {
	hash := dag.SchemaIDOf([]byte("schema"))
	for id, want := range map[dag.SchemaID]string{dag.SchemaJSON: "json", dag.SchemaOpaque: "opaque", hash: "schema:"} {
		got, err := id.MarshalText()
		if err != nil || !strings.HasPrefix(string(got), want) || len(got) > 7 && len(got) != 7+64 {
			t.Errorf("MarshalText of %x = %s, %v", [32]byte(id), got, err)
		}
		var back dag.SchemaID
		if err := back.UnmarshalText(got); err != nil || back != id {
			t.Errorf("UnmarshalText(%s) = %v, %v", got, back, err)
		}
		for _, bad := range []string{"", "JSON", string(got) + "0", strings.ToUpper(string(got)), "schema:" + strings.Repeat("0", 64)} {
			if err := back.UnmarshalText([]byte(bad)); !errors.Is(err, dag.ErrID) || back != id {
				t.Errorf("UnmarshalText(%q) = %v, %v", bad, back, err)
			}
		}
		if id.Carried() != (id == hash) {
			t.Errorf("Carried of %v", id)
		}
	}
}

// TestSchemas: a schema may be named from its carrier on, whoever carries it,
// in the same op or after any of several that carry it beside each other.
func TestSchemas(t *testing.T) {
	m := dagtest.New(t, 4)
	schema, other := []byte("not the encoding of anything"), []byte{}
	id := dag.SchemaIDOf(schema)
	under := func(ids ...dag.SchemaID) []dag.Transaction {
		var all dag.Transaction
		for _, id := range ids {
			all = append(all, dagtest.PutUnder(id, "/k", "v"))
		}
		return []dag.Transaction{all}
	}
	g := []dag.ID{m.Founding.ID()}
	if _, ok := m.Graph.Schema(id); ok {
		t.Error("an empty mesh has a schema")
	}
	a := m.Sign(dagtest.Draft{Author: 1, Parents: g, Schemas: [][]byte{schema}})
	b := m.Sign(dagtest.Draft{Author: 2, Parents: g, Schemas: [][]byte{other, schema, schema}, Transactions: under(id, dag.SchemaIDOf(other), dag.SchemaOpaque, dag.SchemaJSON)})
	afterA := m.Sign(dagtest.Draft{Author: 3, Parents: []dag.ID{a.ID()}, Transactions: under(id)})
	afterB := m.Sign(dagtest.Draft{Author: 2, Parents: []dag.ID{b.ID()}, Transactions: under(dag.SchemaIDOf(other), id)})
	again := m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{a.ID()}, Schemas: [][]byte{schema}})
	for _, s := range []*dag.Signed{a, b, afterA, afterB, again} {
		m.Add(s)
	}
	for want, id := range map[string]dag.SchemaID{string(schema): id, string(other): dag.SchemaIDOf(other)} {
		if got, ok := m.Graph.Schema(id); !ok || string(got) != want {
			t.Errorf("Schema(%v) = %q, %v, want %q", id, got, ok, want)
		}
	}
	body, err := dag.DecodeBody(b.Body())
	if err != nil || len(body.Schemas) != 3 || !bytes.Equal(body.Schemas[1], schema) || len(b.Schemas()) != 3 {
		t.Errorf("body of %v: %+v, %v", b.ID(), body, err)
	}
	// The bytes count in the author's total, so that a quota bounds them.
	if got, want := b.Header().Bytes, uint64(len(b.Body())); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}
