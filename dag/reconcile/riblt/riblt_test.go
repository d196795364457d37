package riblt

import (
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 1, "seed of the random sets")
	runsFlag = flag.Int("runs", 20, "how many differences of each size TestOverhead decodes")
)

// keyed is a hash for tests: fast, and not for use against anybody.
func keyed(key uint64) Hash {
	return func(item *Item) uint64 {
		h := key
		for i := 0; i < ItemSize; i += 8 {
			var w [8]byte
			copy(w[:], item[i:])
			h = (h ^ binary.LittleEndian.Uint64(w[:])) * 0x9fb21c651e98df25
			h ^= h >> 29
		}
		h = (h ^ h>>32) * 0xd6e8feb86659fd93
		return h ^ h>>32
	}
}

func randomItems(rng *rand.Rand, n int) []Item {
	items := make([]Item, n)
	for i := range items {
		for j := range items[i] {
			items[i][j] = byte(rng.Uint32())
		}
	}
	return items
}

// difference returns the first n symbols of the difference of two sets.
func difference(hash Hash, a, b []Item, n int) []Symbol {
	sa, sb := NewEncoder(hash, a).Next(n), NewEncoder(hash, b).Next(n)
	Subtract(sa, sb)
	return sa
}

func sorted(items ...[]Item) []Item {
	all := slices.Concat(items...)
	slices.SortFunc(all, func(a, b Item) int { return slices.Compare(a[:], b[:]) })
	return all
}

// TestDecode: differences of all shapes, over large and small common parts.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seedFlag, 0))
	for run := range 60 {
		hash := keyed(rng.Uint64())
		common := randomItems(rng, rng.IntN(500))
		onlyA, onlyB := randomItems(rng, rng.IntN(40)), randomItems(rng, rng.IntN(40))
		a, b := slices.Concat(common, onlyA), slices.Concat(onlyB, common)
		got, err := Decode(hash, difference(hash, a, b, 400))
		if err != nil {
			t.Fatalf("seed %d, run %d: %d and %d differences: %v", *seedFlag, run, len(onlyA), len(onlyB), err)
		}
		if !slices.Equal(sorted(got), sorted(onlyA, onlyB)) {
			t.Fatalf("seed %d, run %d: decoded %d items, want %d", *seedFlag, run, len(got), len(onlyA)+len(onlyB))
		}
	}
}

// TestPrefix: symbols made in steps are those made at once, whatever the steps.
func TestPrefix(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seedFlag, 1))
	items := randomItems(rng, 100)
	whole := NewEncoder(keyed(1), items).Next(1000)
	var steps []Symbol
	for e := NewEncoder(keyed(1), items); len(steps) < len(whole); {
		steps = append(steps, e.Next(min(1+rng.IntN(100), len(whole)-len(steps)))...)
	}
	if !slices.Equal(steps, whole) {
		t.Error("symbols depend on how they were asked for")
	}
}

// TestMapping: an item maps to symbol i with probability 1/(1+i/2).
func TestMapping(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seedFlag, 2))
	const n, last = 200_000, 64
	var counts [last]float64
	for range n {
		for m := newMapping(rng.Uint64()); m.index < last; m.advance() {
			counts[m.index]++
		}
	}
	for i, got := range counts {
		p := 1 / (1 + float64(i)/2)
		if d := math.Abs(got - p*n); d > 5*math.Sqrt(n*p*(1-p))+1e-9 {
			t.Errorf("seed %d: symbol %d has %v of %d items, want %v", *seedFlag, i, got, n, p*n)
		}
	}
	// The mapping is ascending and ends beyond MaxSymbols.
	for range 1000 {
		m := newMapping(rng.Uint64())
		for before := m.index; m.index < MaxSymbols; before = m.index {
			if m.advance(); m.index <= before {
				t.Fatalf("seed %d: after symbol %d comes %d", *seedFlag, before, m.index)
			}
		}
		m.advance()
		if m.index != math.MaxUint64 {
			t.Fatalf("the mapping goes on at %d", m.index)
		}
	}
}

// needed returns the least number of symbols that tell a difference of d random items.
func needed(rng *rand.Rand, d int) int {
	hash, items := keyed(rng.Uint64()), randomItems(rng, d)
	all := NewEncoder(hash, items).Next(4*d + 40)
	decodes := func(n int) bool {
		_, err := Decode(hash, slices.Clone(all[:n]))
		return err == nil
	}
	lo, hi := 0, len(all) // whatever decodes, decodes with more
	for lo < hi {
		if mid := (lo + hi) / 2; decodes(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// TestOverhead checks the paper's figure: 1.35 symbols per difference for many of them,
// and on average at most 1.72 or so for any number. It prints what it finds.
func TestOverhead(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seedFlag, 3))
	for _, c := range []struct {
		d        int
		min, max float64
	}{{4, 1, 1.9}, {16, 1.3, 1.9}, {64, 1.3, 1.75}, {200, 1.3, 1.6}, {1000, 1.32, 1.46}, {4000, 1.33, 1.41}, {10_000, 1.33, 1.39}} {
		runs := max(1, min(*runsFlag, *runsFlag*1000/c.d))
		var all []int
		sum := 0
		for range runs {
			all = append(all, needed(rng, c.d))
			sum += all[len(all)-1]
		}
		slices.Sort(all)
		mean := float64(sum) / float64(runs) / float64(c.d)
		t.Logf("%5d differences: %.3f symbols each on average, %.3f at most in %d runs", c.d, mean, float64(all[runs-1])/float64(c.d), runs)
		if mean < c.min || mean > c.max {
			t.Errorf("seed %d: %d differences take %.3f symbols each, want %v to %v", *seedFlag, c.d, mean, c.min, c.max)
		}
	}
}

// TestHostile: symbols of no set end in ErrIncomplete, in bounded time: here
// each of them looks pure once, and again when another is taken out.
func TestHostile(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seedFlag, 4))
	for range 200 {
		hash := keyed(rng.Uint64())
		n := 1 + rng.IntN(300)
		symbols := make([]Symbol, n)
		for i, item := range randomItems(rng, n) {
			switch rng.IntN(3) {
			case 0:
				symbols[i].Add(&item, hash(&item))
			case 1:
				symbols[i].Add(&item, rng.Uint64())
			}
		}
		if items, err := Decode(hash, symbols); err != nil && (!errors.Is(err, ErrIncomplete) || items != nil) {
			t.Fatalf("seed %d: Decode = %d items, %v", *seedFlag, len(items), err)
		}
	}
}

// FuzzDecode: nothing a peer sends makes more items than symbols.
func FuzzDecode(f *testing.F) {
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, in []byte) {
		const size = ItemSize + 8
		symbols := make([]Symbol, len(in)/size)
		for i := range symbols {
			symbols[i] = Symbol{Sum: Item(in[i*size:]), Hash: binary.LittleEndian.Uint64(in[i*size+ItemSize:])}
		}
		n := len(symbols)
		if items, err := Decode(keyed(1), symbols); len(items) > n || err != nil && items != nil {
			t.Fatalf("Decode = %d items of %d symbols, %v", len(items), n, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	items := randomItems(rand.New(rand.NewPCG(1, 5)), 10_000)
	for b.Loop() {
		NewEncoder(keyed(1), items).Next(400)
	}
}

func BenchmarkDecode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 6))
	symbols := NewEncoder(keyed(1), randomItems(rng, 200)).Next(400)
	for b.Loop() {
		if _, err := Decode(keyed(1), slices.Clone(symbols)); err != nil {
			b.Fatal(err)
		}
	}
}
