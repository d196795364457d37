package dag_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func TestAt(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1 -> b2 -> b3
		     |  -> b2' -> b3'
		b2 -> b3''
	`)
	c.Add()
	for _, test := range []struct {
		author int
		seq    uint64
		want   []string
	}{
		{0, 1, []string{"G"}},
		{1, 0, nil},
		{1, 1, []string{"b1"}},
		{1, 2, []string{"b2", "b2'"}},
		{1, 3, []string{"b3", "b3'", "b3''"}},
		{1, 4, nil},
		{2, 1, nil},
	} {
		var got []string
		ops := m.Graph.At(m.Author(test.author), test.seq)
		if !slices.IsSortedFunc(ops, func(a, b *dag.Op) int { return a.ID().Compare(b.ID()) }) {
			t.Errorf("At(%d, %d) is not ascending", test.author, test.seq)
		}
		for _, op := range ops {
			if name := c.Name(op.ID()); name != "" {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("At(%d, %d) = %v, want %v", test.author, test.seq, got, test.want)
		}
	}
}

// TestHeadsOf checks HeadsOf against its definition, over all subsets.
func TestHeadsOf(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> a1 -> b1 -> a2
		     |  -> c1 -> c2
		     |  -> c1' -> c2'
		b1, c2 -> d1
	`)
	c.Add()
	all := m.Graph.Since(nil)
	for mask := range 1 << len(all) {
		var in, want []*dag.Op
		for i, op := range all {
			if mask>>i&1 == 1 {
				in = append(in, op, op)
			}
		}
		for i, op := range in {
			if i%2 == 0 && !slices.ContainsFunc(in, func(o *dag.Op) bool { return o.InPast(op) }) {
				want = append(want, op)
			}
		}
		slices.SortFunc(want, func(a, b *dag.Op) int { return a.ID().Compare(b.ID()) })
		if got := dag.HeadsOf(in); !slices.Equal(got, want) {
			t.Fatalf("HeadsOf of subset %b = %d ops, want %d", mask, len(got), len(want))
		}
	}
}

func TestDecodeNext(t *testing.T) {
	m := dagtest.New(t, 2)
	ops := []*dag.Signed{m.Founding, m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{m.Founding.ID()}})} // the second has no body
	var stream []byte
	for _, s := range slices.Concat(ops, ops) {
		stream = append(append(stream, s.Block()...), s.Body()...)
	}
	rest := stream
	for i, s := range slices.Concat(ops, ops) {
		u, next, err := dag.DecodeNext(rest)
		if err != nil {
			t.Fatalf("op %d: %v", i, err)
		}
		if u.ID() != s.ID() || !bytes.Equal(u.Body(), s.Body()) {
			t.Errorf("op %d is %v, want %v", i, u.ID(), s.ID())
		}
		rest = next
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
	first := len(ops[0].Block()) + len(ops[0].Body())
	for n := range first {
		u, _, err := dag.DecodeNext(stream[:n])
		var refusal *dag.Refusal
		if !errors.As(err, &refusal) || u != nil {
			t.Fatalf("DecodeNext of %d bytes = %v, %v, want a refusal", n, u, err)
		}
		if want := dag.ReasonBodySize; n >= len(ops[0].Block()) && refusal.Reason != want {
			t.Fatalf("DecodeNext of %d bytes: %v, want %v", n, refusal, want)
		}
	}
}
