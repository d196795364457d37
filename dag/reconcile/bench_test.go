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
				parents = dag.HeadsOf(append(parents, last[peer]))
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
			anchor := dag.HeadsOf(all[:len(all)-moved])
			var frame []byte
			b.ReportAllocs()
			for b.Loop() {
				sum, _, _ := stateOf(r.graph).summary(salt{}, r.m.id, purposeOpen, anchor)
				frame = sum.encode()
			}
			b.ReportMetric(float64(len(frame)), "summary-B")
			b.ReportMetric(float64(len(anchor)), "anchor-ops")
		})
	}
}

// BenchmarkLacks measures finding what a peer lacks in a graph of 100,000 ops.
func BenchmarkLacks(b *testing.B) {
	r := largeGraph(b)
	all := r.graph.Since(nil)
	for _, n := range []int{0, 10, 1000, len(all)} {
		b.Run(fmt.Sprintf("ops=%d", n), func(b *testing.B) {
			st := &statement{summary: new(summary)}
			for _, op := range dag.HeadsOf(all[:len(all)-n]) {
				st.vector = append(st.vector, tip{ref: salt{}.ref(op)})
			}
			b.ReportAllocs()
			for b.Loop() {
				names := newNames(r.graph, salt{})
				if ops := st.lacks(names, st.known(names, false)); len(ops) != n {
					b.Fatalf("lacks = %d ops, want %d", len(ops), n)
				}
			}
		})
	}
}

// BenchmarkJoin measures how a fresh node gets 100,000 ops: finding, framing
// and decoding them at both sides, without verifying or admitting them.
func BenchmarkJoin(b *testing.B) {
	r := largeGraph(b)
	for b.Loop() {
		from, err := New(r, Config{Mesh: r.m.id, MaxBytes: MaxSessionBytes})
		if err != nil {
			b.Fatal(err)
		}
		to, err := New(r.m.newReplica(false), Config{Mesh: r.m.id})
		if err != nil {
			b.Fatal(err)
		}
		for moved := true; moved; {
			moved = false
			for _, pair := range [][2]*Session{{from, to}, {to, from}} {
				frame, _, err := pair[0].Next()
				if err == nil && frame != nil {
					moved = true
					_, err = pair[1].Receive(frame)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		if st := to.Stats(); st.OpsReceived < benchOps {
			b.Fatalf("%+v", st)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchOps, "ns/op-sent")
}
