package reconcile

import "math"

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
	a, b := m.words()
	for range f.hashes {
		i := a % uint64(len(f.bits)*8)
		f.bits[i/8] |= 1 << (i % 8)
		a += b
	}
}

// has reports whether m seems to be in f.
func (f filter) has(m mark) bool {
	a, b := m.words()
	for range f.hashes {
		i := a % uint64(len(f.bits)*8)
		if f.bits[i/8]&(1<<(i%8)) == 0 {
			return false
		}
		a += b
	}
	return f.hashes > 0
}
