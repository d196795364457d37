package identity_test

import (
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// TestStatementsAndCarriers carries a statement on two branches, and on one of them twice.
func TestStatementsAndCarriers(t *testing.T) {
	m := dagtest.New(t, 2)
	s := m.State(m.Key("nobody"), nil, identity.Endorse{})
	carry := func(author int, parents ...dag.ID) dag.ID {
		op := m.Sign(dagtest.Draft{Author: author, Parents: parents, Statements: []*identity.Statement{s}})
		m.Add(op)
		return op.ID()
	}
	a := carry(0, m.Founding.ID())
	carry(0, a)
	b := carry(1, m.Founding.ID())
	r := m.Graph.Roster()

	all := r.Statements()
	if len(all) != r.Len() || !slices.Contains(all, r.Statement(s.ID())) {
		t.Errorf("Statements() are %d, want %d with the one carried last", len(all), r.Len())
	}
	if !slices.IsSortedFunc(all, func(a, b *identity.Statement) int { return a.ID().Compare(b.ID()) }) {
		t.Error("Statements() do not ascend by ID")
	}
	want := []identity.Carrier{{Op: a, Author: m.Author(0)}, {Op: b, Author: m.Author(1)}}
	slices.SortFunc(want, func(a, b identity.Carrier) int { return dag.ID(a.Op).Compare(b.Op) })
	if got := r.Carriers(s.ID()); !slices.Equal(got, want) {
		t.Errorf("Carriers = %v, want %v", got, want)
	}
	if got := r.Carriers(identity.StatementID{}); got != nil {
		t.Errorf("Carriers of nothing = %v, want none", got)
	}
}
