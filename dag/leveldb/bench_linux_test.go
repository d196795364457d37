package leveldb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
)

// payload is like a small Kubernetes object: 400 bytes that compress well.
func payload(n int) []byte {
	const object = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-%08d","namespace":"default","uid":"0f9a%08x-5c1e","labels":{"app":"web","tier":"front"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1.2.%d","resources":{"limits":{"cpu":"500m","memory":"128Mi"}}}]},"status":{"phase":"Running","podIP":"10.0.%d.%d"}} `
	b := fmt.Appendf(nil, object, n, n*7919, n%100, n>>8&255, n&255)
	for len(b) < 400 {
		b = append(b, ' ')
	}
	return b[:400]
}

func batch(n int) []dag.Record {
	recs := make([]dag.Record, n)
	for i := range recs {
		recs[i] = dag.Record{Kind: 1, Payload: payload(i)}
	}
	recs[0].Ops = []dag.ID{{1}}
	return recs
}

// BenchmarkAppend measures synced appends of a record of 400 bytes, and of 100
// of them, on the disk of TMPDIR. Raw files show what the disk allows: fsync,
// fdatasync, and fdatasync in preallocated space, which is what the store does.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d/store", n), func(b *testing.B) { benchStore(b, n, true) })
		b.Run(fmt.Sprintf("records=%d/store-unsynced", n), func(b *testing.B) { benchStore(b, n, false) })
		// The journal's bytes for such a batch: per record a header, a key
		// and framing, and the mark.
		size := n*(400+79+14) + 100
		b.Run(fmt.Sprintf("records=%d/raw-fsync", n), func(b *testing.B) { benchRaw(b, size, 0, unix.Fsync) })
		b.Run(fmt.Sprintf("records=%d/raw-fdatasync", n), func(b *testing.B) { benchRaw(b, size, 0, unix.Fdatasync) })
		b.Run(fmt.Sprintf("records=%d/raw-preallocated", n), func(b *testing.B) { benchRaw(b, size, 9<<20, unix.Fdatasync) })
	}
}

func benchStore(b *testing.B, n int, sync bool) {
	s, err := leveldb.Open(filepath.Join(b.TempDir(), "store"), leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	recs := batch(n)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		recs[0].Ops[0] = dag.ID{byte(i * 0x9e3779b97f4a7c15 >> 56), byte(i), byte(i >> 8), byte(i >> 16)}
		if _, err := s.Append(recs, sync); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func benchRaw(b *testing.B, size, preallocate int, sync func(int) error) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	reserve := func() {
		if preallocate == 0 {
			return
		}
		// A new extent, as a new journal has.
		if err := f.Truncate(0); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(preallocate)); err != nil {
			b.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			b.Fatal(err)
		}
	}
	reserve()
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i) | 1
	}
	written := 0
	for b.Loop() {
		if written += size; preallocate > 0 && written > preallocate {
			written = size
			reserve()
		}
		if _, err := f.Write(p); err != nil {
			b.Fatal(err)
		}
		if err := sync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead measures random reads and op lookups in a log of 100,000
// records, freshly opened, and a full scan of it.
func BenchmarkRead(b *testing.B) {
	const n = 100_000
	dir := filepath.Join(b.TempDir(), "store")
	s, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	op := func(i int) dag.ID {
		h := uint64(i) * 0x9e3779b97f4a7c15
		return dag.ID{byte(h >> 56), byte(h >> 48), byte(h >> 40), byte(i), byte(i >> 8), byte(i >> 16)}
	}
	for i := 0; i < n; {
		recs := batch(100)
		for j := range recs {
			recs[j].Ops = []dag.ID{op(i)}
			i++
		}
		if _, err := s.Append(recs, false); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s, err = leveldb.Open(dir, leveldb.Options{}); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.Run("read", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Read(dag.Index(1 + i*7919%n)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lookup", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok, err := s.Lookup(op(i * 7919 % n)); err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			if err := s.Scan(1, func(dag.Index, dag.Record) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
