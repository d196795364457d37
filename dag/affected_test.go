package dag_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestAffected: what one statement may change, and no more. Ops without writes are never affected.
func TestAffected(t *testing.T) {
	m := dagtest.New(t, 2)
	c := m.Draw(`
		Ann = admit admin /x/** nodes=1
		Bob = admit writer /x/** nodes=3 by=Ann
		n = enrol Ann
		x = enrol Bob slot=0 rotations=1
		y = enrol Bob slot=1
		z = rotate x index=1
		G -> a1{!Ann !Bob !n !x !y} -> x1{/x/k=1} -> x2{/x/k=2} -> x3 -> x4{!z /x/k=4} -> z1{/x/k=5}
		x1 -> x2'{/x/k=6}
		x2 -> y1{/x/k=7} -> b1{/home=1} -> n1{/x/n=1} -> a2{/home=2}
	`)
	base := slices.Clone(c.Names)
	for i, test := range []struct{ statement, affected string }{
		{"revoke Bob keep=x2,y1 by=Ann", "x2' x4 z1"}, // x2 is in the past of y1
		{"revoke Bob by=Ann", "x1 x2 x2' x4 y1 z1"},
		{"revoke x keep=x2 by=Bob", "x2' x4 z1"},
		{"revoke x key=z keep=x4 by=Bob", "z1"},
		{"revoke x key=x keep=x2 by=Bob", "x2' x4 z1"}, // with x4 goes the rotation
		{"revoke Ann keep=x4,y1", "n1 x2' z1"},
		{"narrow Bob writer /x/j keep=x4 by=Ann", "x2' y1 z1"},
		{"policy /x/k:1=local keep=y1", "a2 b1 n1 x2' x4 z1"},
		{"quota Bob writes=1", ""},
		{"enrol Bob slot=2", ""},
		{"admit writer /x/** by=Ann", ""},
		{"revoke Ann keep=x2 by=Bob", ""}, // as whom it has no effect
		{"version 1", ""},
	} {
		g := dag.NewGraph()
		add := func(s *dag.Signed) {
			if _, _, err := g.Add(s); err != nil {
				t.Fatal(err)
			}
		}
		add(m.Founding)
		for _, name := range base {
			add(c.Signed(name))
		}
		before := g.Roster()
		name := string(rune('c' + i)) // also fit for a node
		if !strings.HasPrefix(test.statement, "enrol") {
			name += "1"
		}
		c.Draw(fmt.Sprintf("%s = %s\na2, x2', z1 -> a%d{!%s}", name, test.statement, 10+i, name))
		add(c.Signed(fmt.Sprint("a", 10+i)))
		var got []string
		ops := g.Affected(before, g.Roster())
		for _, o := range ops {
			got = append(got, c.Name(o.ID()))
		}
		if !slices.IsSortedFunc(ops, func(a, b *dag.Op) int { return dag.CompareWrites(a, 0, 0, b, 0, 0) }) {
			t.Errorf("%s affects %v, not in order", test.statement, got)
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != test.affected {
			t.Errorf("%s affects %s, want %s", test.statement, s, test.affected)
		}
	}
}
