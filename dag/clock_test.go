package dag

import (
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestSizes: what an op costs in memory bounds how many a node can hold.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(clock{}); n != 64 {
		t.Errorf("a clock's node is %d bytes, want one cache line of 64", n)
	}
	if n := unsafe.Sizeof(Op{}); n > 160 {
		t.Errorf("an op is %d bytes, want at most 160", n)
	}
}

// counts is the model of a clock.
type counts map[uint32]uint32

// drawClock draws a clock and its model, starting from a known pair, so that
// clocks share structure as those of a graph do.
func drawClock(t *rapid.T, c *clock, model counts) (*clock, counts) {
	raised := counts{}
	for chain, n := range model {
		raised[chain] = n
	}
	for range rapid.IntRange(0, 20).Draw(t, "raises") {
		chain := rapid.OneOf(rapid.Uint32Range(0, 60), rapid.Uint32Range(0, 5000), rapid.Uint32()).Draw(t, "chain")
		n := rapid.Uint32Range(1, 5).Draw(t, "n")
		before := c
		c = c.raise(chain, n)
		if (c == before) != (raised[chain] >= n) {
			t.Fatalf("raise(%d, %d) from %d: same clock %v", chain, n, raised[chain], c == before)
		}
		raised[chain] = max(raised[chain], n)
	}
	return c, raised
}

func TestClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, baseModel := drawClock(t, nil, nil)
		a, aModel := drawClock(t, base, baseModel)
		b, bModel := drawClock(t, base, baseModel)
		u := union(a, b)
		aHasB, bHasA := true, true
		wantOver, gotOver := map[uint32][2]uint32{}, map[uint32][2]uint32{}
		for chain := range aModel {
			bHasA = bHasA && bModel[chain] >= aModel[chain]
			if aModel[chain] > bModel[chain] {
				wantOver[chain] = [2]uint32{aModel[chain], bModel[chain]}
			}
			if got := a.get(chain); got != aModel[chain] {
				t.Fatalf("get(%d) = %d, want %d", chain, got, aModel[chain])
			}
			if got := u.get(chain); got != max(aModel[chain], bModel[chain]) {
				t.Fatalf("union: get(%d) = %d, want %d", chain, got, max(aModel[chain], bModel[chain]))
			}
			if got := a.get(chain + 1); got != aModel[chain+1] {
				t.Fatalf("get(%d) = %d, want %d", chain+1, got, aModel[chain+1])
			}
		}
		for chain := range bModel {
			aHasB = aHasB && aModel[chain] >= bModel[chain]
			if got := u.get(chain); got != max(aModel[chain], bModel[chain]) {
				t.Fatalf("union: get(%d) = %d, want %d", chain, got, max(aModel[chain], bModel[chain]))
			}
		}
		switch {
		case aHasB && u != a:
			t.Fatal("a has all of b's, but the union is not a")
		case !aHasB && bHasA && u != b:
			t.Fatal("b has all of a's, but the union is not b")
		}
		over(a, b, func(chain, n, m uint32) bool {
			gotOver[chain] = [2]uint32{n, m}
			return true
		})
		if diff := cmp.Diff(wantOver, gotOver); diff != "" {
			t.Fatalf("over: %s", diff)
		}
	})
}

// TestUnionOfEqualParts: parts that are equal but not shared are no reason for
// a third clock.
func TestUnionOfEqualParts(t *testing.T) {
	const far = 1 << 20
	var a, b *clock
	a = a.raise(far, 2).raise(0, 1)
	b = b.raise(far, 2).raise(0, 2)
	if union(a, b) != b || union(b, a) != b {
		t.Error("the union is neither of the two")
	}
}
