package crdt

import (
	"fmt"
	"strings"
	"testing"
)

// pod returns a JSON object of about 2 KB and 100 fields, of which some are changed.
func pod(changed map[int]string) []byte {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		v := fmt.Sprintf("value %d", i)
		if c, ok := changed[i]; ok {
			v = c
		}
		fmt.Fprintf(&b, `"field%02d":%q`, i, v)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	v := pod(nil)
	b.SetBytes(int64(len(v)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(v, nil)
	}
}

// BenchmarkDiff compares 2 KB objects whose trees are there: four fields differ.
func BenchmarkDiff(b *testing.B) {
	old, new := Parse(pod(nil), nil), Parse(pod(map[int]string{3: "a", 20: "b", 50: "c", 99: "d"}), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Diff(old, new); !ok {
			b.Fatal("no patch")
		}
	}
}

// BenchmarkPut is what a put costs its origin: parse the new value, compare.
func BenchmarkPut(b *testing.B) {
	old, value := Parse(pod(nil), nil), pod(map[int]string{3: "a", 20: "b", 50: "c", 99: "d"})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Diff(old, Parse(value, nil)); !ok {
			b.Fatal("no patch")
		}
	}
}

// BenchmarkApply is what a replicated put costs: decode the patch, apply it.
func BenchmarkApply(b *testing.B) {
	old, new := Parse(pod(nil), nil), Parse(pod(map[int]string{3: "a", 20: "b", 50: "c", 99: "d"}), nil)
	p, _ := Diff(old, new)
	b.ReportAllocs()
	b.ReportMetric(float64(len(p.encoding)), "patch-bytes")
	for b.Loop() {
		p, err := DecodePatch(p.encoding)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Apply(old, p); err != nil {
			b.Fatal(err)
		}
	}
}

// branches returns writes that each saw the first one only, and each change
// every k-th of the 100 fields.
func branches(n, k int) []Write {
	base := Parse(pod(nil), nil)
	first := Position{Depth: 1}
	writes := []Write{{Position: first, Incarnation: first, Value: base.value}}
	for i := range n {
		changed := make(map[int]string)
		for f := 0; f < 100; f += k {
			changed[f] = fmt.Sprintf("by %d", i)
		}
		p, _ := Diff(base, Parse(pod(changed), nil))
		pos := Position{Depth: 2, Op: [32]byte{byte(i >> 8), byte(i)}}
		writes = append(writes, Write{Position: pos, Kind: Patched, Incarnation: first, Patch: p})
	}
	return writes
}

// BenchmarkMerge merges two edits of 100 fields each.
func BenchmarkMerge(b *testing.B) {
	writes := branches(2, 1)
	b.ReportAllocs()
	for b.Loop() {
		h := NewHistory()
		for _, w := range writes {
			h.Add(w, func(n int) bool { return n == 0 })
		}
		if !h.Value().Merged {
			b.Fatal("not merged")
		}
	}
}

// BenchmarkBranches merges a thousand concurrent edits of ten fields of one key.
func BenchmarkBranches(b *testing.B) {
	writes := branches(1000, 10)
	b.ReportAllocs()
	for b.Loop() {
		h := NewHistory()
		for _, w := range writes {
			h.Add(w, func(n int) bool { return n == 0 })
		}
		if !h.Value().Merged {
			b.Fatal("not merged")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/write")
}

// BenchmarkChains merges what two sites wrote one after the other, each of
// them thousands of times, cut off from each other.
func BenchmarkChains(b *testing.B) {
	const n = 2000
	base := Parse(pod(nil), nil)
	first := Position{Depth: 1}
	writes := []Write{{Position: first, Incarnation: first, Value: base.value}}
	for site := range 2 {
		old := base
		for i := range n {
			new := Parse(pod(map[int]string{site: fmt.Sprint(i), 2: fmt.Sprint(site, i)}), nil)
			p, _ := Diff(old, new)
			old = new
			pos := Position{Depth: uint64(2 + i), Op: [32]byte{byte(site)}}
			writes = append(writes, Write{Position: pos, Kind: Patched, Incarnation: first, Patch: p})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		h := NewHistory()
		for i, w := range writes {
			h.Add(w, func(n0 int) bool { return n0 == 0 || n0 < i && (n0-1)/n == (i-1)/n })
		}
		if !h.Value().Merged {
			b.Fatal("not merged")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(writes)), "µs/write")
}
