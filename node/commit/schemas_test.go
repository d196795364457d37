package commit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// cluster opens a pipeline that knows Kubernetes' values.
func cluster(t *testing.T, store dag.Store, mesh dag.ID, node string) *Pipeline {
	t.Helper()
	var p *Pipeline
	p, err := Open(Config{Store: store, Key: key(node), Mesh: mesh,
		Values: kube.NewCatalog(func(key []byte) ([]byte, bool) { return p.View().Latest(key) })})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// carriers returns the ops that carry a schema, in causal order.
func carriers(t *testing.T, p *Pipeline, id dag.SchemaID) (ops []*dag.Op) {
	t.Helper()
	for _, op := range p.Graph().Since(nil) {
		_, encoded, err := p.Fetch(op.ID())
		if err != nil {
			t.Fatal(err)
		}
		body, err := dag.DecodeBody(encoded)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range body.Schemas {
			if dag.SchemaIDOf(s) == id {
				ops = append(ops, op)
			}
		}
	}
	return ops
}

const (
	podAt    = "/registry/pods/n/a"
	pod      = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"1","labels":{%s}}}`
	widgetAt = "/registry/example.com/widgets/n/a"
	widget   = `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","uid":"1"},"spec":{"hosts":[%s]}}`
	crdAt    = "/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com"
	crd      = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"widgets.example.com","uid":"2"},` +
		`"spec":{"group":"example.com","names":{"kind":"Widget"},"versions":[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object",` +
		`"properties":{"spec":{"type":"object","properties":{"hosts":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}}}}}}}]}}`
)

// TestSchemasTravelOnce: a schema is carried by the op whose writes are the first to
// name it, and by none after, whoever writes; a custom resource merges by a
// definition that another node wrote; and all of it survives a restart.
func TestSchemasTravelOnce(t *testing.T) {
	store := memstore.New()
	p := cluster(t, store, found(t, store), "founder")
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	q := cluster(t, memstore.New(), p.cfg.Mesh, "second")
	deliver(t, p, q)
	<-q.ReadyCh()
	s, _ := kube.SchemaFor([]byte(fmt.Sprintf(pod, "")))
	pods := dag.SchemaID(s.ID())

	put(t, p, podAt, fmt.Sprintf(pod, ""))
	put(t, p, podAt+"2", fmt.Sprintf(pod, ""))
	settle(t, p)
	put(t, p, podAt+"3", fmt.Sprintf(pod, ""))
	put(t, p, crdAt, crd)
	settle(t, p)
	deliver(t, p, q)
	put(t, q, podAt+"4", fmt.Sprintf(pod, ""))
	put(t, q, widgetAt, fmt.Sprintf(widget, `"a"`))
	settle(t, q)
	deliver(t, q, p)
	if ops := carriers(t, p, pods); len(ops) != 1 {
		t.Errorf("%d ops carry the schema of Pods", len(ops))
	}
	custom, err := kube.SchemasFromCRD([]byte(crd))
	if err != nil {
		t.Fatal(err)
	}
	if ops := carriers(t, p, custom[0].Schema.ID()); len(ops) != 1 || ops[0].Author() != q.Key() {
		t.Errorf("%d ops carry the schema of the custom resource", len(ops))
	}

	put(t, p, podAt, fmt.Sprintf(pod, `"p":"1"`))
	put(t, q, podAt, fmt.Sprintf(pod, `"q":"1"`))
	put(t, p, widgetAt, fmt.Sprintf(widget, `"a","p"`))
	put(t, q, widgetAt, fmt.Sprintf(widget, `"a","q"`))
	settle(t, p)
	settle(t, q)
	meet(t, p, q)
	for _, n := range []*Pipeline{p, q} {
		if got, want := get(t, n, podAt), fmt.Sprintf(pod, `"p":"1","q":"1"`); got != want {
			t.Errorf("the Pod is %s, want %s", got, want)
		}
		if got := get(t, n, widgetAt); !strings.Contains(got, `"p"`) || !strings.Contains(got, `"q"`) {
			t.Errorf("the custom resource is %s", got)
		}
		replaysEqual(t, n)
	}
}

// schemasOf is a node whose values have schemas of their own, by their first byte.
type schemasOf struct{ size int }

func (v schemasOf) SchemaFor(_, value []byte) *crdt.Schema {
	fields := []crdt.Field{}
	for i := range v.size {
		fields = append(fields, crdt.Field{Name: fmt.Sprintf("%s%09d", value, i)})
	}
	s, err := crdt.NewSchema(crdt.JSON, nil, []crdt.Type{{Kind: crdt.Record, Fields: fields}})
	if err != nil {
		panic(err)
	}
	return s
}

// TestManySchemas: more new schemas than an op may carry, in one transaction or
// many, small or large, go with several ops.
func TestManySchemas(t *testing.T) {
	for _, size := range []int{1, 2000} {
		store := memstore.New()
		p, err := Open(Config{Store: store, Key: key("founder"), Mesh: found(t, store), Values: schemasOf{size}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		const n = dag.MaxSchemas + 20
		for i := range n {
			put(t, p, fmt.Sprint("k", i), fmt.Sprintf("%04d", i))
		}
		settle(t, p)
		carried := 0
		for _, op := range p.Graph().Since(nil) {
			_, body, err := p.Fetch(op.ID())
			if err != nil {
				t.Fatal(err)
			}
			b, err := dag.DecodeBody(body)
			if err != nil {
				t.Fatal(err)
			}
			carried += len(b.Schemas)
		}
		if carried != n {
			t.Errorf("%d schemas are carried, want %d", carried, n)
		}
		q := joined(t, p, "second", 1)
		if got, want := get(t, q, "k3"), "0003"; got != want {
			t.Errorf("k3 is %q, want %q", got, want)
		}
		replaysEqual(t, p)
	}
}

// TestSealRecordSchemas: the record of a seal keeps what the op carries.
func TestSealRecordSchemas(t *testing.T) {
	s := sealRecord{revision: 9, block: []byte("block"), schemas: [][]byte{{}, []byte("one")}, statements: [][]byte{[]byte("statement")}}
	got, err := decodeSeal(s.append(nil))
	if err != nil || len(got.schemas) != 2 || !bytes.Equal(got.schemas[1], s.schemas[1]) || len(got.statements) != 1 {
		t.Errorf("decodeSeal = %+v, %v", got, err)
	}
	s.schemas = make([][]byte, dag.MaxSchemas+1)
	if got, err := decodeSeal(s.append(nil)); err == nil {
		t.Errorf("decodeSeal of %d schemas = %+v", len(s.schemas), got)
	}
}
