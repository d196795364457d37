package etcdsnap

import (
	"fmt"
	"io"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// benchKeys is how many keys a benchmark's snapshot has.
const benchKeys = 100_000

func benchChanges() []change {
	changes := make([]change, benchKeys)
	for i := range int64(benchKeys) {
		changes[i] = change{Revision{i + 2, 0}, value(fmt.Sprintf("/registry/pods/default/%08d", i), string(make([]byte, 256)), i+2, i+2, 1, 0)}
	}
	return changes
}

// BenchmarkWrite builds a snapshot and copies it to nowhere.
func BenchmarkWrite(b *testing.B) {
	changes, dir := benchChanges(), b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		w, err := Create(dir)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range changes {
			if err := w.Put(c.r, c.kv); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Finish(Meta{}, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Copy(b.Context(), io.Discard); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchKeys/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkLive reads what a restore reads.
func BenchmarkLive(b *testing.B) {
	s := mustOpen(b, save(b, write(b, Meta{}, nil, benchChanges())))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Live(b.Context(), nil, func(*mvccpb.KeyValue) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchKeys/b.Elapsed().Seconds(), "keys/s")
}
