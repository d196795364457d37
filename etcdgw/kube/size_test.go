package kube_test

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// TestSchemaSize says what a schema costs an operation: once as a block, and in
// each replace as a reference (docs/op.md, sections 4 and 5).
func TestSchemaSize(t *testing.T) {
	for _, value := range []string{enveloped("v1", "Pod", "1"), object("v1", "Pod", "", "")} {
		s, ok := kube.SchemaFor([]byte(value))
		if !ok {
			t.Fatal("no schema of a Pod")
		}
		size := func(id dag.SchemaID, schemas ...[]byte) int {
			put := dag.Transaction{{Kind: dag.Replace, Key: []byte("/registry/pods/n/a"), Value: []byte(value), Schema: id}}
			return len(dag.Body{Transactions: [][]byte{put.Append(nil)}, Schemas: schemas}.Encode())
		}
		plain, named, carried := size(dag.SchemaJSON), size(s.ID()), size(s.ID(), s.Encoding())
		t.Logf("%.4q: the schema has %d bytes, its block takes %d of a body, a reference %d more than plain JSON's 1",
			value, len(s.Encoding()), carried-named, named-plain)
		if size(dag.SchemaOpaque) != plain || named-plain > 34 || carried-named > len(s.Encoding())+4 {
			t.Errorf("a body of %d bytes, %d with the reference, %d with the block", plain, named, carried)
		}
	}
}
