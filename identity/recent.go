package identity

import (
	"sync"
	"sync/atomic"
)

// A basis is what a frame is derived from, shared by the rosters whose frame
// it is. It derives when asked, again if it was dropped meanwhile.
type basis struct {
	set    *set
	recent *recent // nil for the empty roster's

	derived atomic.Pointer[frame]
	used    atomic.Bool
	mu      sync.Mutex // of who derives
}

func (b *basis) frame() *frame {
	if f := b.derived.Load(); f != nil {
		if !b.used.Load() {
			b.used.Store(true)
		}
		return f
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.derived.Load(); f != nil {
		return f
	}
	f := derive(b.set)
	b.derived.Store(f)
	b.used.Store(true)
	b.recent.addBasis(b)
	return f
}

const (
	// keptFrames is how many frames are kept of the rosters of one mesh: those
	// of everything delivered, of ops just arriving, and of a few late ones.
	// A frame takes some 500 bytes for each operator.
	keptFrames = 4
	// keptTables is how many author tables are kept, each with its frame and
	// some 500 bytes for each author that was asked about.
	keptTables = 8
)

// A recent bounds what the rosters that grew from one hold of derived state.
// Those used since they were last looked at get a second chance. The nil
// *recent bounds nothing.
type recent struct {
	mu      sync.Mutex
	frames  clock[*basis]
	rosters clock[*Roster]
}

func newRecent() *recent {
	return &recent{frames: clock[*basis]{limit: keptFrames}, rosters: clock[*Roster]{limit: keptTables}}
}

func (c *recent) addBasis(b *basis) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames.add(b)
}

func (c *recent) addRoster(r *Roster) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rosters.add(r)
}

// swapUsed reports whether the frame was asked for since the last call.
func (b *basis) swapUsed() bool { return b.used.Swap(false) }

func (b *basis) drop() { b.derived.Store(nil) }

func (r *Roster) swapUsed() bool {
	t := r.authors.Load()
	return t != nil && t.used.Swap(false)
}

func (r *Roster) drop() { r.authors.Store(nil) }

// A clock keeps so many items, and drops one that was not used lately for each
// that comes beyond.
type clock[T interface {
	swapUsed() bool
	drop()
}] struct {
	limit int
	items []T
	hand  int
}

func (c *clock[T]) add(item T) {
	if len(c.items) < c.limit {
		c.items = append(c.items, item)
		return
	}
	for range c.items { // if all are used, the first
		if !c.items[c.hand].swapUsed() {
			break
		}
		c.hand = (c.hand + 1) % len(c.items)
	}
	c.items[c.hand].drop()
	c.items[c.hand] = item
	c.hand = (c.hand + 1) % len(c.items)
}
