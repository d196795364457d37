package identity

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// chainPlace is the n-th operation of one of several chains.
type chainPlace struct{ chain, n int }

func (p *chainPlace) InPastOf(q Place) bool {
	o := q.(*chainPlace)
	return p.chain == o.chain && p.n < o.n
}

// TestJoinCarriers compares joins of carriers with the definition: all of both that
// no other one covers.
func TestJoinCarriers(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		redeem := rng.IntN(2) == 0
		var all []carrier
		for chain := range 6 {
			for n := range 8 {
				c := carrier{op: [32]byte{byte(rng.IntN(4)), byte(chain), byte(n)}, at: &chainPlace{chain, n}, author: PublicKey{byte(rng.IntN(2))}, seq: uint64(n)}
				if rng.IntN(10) == 0 {
					c.at = nil
				}
				all = append(all, c)
			}
		}
		var sets []*carriers
		var models [][]carrier
		for range 12 {
			if len(sets) < 4 || rng.IntN(3) == 0 {
				c := all[rng.IntN(len(all))]
				sets, models = append(sets, newCarriers(c)), append(models, []carrier{c})
				continue
			}
			i, j := rng.IntN(len(sets)), rng.IntN(len(sets))
			joined, isA, isB := joinCarriers(sets[i], sets[j], redeem)
			want := leastCarriers(append(slices.Clone(models[i]), models[j]...), redeem)
			var got []carrier
			joined.each(func(c *carrier) bool { got = append(got, *c); return true })
			if !sameCarriers(got, want) {
				t.Fatalf("seed %d: join = %v, want %v", seed, got, want)
			}
			if isA != sameCarriers(want, models[i]) || isB != sameCarriers(want, models[j]) {
				t.Fatalf("seed %d: join is a: %t, is b: %t of %v and %v", seed, isA, isB, models[i], models[j])
			}
			for i := range got {
				if !joined.has(&got[i]) {
					t.Fatalf("seed %d: %v is not to be found", seed, got[i])
				}
			}
			sets, models = append(sets, joined), append(models, want)
		}
	}
}

// leastCarriers returns those that no other one covers, ascending, each once.
func leastCarriers(list []carrier, redeem bool) (least []carrier) {
	slices.SortFunc(list, func(a, b carrier) int { return a.compare(&b) })
	list = slices.CompactFunc(list, func(a, b carrier) bool { return a.compare(&b) == 0 })
	for i := range list {
		covered := slices.ContainsFunc(list, func(c carrier) bool {
			return c.compare(&list[i]) != 0 && c.covers(&list[i], redeem)
		})
		if !covered {
			least = append(least, list[i])
		}
	}
	return least
}

func sameCarriers(a, b []carrier) bool {
	return slices.EqualFunc(a, b, func(a, b carrier) bool { return a.compare(&b) == 0 })
}
