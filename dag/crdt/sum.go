package crdt

import (
	"slices"
	"sync/atomic"
)

// A checksum is FNV-1a of 32 bits over items (docs/merge.md section 6). It only
// tells a neighbour from the item that was meant; nothing rests on it being hard
// to forge. What follows bytes of FNV-1a is
//
//	(h ^ byte) * prime = h*prime + ((low ^ byte) - low)*prime
//
// where low, the lowest byte of h, depends on that of the h before alone. So some
// bytes make h*times + plus of h, and plus depends on the lowest byte of h: this
// is kept of large items, so that a patch inside one costs its path, and one
// that means other items costs next to nothing.
type checksum struct {
	h     uint32
	times uint32 // what the h at the beginning has been multiplied by
}

const (
	sumStart = 2166136261
	sumPrime = 16777619
)

// sumMin is the number of bytes of an item from which on its sum is kept. Tests take less.
var sumMin = 256

func newChecksum() checksum { return checksum{h: sumStart, times: 1} }

// sum returns a checksum of the tree.
func (n *node) sum() uint32 {
	c := newChecksum()
	c.item(n)
	return c.h
}

// sumOf returns one checksum of several items.
func sumOf(items []kid) uint32 {
	c := newChecksum()
	c.items(items)
	return c.h
}

// sum returns one checksum of the children from one to another.
func (cs chunks) sum(from, to int) uint32 {
	c := newChecksum()
	for _, k := range cs {
		if from <= 0 && to >= len(k.kids) && !k.bare {
			k.items.add(&c, func() { c.items(k.kids) })
		} else if a, b := max(from, 0), min(to, len(k.kids)); a < b {
			c.items(k.kids[a:b])
		}
		from, to = from-len(k.kids), to-len(k.kids)
		if to <= 0 {
			break
		}
	}
	return c.h
}

func (c *checksum) byte(b byte) {
	c.h = (c.h ^ uint32(b)) * sumPrime
	c.times *= sumPrime
}

func (c *checksum) items(items []kid) {
	for i := range items {
		c.item(items[i].n)
	}
}

func (c *checksum) item(n *node) {
	if n.m != nil && n.m.size >= sumMin {
		n.m.sums.add(c, func() { c.inside(n) })
	} else {
		c.inside(n)
	}
}

func (c *checksum) inside(n *node) {
	c.byte(byte(n.kind))
	for _, b := range n.raw {
		c.byte(b)
	}
	if n.kids == nil && n.m != nil && n.m.wide != nil {
		for _, k := range n.m.wide.order {
			k.children.add(c, func() { c.children(k.kids) })
		}
	} else {
		c.children(n.kids)
	}
	c.byte(0xfe)
}

func (c *checksum) children(kids []kid) {
	for i := range kids {
		for j := range len(kids[i].key) {
			c.byte(kids[i].key[j])
		}
		c.byte(0xff)
		c.item(kids[i].n)
	}
}

// Sums are what some bytes make of checksums, as far as anybody asked: nearly
// always of one or two, and only liars ask for all 256.
type sums struct {
	few  atomic.Pointer[[]sumStep]
	many atomic.Pointer[sumTable]
}

// A sumStep is what some bytes make of a checksum with this lowest byte.
type sumStep struct {
	low         byte
	times, plus uint32
}

// A sumTable has the steps of some bytes by their lowest byte.
type sumTable struct {
	times uint32
	plus  [256]atomic.Uint64 // and sumKnown, if it is known
}

const sumKnown = 1 << 32

// fewSums is how many steps are looked through one by one.
const fewSums = 4

// add adds the bytes to c: as known, or else as walk does.
func (s *sums) add(c *checksum, walk func()) {
	if t, ok := s.find(byte(c.h)); ok {
		c.h, c.times = c.h*t.times+t.plus, c.times*t.times
		return
	}
	before := *c
	c.times = 1
	walk()
	s.note(sumStep{byte(before.h), c.times, c.h - before.h*c.times})
	c.times *= before.times
}

func (s *sums) find(low byte) (t sumStep, ok bool) {
	if many := s.many.Load(); many != nil {
		plus := many.plus[low].Load()
		return sumStep{low, many.times, uint32(plus)}, plus >= sumKnown
	}
	if few := s.few.Load(); few != nil {
		for _, t := range *few {
			if t.low == low {
				return t, true
			}
		}
	}
	return t, false
}

// note keeps a step. One may be lost where another goroutine notes another: it is made again.
func (s *sums) note(t sumStep) {
	few := s.few.Load()
	many := s.many.Load()
	switch {
	case many != nil:
	case few == nil:
		s.few.CompareAndSwap(nil, &[]sumStep{t})
		return
	case len(*few) < fewSums:
		more := append(slices.Clip(*few), t)
		s.few.CompareAndSwap(few, &more)
		return
	default:
		many = &sumTable{times: t.times}
		for _, f := range *few {
			many.plus[f.low].Store(sumKnown | uint64(f.plus))
		}
		s.many.CompareAndSwap(nil, many)
	}
	many.plus[t.low].Store(sumKnown | uint64(t.plus))
}
