package identity

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// carriers are the operations that carry a statement, of which none covers
// another: a binary trie over their IDs, persistent as [set] is, since a roster
// of N statements on N branches would else hold N lists of N. The nil *carriers
// is empty.
type carriers struct {
	kids [2]*carriers
	list []carrier // of one operation, ascending by compare; of an inner node that of a leaf below
	bit  uint16    // in which the kids differ; opBits for a leaf
}

const opBits = 256

func newCarriers(c carrier) *carriers { return &carriers{list: []carrier{c}, bit: opBits} }

func (s *carriers) op() *[32]byte { return &s.list[0].op }

func opBit(op *[32]byte, bit uint16) byte { return op[bit/8] >> (7 - bit%8) & 1 }

// differ returns the first bit in which two IDs differ, opBits if they are equal.
func differ(a, b *[32]byte) uint16 {
	for i := 0; i < len(a); i += 8 {
		if x := binary.BigEndian.Uint64(a[i:]) ^ binary.BigEndian.Uint64(b[i:]); x != 0 {
			return uint16(8*i + bits.LeadingZeros64(x))
		}
	}
	return opBits
}

// each calls f with the carriers, ascending by compare, until it returns false.
func (s *carriers) each(f func(*carrier) bool) bool {
	switch {
	case s == nil:
		return true
	case s.bit == opBits:
		for i := range s.list {
			if !f(&s.list[i]) {
				return false
			}
		}
		return true
	}
	return s.kids[0].each(f) && s.kids[1].each(f)
}

// any reports whether f holds for one of the carriers.
func (s *carriers) any(f func(*carrier) bool) bool {
	return !s.each(func(c *carrier) bool { return !f(c) })
}

// of returns the carriers of one operation.
func (s *carriers) of(op *[32]byte) []carrier {
	for s != nil && s.bit != opBits {
		s = s.kids[opBit(op, s.bit)]
	}
	if s == nil || *s.op() != *op {
		return nil
	}
	return s.list
}

// has reports whether the very carrier is there.
func (s *carriers) has(c *carrier) bool {
	return slices.ContainsFunc(s.of(&c.op), func(d carrier) bool { return c.compare(&d) == 0 })
}

// with returns the carriers with list in place of those of its operation.
func (s *carriers) with(list []carrier) *carriers {
	leaf := &carriers{list: list, bit: opBits}
	if s == nil {
		return leaf
	}
	bit := differ(s.op(), leaf.op())
	if bit == opBits && s.bit == opBits {
		return leaf
	}
	n := &carriers{list: s.list, bit: s.bit, kids: s.kids}
	if bit < s.bit {
		side := opBit(leaf.op(), bit)
		n = &carriers{list: s.list, bit: bit}
		n.kids[side], n.kids[1-side] = leaf, s
		return n
	}
	side := opBit(leaf.op(), s.bit)
	n.kids[side] = s.kids[side].with(list)
	n.list = n.kids[0].list
	return n
}

// add returns the carriers and c.
func (s *carriers) add(c *carrier) *carriers {
	list := append(slices.Clone(s.of(&c.op)), *c)
	slices.SortFunc(list, func(a, b carrier) int { return a.compare(&b) })
	return s.with(list)
}

// without returns the carriers but c.
func (s *carriers) without(c *carrier) *carriers {
	list := slices.DeleteFunc(slices.Clone(s.of(&c.op)), func(d carrier) bool { return c.compare(&d) == 0 })
	if len(list) > 0 {
		return s.with(list)
	}
	return s.cut(&c.op)
}

// cut returns the carriers but those of an operation that is there.
func (s *carriers) cut(op *[32]byte) *carriers {
	if s.bit == opBits {
		return nil
	}
	side := opBit(op, s.bit)
	kid := s.kids[side].cut(op)
	if kid == nil {
		return s.kids[1-side]
	}
	n := &carriers{bit: s.bit, kids: s.kids}
	n.kids[side] = kid
	n.list = n.kids[0].list
	return n
}

// beyond calls f with each carrier of s that b has not. What they share costs nothing.
func (s *carriers) beyond(b *carriers, f func(*carrier)) {
	if s == b || s == nil {
		return
	}
	all := func(s *carriers) { s.each(func(c *carrier) bool { f(c); return true }) }
	if b == nil {
		all(s)
		return
	}
	switch bit := differ(s.op(), b.op()); {
	case bit < min(s.bit, b.bit):
		all(s)
	case s.bit < b.bit:
		side := opBit(b.op(), s.bit)
		all(s.kids[1-side])
		s.kids[side].beyond(b, f)
	case b.bit < s.bit:
		s.beyond(b.kids[opBit(s.op(), b.bit)], f)
	case s.bit == opBits:
		for i := range s.list {
			if !b.has(&s.list[i]) {
				f(&s.list[i])
			}
		}
	default:
		s.kids[0].beyond(b.kids[0], f)
		s.kids[1].beyond(b.kids[1], f)
	}
}

// joinCarriers joins those of one statement, and reports whether the result is
// no more than a, and than b.
func joinCarriers(a, b *carriers, redeem bool) (joined *carriers, isA, isB bool) {
	if a == b {
		return a, true, true
	}
	// What only one has, parted by whether the other covers it.
	split := func(s, other *carriers) (more, covered []*carrier) {
		s.beyond(other, func(c *carrier) {
			if other.any(func(d *carrier) bool { return d.covers(c, redeem) }) {
				covered = append(covered, c)
			} else {
				more = append(more, c)
			}
		})
		return more, covered
	}
	fromB, droppedB := split(b, a)
	fromA, droppedA := split(a, b)
	isA, isB = len(fromB) == 0, len(fromA) == 0
	switch {
	case isA:
		return a, isA, isB
	case isB:
		return b, isA, isB
	case len(fromA) < len(fromB): // share what is more
		return b.change(droppedB, fromA), false, false
	}
	return a.change(droppedA, fromB), false, false
}

// change returns the carriers without some, and with others.
func (s *carriers) change(without, with []*carrier) *carriers {
	for _, c := range without {
		s = s.without(c)
	}
	for _, c := range with {
		s = s.add(c)
	}
	return s
}
