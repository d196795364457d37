package admin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/node/admin"
)

// names gives the ops of a chart by their names.
func names(c *dagtest.Chart, ops []admin.Op) string {
	var s []string
	for _, op := range ops {
		s = append(s, c.Name(op.ID))
	}
	return strings.Join(s, " ")
}

func TestLatest(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw(`
G -> a1 -> b1{/k=v -/x} -> a2{/j=1}
     |  -> c1{/a../b=3}
`)
	c.Add()
	all := admin.Latest(m.Graph, 100)
	at := make(map[string]int)
	for i, op := range all {
		at[op.ID.String()] = i
		for _, p := range op.Parents {
			if _, before := at[p.String()]; before {
				t.Errorf("%s comes after its parent %s", c.Name(op.ID), c.Name(p))
			}
		}
	}
	if got, want := len(all), m.Graph.Len(); got != want {
		t.Errorf("Latest(100) gives %d ops, want %d", got, want)
	}
	if got, want := names(c, admin.Latest(m.Graph, 1)), "a2"; got != want {
		t.Errorf("Latest(1) = %s, want %s", got, want)
	}
	before, err := admin.Before(m.Graph, c.ID("b1"), 100)
	if got, want := names(c, before), "b1 a1 G"; err != nil || got != want {
		t.Errorf("Before(b1) = %s, %v, want %s", got, err, want)
	}
	if _, err := admin.Before(m.Graph, dag.ID{1}, 100); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("Before(an unknown op) = %v, want ErrNotFound", err)
	}
	if got, want := names(c, admin.Heads(m.Graph)), c.NamesOf(m.Graph.Heads()); got != want {
		t.Errorf("Heads() = %s, want %s", got, want)
	}
}

func TestOpDetail(t *testing.T) {
	m := dagtest.New(t, 2)
	c := m.Draw("S = schema !s\nG -> a1{/p=[1]} -> b1{/k=v -/x /y..=1 -/a../b +S /l@S=w --/p#a1 /p#a1~[1]>[2] /m@opaque=}")
	c.Add()
	op, signed := c.Op("b1"), c.Signed("b1")
	got, err := admin.NewOpDetail(op, m.Graph.Roster(), signed.Block(), signed.Body())
	if err != nil {
		t.Fatal(err)
	}
	want := [][]admin.Write{{
		{Kind: "put", Key: []byte("/k"), Value: []byte("v")},
		{Kind: "delete", Key: []byte("/x")},
		{Kind: "put", Key: []byte("/y.."), Value: []byte("1")},
		{Kind: "delete-range", Key: []byte("/a"), End: []byte("/b")},
		{Kind: "put", Key: []byte("/l"), Value: []byte("w"), Schema: dag.SchemaIDOf([]byte("s"))},
		{Kind: "delete-final", Key: []byte("/p"), Life: &admin.Life{Op: c.ID("a1")}},
		{Kind: "patch", Key: []byte("/p"), Value: signed.Transactions()[0][6].Value, Life: &admin.Life{Op: c.ID("a1")}},
		{Kind: "put", Key: []byte("/m"), Schema: dag.SchemaOpaque},
	}}
	if d := cmp.Diff([]admin.SchemaDetail{{ID: dag.SchemaIDOf([]byte("s")), Bytes: 1}}, got.Schemas); d != "" {
		t.Errorf("schemas differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, got.Transactions, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("transactions differ (-want +got):\n%s", d)
	}
	if got.ID != op.ID() || got.Author != op.Author() || got.BodyBytes != len(signed.Body()) || got.Operator == "" {
		t.Errorf("NewOpDetail() = %+v", got.Op)
	}

	founding, err := admin.NewOpDetail(m.Graph.Founding(), m.Graph.Roster(), m.Founding.Block(), m.Founding.Body())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range founding.Statements {
		kinds = append(kinds, s.Kind)
	}
	if len(kinds) < 4 || kinds[0] != "found" {
		t.Errorf("statements of the founding op: %v", kinds)
	}
	if _, err := admin.NewOpDetail(op, m.Graph.Roster(), signed.Block()[1:], signed.Body()); err == nil {
		t.Error("NewOpDetail() of a damaged block succeeds")
	}
}

func TestNewRoster(t *testing.T) {
	m := dagtest.New(t, 3)
	r := admin.NewRoster(m.Founding.ID(), m.Graph, nil)
	if len(r.Operators) != 1 {
		t.Fatalf("%d operators, want 1", len(r.Operators))
	}
	o := r.Operators[0]
	if o.ID != m.Operator || o.Sponsor != nil || len(o.Nodes) != 3 {
		t.Fatalf("NewRoster() has operator %+v", o)
	}
	for i, n := range o.Nodes {
		if n.Slot != uint64(i) || len(n.Keys) != 1 || n.Keys[0].Key != m.Author(i) {
			t.Errorf("node %d = %+v, want key %s", i, n, m.Author(i))
		}
	}
}
