package dag

// A clock counts, for each chain of a [Graph], how many of its ops are in some
// causal past: always its first ones, since each op of a chain has the one
// before in its past.
//
// Clocks are immutable and share structure. A clock is a tree: a node holds
// the counts of clockCounts consecutive chains and clockKids subtrees, among
// which the nodes beyond it are dealt in turn, so that chains with low numbers
// (the authors a mesh began with) are near the root and the many chains of a
// forker are far from it. The shape depends on chain numbers alone, so that
// equal parts of two clocks are at the same place, and equal pointers end a
// comparison early. A nil clock counts nothing.
//
// A node is 64 bytes: one cache line. A change copies the nodes on one path:
// one for 8 chains, two for 40, three for 168, four for 680.
type clock struct {
	counts [clockCounts]uint32
	kids   [clockKids]*clock
}

const (
	clockCounts = 8
	clockKids   = 4
)

// zeroClock is nil with a place to read; nothing writes to it.
var zeroClock clock

// get returns the count of a chain.
func (c *clock) get(chain uint32) uint32 {
	for node := chain / clockCounts; c != nil; node = (node - 1) / clockKids {
		if node == 0 {
			return c.counts[chain%clockCounts]
		}
		c = c.kids[(node-1)%clockKids]
	}
	return 0
}

// raise returns a clock that counts at least n of a chain and is otherwise
// equal to c: c itself if it does already.
func (c *clock) raise(chain, n uint32) *clock {
	if c.get(chain) >= n {
		return c
	}
	return c.set(chain/clockCounts, chain%clockCounts, n)
}

func (c *clock) set(node, slot, n uint32) *clock {
	changed := new(clock)
	if c != nil {
		*changed = *c
	}
	if node == 0 {
		changed.counts[slot] = n
	} else {
		kid := &changed.kids[(node-1)%clockKids]
		*kid = (*kid).set((node-1)/clockKids, slot, n)
	}
	return changed
}

// union returns the clock of the greater count of each chain. It returns a, or
// else b, if that is equal to the result; where both share structure it takes no time.
func union(a, b *clock) *clock {
	u, _, _ := join(a, b)
	return u
}

// join is union, and says whether the result counts what a counts, and b.
func join(a, b *clock) (u *clock, isA, isB bool) {
	switch {
	case a == b:
		return a, true, true
	case b == nil:
		return a, true, false
	case a == nil:
		return b, false, true
	}
	var both clock
	isA, isB = true, true
	for i, n := range a.counts {
		m := b.counts[i]
		both.counts[i] = max(n, m)
		isA = isA && n >= m
		isB = isB && m >= n
	}
	for i, kid := range a.kids {
		k, kidA, kidB := join(kid, b.kids[i])
		both.kids[i] = k
		isA = isA && kidA
		isB = isB && kidB
	}
	switch {
	case isA:
		return a, true, isB
	case isB:
		return b, false, true
	}
	u = new(clock) // only now does anything move to the heap
	*u = both
	return u, false, false
}

// over calls fn for each chain of which a counts more than b, with both
// counts, until fn returns false; it returns false then. Shared structure takes no time.
func over(a, b *clock, fn func(chain, n, m uint32) bool) bool {
	return overAt(a, b, 0, 1, fn)
}

// overAt does it for the subtree whose root is node number first; the numbers
// of the nodes below it, as get computes them, follow from first and stride.
func overAt(a, b *clock, first, stride uint32, fn func(chain, n, m uint32) bool) bool {
	if a == b || a == nil {
		return true
	}
	if b == nil {
		b = &zeroClock
	}
	for i, n := range a.counts {
		if m := b.counts[i]; n > m && !fn(first*clockCounts+uint32(i), n, m) {
			return false
		}
	}
	for i, kid := range a.kids {
		if !overAt(kid, b.kids[i], first+stride*uint32(i+1), stride*clockKids, fn) {
			return false
		}
	}
	return true
}
