package reconcile

import (
	"encoding/binary"
	"testing"
)

// TestFilter: a filter has what was put in, and misses as rarely as it should,
// however few ops are in it.
func TestFilter(t *testing.T) {
	next := uint64(max(*seedFlag, 1)) << 32
	random := func() mark {
		next++
		var x [32]byte
		binary.BigEndian.PutUint64(x[:], next)
		return salt{}.mark(x)
	}
	for _, n := range []int{1, 2, 3, 10, 100, 10_000} {
		const tests = 200_000
		misses := 0
		for range 20 { // filters, since one with many bits set by chance misses often
			f := newFilter(n)
			for range n {
				m := random()
				if f.put(m); !f.has(m) {
					t.Fatalf("a filter of %d has not what was put in", n)
				}
			}
			for range tests / 20 {
				if f.has(random()) {
					misses++
				}
			}
		}
		if rate := float64(misses) / tests; rate > 1e-4 {
			t.Errorf("a filter of %d ops misses %v of the others, want 10^-5 or so", n, rate)
		}
	}
	if f := newFilter(0); f.hashes != 0 || f.has(random()) {
		t.Error("a filter of nothing is none")
	}
	if f := newFilter(MaxFilter); f.hashes == 0 || len(f.bits) > MaxFilter {
		t.Errorf("a filter of many ops has %d bytes and %d hashes", len(f.bits), f.hashes)
	}
	if f := newFilter(MaxFilter * 8); f.hashes != 0 {
		t.Error("a filter of too many ops is none")
	}
}
