package dag_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// A shape is a way in which authors build on each other.
type shape struct {
	name    string
	authors int
	// parents returns the indexes of op i's parents among the ops, -1 for the founding op.
	parents func(i, authors int) []int
}

// shapes: one author alone, some who always see each other's last op, and
// many who work at the same time and see each other once a round.
var shapes = []shape{
	{"sequential", 1, func(i, _ int) []int { return []int{i - 1} }},
	{"alternating-10", 10, func(i, _ int) []int { return []int{i - 1} }},
	{"rounds-100", 100, func(i, n int) []int {
		if i < n {
			return []int{-1}
		}
		before := i - i%n - n
		return []int{before + i%n, before + (i+1)%n} // one's own and a neighbour's
	}},
}

// build makes count signed ops of that shape, each with one put.
func (sh shape) build(b *testing.B, count int) (*dagtest.Mesh, []*dag.Signed) {
	m := dagtest.New(b, sh.authors)
	ops := make([]*dag.Signed, count)
	last := make([]*dag.ID, sh.authors)
	g := m.Enrolled[len(m.Enrolled)-1].ID()
	last[0] = &g
	transaction := []dag.Transaction{{dagtest.Put("/registry/pods/default/web", "value")}}
	for i := range ops {
		d := dagtest.Draft{Author: i % sh.authors, Transactions: transaction}
		for _, p := range sh.parents(i, sh.authors) {
			if p < 0 {
				d.Parents = append(d.Parents, g)
			} else if len(d.Parents) == 0 || d.Parents[0] != ops[p].ID() {
				d.Parents = append(d.Parents, ops[p].ID())
			}
		}
		d.Prev = last[d.Author]
		d.First = d.Prev == nil
		ops[i] = m.Sign(d)
		id := ops[i].ID()
		last[d.Author] = &id
	}
	return m, ops
}

// BenchmarkAdd adds 100,000 ops and reports what an op costs in memory, the
// graph's index of IDs included.
func BenchmarkAdd(b *testing.B) {
	const count = 100_000
	for _, sh := range shapes {
		b.Run(sh.name, func(b *testing.B) {
			m, ops := sh.build(b, count)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var g *dag.Graph
			for b.Loop() {
				g = dag.NewGraph()
				for _, s := range m.Enrolled {
					if _, _, err := g.Add(s); err != nil {
						b.Fatal(err)
					}
				}
				for _, s := range ops {
					if _, _, err := g.Add(s); err != nil {
						b.Fatal(err)
					}
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "heap-B/op")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/add")
			runtime.KeepAlive(g)
			runtime.KeepAlive(m)
			runtime.KeepAlive(ops)
		})
	}
}

func BenchmarkInPast(b *testing.B) {
	for _, sh := range shapes {
		m, ops := sh.build(b, 10_000)
		g := m.Graph
		linked := make([]*dag.Op, len(ops))
		for i, s := range ops {
			o, _, err := g.Add(s)
			if err != nil {
				b.Fatal(err)
			}
			linked[i] = o
		}
		b.Run(sh.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % len(linked)
				linked[len(linked)-1-i/2].InPast(linked[i])
			}
		})
	}
}

// BenchmarkVerify: time for each op, by the size of the batch.
func BenchmarkVerify(b *testing.B) {
	_, ops := shapes[1].build(b, 256)
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("batch-", size), func(b *testing.B) {
			us := make([]*dag.Unverified, size)
			for i := range us {
				us[i] = ops[i].Unverified
			}
			for b.Loop() {
				if _, errs := dag.Verify(us); errs[0] != nil {
					b.Fatal(errs[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/signature")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	_, ops := shapes[1].build(b, 100)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s := ops[i%len(ops)]
		if _, err := dag.Decode(s.Block(), s.Body()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkSign(b *testing.B) {
	m, ops := shapes[0].build(b, 1)
	h := *ops[0].Header()
	body := dag.Body{Transactions: [][]byte{dag.Transaction{dagtest.Put("/registry/pods/default/web", "value")}.Append(nil)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dag.Sign(h, body, m.Node(0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSince: a peer lacks the last hundred of 10,000 ops.
func BenchmarkSince(b *testing.B) {
	m, ops := shapes[1].build(b, 10_000)
	var known *dag.Op
	for i, s := range ops {
		o := m.Add(s)
		if i == len(ops)-101 {
			known = o
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(m.Graph.Since([]*dag.Op{known})); n != 100 {
			b.Fatal(n)
		}
	}
}

// BenchmarkClaim: a forker has claimed one window in 5,000 branches. An op with
// as many branches of another author in its past, and the forker's last, claims it too.
func BenchmarkClaim(b *testing.B) {
	const branches, epoch = 5_000, 9
	m := dagtest.New(b, 4)
	g := []dag.ID{m.Founding.ID()}
	var claim dag.ID
	var past []dag.ID
	for range branches {
		claim = m.Add(m.Sign(dagtest.Draft{Author: 1, Parents: g, First: true, Epoch: epoch})).ID()
		past = append(past, m.Add(m.Sign(dagtest.Draft{Author: 2, Parents: g, First: true})).ID())
		if len(past) == dag.MaxParents {
			past = []dag.ID{m.Add(m.Sign(dagtest.Draft{Author: 0, Parents: past})).ID()}
		}
	}
	s := m.Sign(dagtest.Draft{Author: 3, Parents: append(past, claim), Epoch: epoch})
	for b.Loop() {
		if _, _, err := m.Graph.Add(s); dag.ReasonOf(err) != dag.ReasonEpoch {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/branches, "ns/claim")
}
