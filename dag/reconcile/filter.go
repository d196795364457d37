package reconcile

import (
	"iter"
	"math"
)

// A filter is a Bloom filter: whatever was put in is in it, and of other ops
// few seem to be. The zero value is no filter.
type filter struct {
	hashes int
	bits   []byte
}

// maxHashes bounds the hashes of a filter, and so the work for each op.
const maxHashes = 32

// newFilter returns an empty filter for n ops, none if they are too many.
func newFilter(n int) filter {
	per := min(filterBits, MaxFilter*8/max(n, 1))
	if n == 0 || per < minFilterBits {
		return filter{}
	}
	return filter{hashes: int(math.Round(float64(per) * math.Ln2)), bits: make([]byte, (n*per+7)/8)}
}

// put puts m in.
func (f filter) put(m mark) {
	for i := range f.indexes(m) {
		f.bits[i/8] |= 1 << (i % 8)
	}
}

// has reports whether m seems to be in f.
func (f filter) has(m mark) bool {
	for i := range f.indexes(m) {
		if f.bits[i/8]&(1<<(i%8)) == 0 {
			return false
		}
	}
	return f.hashes > 0
}

// indexes are the bits of m: the next numbers of SplitMix64, seeded with m's
// word. Double hashing would do for large filters, but misses a hundred times as
// often in those of a few ops.
func (f filter) indexes(m mark) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		state := m.word()
		for range f.hashes {
			state += 0x9e3779b97f4a7c15
			z := state
			z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			z ^= z >> 31
			if !yield(z % uint64(len(f.bits)*8)) {
				return
			}
		}
	}
}
