package dag_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func TestForks(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1 -> b2 -> b3
		     |  -> b2'
		     |  -> b2''
		G -> c1
		G -> c1'{/k=v}
	`)
	for _, test := range []struct{ add, sibling string }{
		{"b1", ""}, {"b2", ""}, {"b3", ""}, {"b2'", "b2"}, {"b2''", "b2"}, {"c1", ""}, {"c1'", "c1"},
	} {
		o, forks, err := m.Graph.Add(c.Signed(test.add))
		if err != nil {
			t.Fatal(err)
		}
		if test.sibling == "" {
			if len(forks) != 0 {
				t.Errorf("Add(%s) made forks %v", test.add, forks)
			}
			continue
		}
		want := []dag.ID{c.ID(test.sibling), o.ID()}
		slices.SortFunc(want, dag.ID.Compare)
		if len(forks) != 1 || forks[0] != (dag.Fork{Author: o.Author(), A: want[0], B: want[1]}) {
			t.Errorf("Add(%s) made forks %v, want one with %s", test.add, forks, test.sibling)
		}
	}
	if n := len(m.Graph.Forks()); n != 3 {
		t.Errorf("%d forks, want 3", n)
	}
}

// TestRotatedTwice: however many statements rotate to a key, of one chain of the
// old key one op alone is the prev of its first: else a thief could begin many
// branches of which no two prove a fork.
func TestRotatedTwice(t *testing.T) {
	m := dagtest.NewMesh(t, dagtest.Config{Authors: 2, Rotations: 2})
	c := m.Draw("x = rotate b index=1\nG -> b1{!x}")
	const more = 12
	for i := 2; i <= more; i++ {
		c.Draw(fmt.Sprintf("r%d = rotate b index=%d key=x\nb%d -> b%d{!r%d}", i, 1+i%2, i-1, i, i))
	}
	for i := 1; i <= more; i++ {
		c.Add(fmt.Sprintf("b%d", i))
	}
	for i := 1; i <= more; i++ {
		c.Draw(fmt.Sprintf("b%d -> x%d{/b/k=%d ^b1}", more, i, i))
		if i > 1 {
			c.Draw(fmt.Sprintf("b%d -> x%d'{^b%d}", i, i, i))
			if _, _, err := m.Graph.Add(c.Signed(fmt.Sprintf("x%d'", i))); dag.ReasonOf(err) != dag.ReasonPrevAuthor {
				t.Errorf("first op of the key with prev b%d: %v, want %v", i, err, dag.ReasonPrevAuthor)
			}
		}
		_, forks, err := m.Graph.Add(c.Signed(fmt.Sprintf("x%d", i)))
		if err != nil || (len(forks) == 1) != (i > 1) {
			t.Errorf("first op with prev b1: %v, %d forks", err, len(forks))
		}
	}
}

// TestForksOfRotatedKeys: branches of a rotated key have the op that carries the
// rotation as their common prev, unless the key before has forked, too.
func TestForksOfRotatedKeys(t *testing.T) {
	m := dagtest.NewMesh(t, dagtest.Config{Authors: 2, Rotations: 2})
	c := m.Draw(`
		x = rotate b index=1
		G -> b1{!x} -> b2
		b1 -> x1 -> x2
		b1 -> x1'{/k=v}
		G -> b1'{!x} -> x1''
	`)
	if prevs := m.Graph.Prevs(c.Signed("x1").Header().Author); len(prevs) != 0 {
		t.Errorf("prevs of a key unknown = %s", c.NamesOf(prevs))
	}
	c.Add("b1", "b2")
	key, _ := c.Key('x')
	if got := c.NamesOf(m.Graph.Prevs(key)); got != "b1" {
		t.Errorf("prevs of the rotated key = %s, want b1", got)
	}
	c.Add("x1", "x2", "x1'")
	want := []dag.ID{c.ID("x1"), c.ID("x1'")}
	slices.SortFunc(want, dag.ID.Compare)
	if forks := m.Graph.Forks(); len(forks) != 1 || forks[0] != (dag.Fork{Author: key, A: want[0], B: want[1]}) {
		t.Errorf("forks = %v, want that of x1 and x1'", forks)
	}
	c.Add("b1'", "x1''")
	if forks := m.Graph.Forks(); len(forks) != 2 || forks[1].Author != m.Author(1) {
		t.Errorf("forks = %v, want one more, of b", forks)
	}
	if n := len(m.Graph.Tips(key)); n != 3 || !m.Graph.Forked(key) {
		t.Errorf("%d branches of the rotated key, want 3", n)
	}
	if got := m.Graph.At(key, 2); len(got) != 3 {
		t.Errorf("ops of the rotated key at seq 2: %s, want three", c.NamesOf(got))
	}
	o := c.Op("x2")
	if o.Seq() != 3 || o.Position() != 1 || o.Prev() != c.Op("x1") || c.Op("x1").Prev() != c.Op("b1") {
		t.Errorf("x2 is at seq %d and position %d", o.Seq(), o.Position())
	}
}

func TestForkProof(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1 -> b2
		     |  -> b2'
		G -> b1'
		G -> c1 -> c2
	`)
	block := func(name string) []byte { return c.Signed(name).Block() }
	for _, pair := range [][2]string{{"b1", "b1'"}, {"b2", "b2'"}, {"b2'", "b2"}} {
		author, err := dag.VerifyFork(block(pair[0]), block(pair[1]))
		if err != nil || author != m.Author(1) {
			t.Errorf("VerifyFork(%v) = %v, %v, want b", pair, author, err)
		}
		proof, err := dag.AppendForkProof(nil, block(pair[0]), block(pair[1]))
		if err != nil {
			t.Fatal(err)
		}
		f, err := dag.ParseForkProof(proof)
		if err != nil || f.Author != m.Author(1) || f.A.Compare(f.B) >= 0 || c.ID(pair[0]) != f.A && c.ID(pair[0]) != f.B {
			t.Errorf("ParseForkProof(%v) = %+v, %v", pair, f, err)
		}
	}
	forged := slices.Clone(block("b2'"))
	forged[len(forged)-1] ^= 1
	other := dagtest.NewMesh(t, dagtest.Config{Name: "other", Authors: 2})
	foreign := other.Sign(dagtest.Draft{Key: m.Node(1), Parents: []dag.ID{other.Founding.ID()}}).Block()
	for name, pair := range map[string][2][]byte{
		"one block":         {block("b1"), block("b1")},
		"other authors":     {block("b1"), block("c1")},
		"other prevs":       {block("b1"), block("b2")},
		"other meshes":      {block("b1"), foreign},
		"a forged one":      {block("b2"), forged},
		"a cut one":         {block("b2"), block("b2'")[:9]},
		"founding ops":      {m.Founding.Block(), m.Sign(dagtest.Draft{First: true, Edit: func(h *dag.Header) { h.Mesh = nil }}).Block()},
		"nothing":           {nil, block("b1")},
		"the other founder": {m.Founding.Block(), other.Founding.Block()},
	} {
		if _, err := dag.VerifyFork(pair[0], pair[1]); !errors.Is(err, dag.ErrForkProof) {
			t.Errorf("VerifyFork of %s = %v, want ErrForkProof", name, err)
		}
		if _, err := dag.AppendForkProof(nil, pair[0], pair[1]); err == nil {
			t.Errorf("AppendForkProof of %s made a proof", name)
		}
	}
	proof, _ := dag.AppendForkProof(nil, block("b2"), block("b2'"))
	a, b := block("b2"), block("b2'")
	if c.ID("b2").Compare(c.ID("b2'")) < 0 {
		a, b = b, a
	}
	for name, bad := range map[string][]byte{
		"descending": slices.Concat(proof[:1], a, b),
		"trailing":   append(slices.Clone(proof), 0),
		"cut":        proof[:len(proof)-1],
		"empty":      nil,
		"long":       make([]byte, 1+2*dag.MaxBlock+1),
	} {
		if _, err := dag.ParseForkProof(bad); !errors.Is(err, dag.ErrForkProof) {
			t.Errorf("ParseForkProof of a %s proof = %v, want ErrForkProof", name, err)
		}
	}
}
