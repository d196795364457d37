package reconcile

import (
	"math/rand/v2"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

// crowd returns two replicas that hold one op each of many authors.
func crowd(t testing.TB, authors int) (a, b *replica) {
	m := newMesh(t, authors)
	a, b = m.newReplica(true), m.newReplica(true)
	for i := 1; i < authors; i++ {
		op := a.mustAdd(a.signAt(i, nil, a.graph.Heads()[:1], 10))
		give(t, a, b, op)
	}
	return a, b
}

func give(t testing.TB, from, to *replica, op *dag.Op) {
	e := from.blobs[op.ID()]
	u, err := dag.Decode(e.block, e.body)
	if err != nil {
		t.Fatal(err)
	}
	to.mustAdd(dag.AssumeVerified(u))
}

// TestSketch: a sketch in place of the vector says the same. Where few authors differ
// one round trip does; where more do, more symbols come, and at last the vector.
func TestSketch(t *testing.T) {
	const authors = 400
	seed := max(*seedFlag, 1)
	a, b := crowd(t, authors)
	for _, c := range []struct {
		differing         int
		mores             int // at most
		forked            bool
		symbols, vectors  bool // whether such frames are seen
		overhead          int  // of both sides, in bytes, if not 0
		holdsNothing, ask bool
	}{
		{differing: 0, overhead: 1000},
		{differing: 3, overhead: 1000},
		{differing: 20, mores: 1, symbols: true},
		{differing: 150, mores: 2, symbols: true, vectors: true},
		{differing: 3, forked: true, mores: 1},
		{holdsNothing: true},
		{differing: 3, ask: true},
	} {
		rng := rand.New(rand.NewPCG(seed, uint64(c.differing)))
		for _, author := range rng.Perm(authors - 2)[:c.differing] {
			to := []*replica{a, b}[rng.IntN(2)]
			to.write(1+author, rng.IntN(100))
		}
		if c.forked { // two of its branches are known to one, one of them to the other
			first := a.graph.At(a.m.keys[authors-1].Public(), 1)[0]
			give(t, a, b, a.mustAdd(a.signAt(authors-1, first, []*dag.Op{first}, 1)))
			a.mustAdd(a.signAt(authors-1, first, []*dag.Op{first}, 2))
			b.mustAdd(b.signAt(authors-1, first, []*dag.Op{first}, 3))
		}
		x := &exchange{a: a, b: b, sketch: 100, fresh: true}
		if c.holdsNothing {
			x.b = a.m.newReplica(false)
		}
		if c.ask { // an anchor that b does not hold
			x.fresh = false
			x.b = b.m.newReplica(true)
			for _, op := range b.graph.Since(nil)[:b.graph.Len()-2] {
				if _, ok := x.b.graph.Get(op.ID()); !ok {
					give(t, b, x.b, op)
				}
			}
			a.peers[x.b] = memory{anchor: headIDs(a.graph.Heads(), MaxAnchor)}.encode()
		}
		var symbolsSeen, vectorSeen bool
		x.observe = func(_ int, _ *replica, frame []byte) {
			switch m, _ := decodeMessage(frame); m := m.(type) {
			case *symbols:
				symbolsSeen = true
			case *summary:
				vectorSeen = vectorSeen || m.purpose == purposePlain
				if m.purpose == purposeOpen && len(m.sketch) == 0 && !c.holdsNothing && !c.ask {
					t.Errorf("%+v: a summary without a sketch", c)
				}
			}
		}
		union, _, _ := unite(x.a, x.b)
		if err := x.run(); err != nil || x.errA != nil || x.errB != nil {
			t.Fatalf("%+v: %v, %v, %v", c, err, x.errA, x.errB)
		}
		st := x.sa.Stats()
		mores := max(x.sa.mores, x.sa.wasMore)
		if !x.sa.Complete() || !x.sb.Complete() || x.a.graph.Len() != len(union) || x.b.graph.Len() != len(union) {
			t.Errorf("seed %d: %+v: not complete: %+v", seed, c, st)
		}
		if mores > c.mores || symbolsSeen != c.symbols && c.mores > 0 && !c.forked || vectorSeen != c.vectors {
			t.Errorf("seed %d: %+v: asked for more %d times, symbols %t, vector %t", seed, c, mores, symbolsSeen, vectorSeen)
		}
		if bytes := int(st.SummaryBytesSent + st.SummaryBytesReceived); c.overhead > 0 && bytes > c.overhead {
			t.Errorf("seed %d: %+v: %d bytes", seed, c, bytes)
		}
		if !c.forked && (st.Duplicates > 0 || x.sb.Stats().Duplicates > 0) {
			t.Errorf("seed %d: %+v: ops sent that the other held: %+v", seed, c, st)
		}
	}
}

// BenchmarkSketch measures a session of two nodes with 5,000 authors, of whom
// 50 differ, both sides together.
func BenchmarkSketch(b *testing.B) {
	const authors = 5000
	x, y := crowd(b, authors)
	for i := range 50 {
		[]*replica{x, y}[i%2].write(1+i, 10)
	}
	b.ReportAllocs()
	for b.Loop() {
		e := &exchange{a: x, b: y, fresh: true, cut: 2} // the summaries, and what follows from them
		if err := e.run(); err != nil {
			b.Fatal(err)
		}
	}
}
