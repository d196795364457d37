package reconcile

import (
	"fmt"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

const (
	benchAuthors = 50
	benchOps     = 100_000
)

var large struct {
	sync.Once
	*replica
}

// largeGraph returns a graph of benchOps ops of benchAuthors authors that meet
// now and then, made once.
func largeGraph(b *testing.B) *replica {
	large.Do(func() {
		r := newMesh(b, benchAuthors).newReplica(true)
		last := make([]*dag.Op, benchAuthors) // of each author
		last[0] = r.graph.Founding()
		for i := 0; r.graph.Len() < benchOps; i++ {
			author := i % benchAuthors
			parents := []*dag.Op{r.graph.Founding()}
			if last[author] != nil {
				parents[0] = last[author]
			}
			if peer := (i * 7) % benchAuthors; i%10 == 0 && last[peer] != nil {
				parents = reduce(append(parents, last[peer]))
			}
			last[author] = r.mustAdd(r.signAt(author, last[author], parents, 16))
		}
		large.replica = r
	})
	large.m.t = b
	return large.replica
}

// BenchmarkSummary measures building and encoding an opening summary of a
// graph of 100,000 ops, where so many authors moved since the anchor. It
// prints the summary's size.
func BenchmarkSummary(b *testing.B) {
	r := largeGraph(b)
	all := r.graph.Since(nil)
	for _, moved := range []int{0, 2, benchAuthors} {
		b.Run(fmt.Sprintf("moved=%d", moved), func(b *testing.B) {
			anchor := reduce(all[:len(all)-moved])
			var frame []byte
			b.ReportAllocs()
			for b.Loop() {
				frame = stateOf(r.graph).summary(r.m.id, purposeOpen, anchor).encode()
			}
			b.ReportMetric(float64(len(frame)), "summary-B")
			b.ReportMetric(float64(len(anchor)), "anchor-ops")
		})
	}
}

// BenchmarkTwoAuthors prints the size of a summary of two sites that both
// wrote since they last met: both heads in the anchor, both authors moved.
func BenchmarkTwoAuthors(b *testing.B) {
	x, y, _ := scenario(b, 1000, 0)
	if err := (&exchange{a: x, b: y}).run(); err != nil {
		b.Fatal(err)
	}
	x.write(0, 1)
	x.write(1, 1)
	var frame []byte
	for b.Loop() {
		s, err := New(x, Config{Mesh: x.m.id, Anchor: x.anchors[y]})
		if err != nil {
			b.Fatal(err)
		}
		if frame, _, err = s.Next(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(frame)), "summary-B")
}

// BenchmarkLacks measures finding what a peer lacks in a graph of 100,000 ops.
func BenchmarkLacks(b *testing.B) {
	r := largeGraph(b)
	all := r.graph.Since(nil)
	for _, n := range []int{0, 10, 1000, len(all)} {
		b.Run(fmt.Sprintf("ops=%d", n), func(b *testing.B) {
			s := &summary{mesh: r.m.id}
			for _, op := range reduce(all[:len(all)-n]) {
				s.tips = append(s.tips, tip{author: op.Author(), seq: op.Seq(), id: op.ID()})
			}
			b.ReportAllocs()
			for b.Loop() {
				ops, err := lacks(r.graph, s, false)
				if err != nil || len(ops) != n {
					b.Fatalf("lacks = %d ops, %v, want %d", len(ops), err, n)
				}
			}
		})
	}
}
