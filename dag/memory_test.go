package dag_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// TestRostersShareMemory: each op has a roster, and in a mesh of two sites that admit and
// enrol at the same time no two are equal. What an op costs must not grow with their number.
func TestRostersShareMemory(t *testing.T) {
	cost := func(ops int) float64 {
		m := dagtest.New(t, 2)
		signed := make([]*dag.Signed, ops)
		last := [2]dag.ID{m.Founding.ID(), m.Founding.ID()}
		for i := range signed {
			operator := m.Key(fmt.Sprint("operator ", i))
			admit := m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Admit{Name: "x", Keys: []identity.PublicKey{operator.Public()},
				Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"/a/**"}, Nodes: 1}}})
			d := dagtest.Draft{Author: i % 2, Parents: []dag.ID{last[i%2]}, Statements: []*identity.Statement{admit}}
			if i%16 == 15 && last[0] != last[1] {
				d.Parents = last[:]
			}
			d.First = i == 1
			signed[i] = m.Sign(d)
			last[i%2] = signed[i].ID()
			if len(d.Parents) == 2 {
				last[1-i%2] = last[i%2]
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, s := range signed {
			m.Add(s)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(signed)
		runtime.KeepAlive(m)
		return float64(after.HeapAlloc-before.HeapAlloc) / float64(ops)
	}
	few, many := cost(200), cost(800)
	t.Logf("an op with a statement costs %.0f bytes among 200, %.0f among 800", few, many)
	if many > 2*few {
		t.Errorf("an op with a statement costs %.0f bytes among 200, %.0f among 800", few, many)
	}
}
