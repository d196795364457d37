package crdt

import "slices"

// A lineage knows the causal order of the writes of one key. Writes are
// numbered as they come, each after its past, and split into chains: in a
// chain each write has the one before in its past. A write's clock says how
// far it has seen each chain, so that one look-up decides whether a write is
// in the past of another.
type lineage struct {
	lines  []line
	chains [][]int // writes by place
}

// A line is one write: where it stands, and what it has seen.
type line struct {
	pos        Position
	chain, seq int
	clock      []mark // ascending by chain; chains of which nothing is seen are left out
}

// A mark says that a chain has been seen up to the place seq.
type mark struct{ chain, seq int }

// line returns the line of a new write whose past are those of which inPast is
// true. The chain is that of the first last write it saw, or a new one.
func (l *lineage) line(pos Position, inPast func(int) bool) line {
	w := line{pos: pos, chain: -1}
	for c, writes := range l.chains {
		n := len(writes)
		if !inPast(writes[n-1]) {
			n, _ = slices.BinarySearchFunc(writes[:n-1], false, func(i int, _ bool) int {
				if inPast(i) {
					return -1
				}
				return 1
			})
		}
		if n == 0 {
			continue
		}
		w.clock = append(w.clock, mark{c, n - 1})
		if n == len(writes) && w.chain < 0 {
			w.chain, w.seq = c, n
		}
	}
	if w.chain < 0 {
		w.chain = len(l.chains)
	}
	return w
}

// add takes in a line just made, and returns the write's number.
func (l *lineage) add(w line) int {
	number := len(l.lines)
	if w.chain == len(l.chains) {
		l.chains = append(l.chains, nil)
	}
	l.chains[w.chain] = append(l.chains[w.chain], number)
	l.lines = append(l.lines, w)
	return number
}

// before reports whether a is in the past of b.
func (l *lineage) before(a, b int) bool {
	at := &l.lines[a]
	clock := l.lines[b].clock
	for len(clock) > 4 {
		half := len(clock) / 2
		if clock[half].chain <= at.chain {
			clock = clock[half:]
		} else {
			clock = clock[:half]
		}
	}
	for _, m := range clock {
		if m.chain == at.chain {
			return m.seq >= at.seq
		}
	}
	return false
}

// compare compares two writes in the order of writes.
func (l *lineage) compare(a, b int) int { return l.lines[a].pos.Compare(l.lines[b].pos) }

// A view is a set of writes that holds the past of each: the first of every chain.
type view []int // by chain, how many

// past returns the past of a write as a view of a lineage of so many chains.
func (w *line) past(chains int) view {
	v := make(view, chains)
	for _, m := range w.clock {
		v[m.chain] = m.seq + 1
	}
	return v
}

// past returns the past of a write as a view.
func (l *lineage) past(w int) view { return l.lines[w].past(len(l.chains)) }

// upTo returns a write and its past as a view.
func (l *lineage) upTo(w int) view {
	v := l.past(w)
	v[l.lines[w].chain] = l.lines[w].seq + 1
	return v
}

// all returns the view of everything.
func (l *lineage) all() view {
	v := make(view, len(l.chains))
	for c, writes := range l.chains {
		v[c] = len(writes)
	}
	return v
}

// has reports whether w is in v, which may be older than the chain of w.
func (l *lineage) has(v view, w int) bool {
	at := &l.lines[w]
	return at.chain < len(v) && at.seq < v[at.chain]
}

// heads returns the writes of v that are in the past of no other, in no order.
func (l *lineage) heads(v view) []int {
	last := make([]int, 0, 4)
	for c, n := range v {
		if n > 0 {
			last = append(last, l.chains[c][n-1])
		}
	}
	return l.maximal(last)
}

// maximal returns those of writes, of different chains, that are in the past of no other.
// It reuses their slice.
func (l *lineage) maximal(writes []int) []int {
	kept := writes[:0]
	seen := l.covered(writes)
	for _, w := range writes {
		if !seen(w) {
			kept = append(kept, w)
		}
	}
	return kept
}

// fewWrites is the number up to which each is compared with each.
const fewWrites = 8

// covered returns a function that says whether a write is in the past of one of writes.
func (l *lineage) covered(writes []int) func(int) bool {
	if len(writes) <= fewWrites {
		few := slices.Clone(writes)
		return func(w int) bool {
			return slices.ContainsFunc(few, func(other int) bool { return other != w && l.before(w, other) })
		}
	}
	seen := make([]int, len(l.chains))
	for _, w := range writes {
		for _, m := range l.lines[w].clock {
			seen[m.chain] = max(seen[m.chain], m.seq+1)
		}
	}
	return func(w int) bool { return l.lines[w].seq < seen[l.lines[w].chain] }
}
