package mvcc

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"sync"
)

// tally says how one full block of history changed the number of keys: what
// lies in a span is found without looking at the block's events.
type tally struct {
	names []string // of the keys created and deleted, in order
	sums  []int32  // sums[i] is by how much names[:i] are more keys after the block than before
}

// newTally counts the events of a block, of whose versions no prev is cut.
func newTally(block []*version) *tally {
	type step struct {
		name string
		by   int32
	}
	var steps []step
	for _, x := range block {
		if by := x.step(); by != 0 {
			steps = append(steps, step{x.item.name, int32(by)})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.name, b.name) })
	t := &tally{names: make([]string, len(steps)), sums: make([]int32, len(steps)+1)}
	for i, s := range steps {
		t.names[i], t.sums[i+1] = s.name, t.sums[i]+s.by
	}
	return t
}

// step returns by how much x, whose prev is not cut, changed the number of keys.
func (x *version) step() int {
	switch {
	case x.tombstone():
		return -1
	case x.creates():
		return 1
	default:
		return 0
	}
}

// in returns by how many more keys the span has after the block than before.
func (t *tally) in(sp span) int {
	from := sort.SearchStrings(t.names, sp.key)
	to := len(t.names)
	if !sp.open {
		to = sort.SearchStrings(t.names, sp.end)
	}
	return int(t.sums[to] - t.sums[from])
}

// tallies are those of the blocks that somebody has counted, by the sequence
// number of their first event. Blocks that are full never change.
type tallies struct {
	mu sync.Mutex
	of map[uint64]*tally
}

// get returns the tally of a full block that begins with event base.
func (ts *tallies) get(base uint64, block []*version) *tally {
	ts.mu.Lock()
	t := ts.of[base]
	ts.mu.Unlock()
	if t != nil {
		return t
	}
	t = newTally(block) // perhaps twice, if two readers want it at once
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.of == nil {
		ts.of = make(map[uint64]*tally)
	}
	ts.of[base] = t
	return t
}

// drop forgets the tally of a block that history has dropped.
func (ts *tallies) drop(base uint64) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.of, base)
}

// count returns the number of keys of the span at rev: that at the head, less
// what happened since. It costs the logarithm of the number of keys, and what
// a binary search costs for each block of history since rev. Where that is more
// than there are keys to count, they are counted. The error is ctx's.
func (s *snapshot) count(ctx context.Context, sp span, rev int64) (int64, error) {
	if sp.empty() {
		return 0, nil
	}
	v := s.v
	s.lock()
	n := v.countLive(sp)
	i, end := v.history.since(rev+1), v.history.next
	s.unlock()
	if events := end - i; events > countEvents && events/tallyGain > uint64(n) {
		n = 0
		err := s.scan(ctx, sp, rev, func(*version) bool { n++; return true })
		return int64(n), err
	}
	for i < end {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s.lock()
		base, block := v.history.block(i)
		s.unlock()
		// What follows needs no lock: events do not change, and what the read
		// needs of history is pinned.
		to := min(end, base+uint64(len(block)))
		if i == base && to-base == historyBlock {
			n -= v.tallies.get(base, block).in(sp)
		} else {
			for _, x := range block[i-base : to-base] {
				if sp.contains(x.item.name) {
					n -= x.step()
				}
			}
		}
		i = to
	}
	return int64(n), nil
}

// countLive returns the number of keys of the span that are visible at the head.
func (v *View) countLive(sp span) int {
	from, to := v.rank(sp.key), v.live.Len()
	if !sp.open {
		to = v.rank(sp.end)
	}
	return to - from
}
