package dag_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestRebuild: an op made of its parts is the op that its bytes decode to, and
// no other parts will do.
func TestRebuild(t *testing.T) {
	m := dagtest.New(t, 1)
	founding := m.Enrolled[0]
	body, err := dag.DecodeBody(founding.Body())
	if err != nil {
		t.Fatal(err)
	}
	statements := body.Statements
	rapid.Check(t, func(t *rapid.T) {
		var parts []dag.Transaction
		var b dag.Body
		for _, ws := range rapid.SliceOfN(rapid.SliceOfN(writes(), 1, 30), 0, 30).Draw(t, "transactions") {
			parts = append(parts, ws)
			b.Transactions = append(b.Transactions, dag.Transaction(ws).Append(nil))
		}
		b.Statements = statements[:rapid.IntRange(0, len(statements)).Draw(t, "statements")]
		b.Schemas = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 9), 0, 3).Draw(t, "schemas")
		id := founding.ID()
		s, err := dag.Sign(dag.Header{Mesh: &id, Seq: 1, Parents: []dag.ID{id}, Depth: 2}, b, m.Node(0))
		if err != nil {
			t.Fatal(err)
		}
		u, err := dag.Rebuild(s.Block(), parts, b.Statements, b.Schemas)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.CheckBody(); err != nil {
			t.Error(err)
		}
		if u.ID() != s.ID() || cmp.Diff(s.Header(), u.Header()) != "" || len(u.Statements()) != len(s.Statements()) || len(u.Schemas()) != len(b.Schemas) {
			t.Errorf("Rebuild() = %v %+v, want %v %+v", u.ID(), u.Header(), s.ID(), s.Header())
		}
		if diff := cmp.Diff(s.Transactions(), u.Transactions(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}

		wrong := map[string]func() ([]dag.Transaction, [][]byte){
			"one transaction more": func() ([]dag.Transaction, [][]byte) {
				return append(slices.Clone(parts), dag.Transaction{{Key: []byte("k")}}), b.Statements
			},
			"one statement less": func() ([]dag.Transaction, [][]byte) {
				return parts, b.Statements[:max(0, len(b.Statements)-1)]
			},
			"another key": func() ([]dag.Transaction, [][]byte) {
				other := slices.Clone(parts)
				if len(other) > 0 {
					other[0] = slices.Clone(other[0])
					other[0][0].Key = slices.Clone(other[0][0].Key)
					other[0][0].Key[0]++
				}
				return other, b.Statements
			},
		}
		for name, change := range wrong {
			transactions, statements := change()
			if len(statements) == len(b.Statements) && cmp.Equal(transactions, parts, cmpopts.EquateEmpty()) {
				continue
			}
			u, err := dag.Rebuild(s.Block(), transactions, statements, b.Schemas)
			if err == nil {
				err = u.CheckBody()
			}
			if r := dag.ReasonOf(err); r != dag.ReasonRoots && r != dag.ReasonBodySize {
				t.Errorf("with %s: %v, want a refusal of size or roots", name, err)
			}
		}
		u, err = dag.Rebuild(s.Block(), parts, b.Statements, append(slices.Clone(b.Schemas), []byte{1}))
		if err == nil {
			err = u.CheckBody()
		}
		if r := dag.ReasonOf(err); r != dag.ReasonBodySize {
			t.Errorf("with one schema more: %v, want a refusal of size", err)
		}
	})
}
