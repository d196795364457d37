package dag_test

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

func TestJudgeAllocatesNothing(t *testing.T) {
	m, signed := crowd(t, 40)
	roster := m.Graph.Roster()
	for _, s := range signed {
		o := m.Add(s)
		if n := testing.AllocsPerRun(10, func() {
			if err := dag.Judge(roster, o).Void(s.Transactions()[0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
