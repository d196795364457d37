package identity

import (
	"encoding/binary"
	"math/bits"
)

// A set holds entries by what they are about: a binary trie over topics in
// which a node branches where the keys below first differ. Its shape depends
// on its keys alone. It is persistent: what changes is copied, the rest is
// shared, so that N sets which each add one entry to the one before take
// O(N log N), and two sets of common origin are compared in proportion to
// where they differ. The nil *set is empty.
type set struct {
	kids [2]*set
	leaf *leaf  // this one's, or any below
	bit  uint16 // in which the kids differ; topicBits for a leaf
	size int32  // statements below
}

type leaf struct {
	topic topic
	entry *entry
}

// A topic is 32 bytes that say what an entry is about, 8 that narrow it, and
// the statement's ID.
type topic [72]byte

const topicBits = 8 * uint16(len(topic{}))

// Narrowings of a topic that is a key: one founder's votes, or what makes the key an author's.
const (
	narrowVotes uint64 = iota
	narrowAuthor
)

func newTopic(about [32]byte, narrow uint64) (t topic) {
	copy(t[:], about[:])
	binary.BigEndian.PutUint64(t[32:], narrow)
	return t
}

// about is the part of a topic that statements of other IDs share.
func (t *topic) about() []byte { return t[:40] }

func (t topic) of(id StatementID) topic {
	copy(t[40:], id[:])
	return t
}

func (t *topic) at(bit uint16) byte { return t[bit/8] >> (7 - bit%8) & 1 }

// differ returns the first bit in which two topics differ, topicBits if they are equal.
func (t *topic) differ(b *topic) uint16 {
	for i := 0; i < len(t); i += 8 {
		if x := binary.BigEndian.Uint64(t[i:]) ^ binary.BigEndian.Uint64(b[i:]); x != 0 {
			return uint16(8*i + bits.LeadingZeros64(x))
		}
	}
	return topicBits
}

func newLeaf(t topic, e *entry) *set {
	s := &set{leaf: &leaf{topic: t, entry: e}, bit: topicBits}
	if [32]byte(t[:32]) == e.statement.id {
		s.size = 1
	}
	return s
}

// branch returns a node for two sets whose topics first differ in bit.
func branch(bit uint16, a, b *set) *set {
	n := &set{leaf: a.leaf, bit: bit, size: a.size + b.size}
	side := a.leaf.topic.at(bit)
	n.kids[side], n.kids[1-side] = a, b
	return n
}

// join returns the union of two sets: a itself if it has all of b's, else b
// itself if that has all of a's. Entries of one statement become one.
func (a *set) join(b *set) *set {
	joined, _, _ := joinSets(a, b)
	return joined
}

// joinSets also reports whether the union is no more than a, and than b.
func joinSets(a, b *set) (joined *set, isA, isB bool) {
	switch {
	case a == b:
		return a, true, true
	case b == nil:
		return a, true, false
	case a == nil:
		return b, false, true
	}
	bit := a.leaf.topic.differ(&b.leaf.topic)
	switch {
	case bit < min(a.bit, b.bit):
		return branch(bit, a, b), false, false
	case a.bit < b.bit:
		joined, isA = a.joinKid(b)
		return joined, isA, false
	case b.bit < a.bit:
		joined, isB = b.joinKid(a)
		return joined, false, isB
	case a.bit == topicBits:
		e, isA, isB := joinEntries(a.leaf.entry, b.leaf.entry)
		switch {
		case isA:
			return a, isA, isB
		case isB:
			return b, isA, isB
		}
		return newLeaf(a.leaf.topic, e), false, false
	}
	left, leftA, leftB := joinSets(a.kids[0], b.kids[0])
	right, rightA, rightB := joinSets(a.kids[1], b.kids[1])
	isA, isB = leftA && rightA, leftB && rightB
	switch {
	case isA:
		return a, isA, isB
	case isB:
		return b, isA, isB
	}
	return branch(a.bit, left, right), false, false
}

// joinKid joins b to the kid it belongs below, and reports whether that changes nothing.
func (a *set) joinKid(b *set) (*set, bool) {
	side := b.leaf.topic.at(a.bit)
	kid, same, _ := joinSets(a.kids[side], b)
	if same {
		return a, true
	}
	return branch(a.bit, kid, a.kids[1-side]), false
}

// put adds an entry under all its topics.
func (a *set) put(e *entry) *set {
	var buf [3]topic
	for _, t := range e.topics(buf[:0]) {
		a = a.join(newLeaf(t.of(e.statement.id), e))
	}
	return a
}

// about calls f with the entries of a topic, ascending by ID, until it returns false.
func (a *set) about(t topic, f func(*entry) bool) { a.under(t.about(), f) }

// under calls f with the entries whose topic begins with prefix, in the order
// of topics, until it returns false.
func (a *set) under(prefix []byte, f func(*entry) bool) {
	if a == nil {
		return
	}
	var t topic
	copy(t[:], prefix)
	for a.bit < 8*uint16(len(prefix)) {
		a = a.kids[t.at(a.bit)]
	}
	if string(a.leaf.topic[:len(prefix)]) == string(prefix) {
		a.each(f)
	}
}

func (a *set) each(f func(*entry) bool) bool {
	if a.bit == topicBits {
		return f(a.leaf.entry)
	}
	return a.kids[0].each(f) && a.kids[1].each(f)
}

// statements calls f with each entry once, ascending by ID, until it returns false.
func (a *set) statements(f func(*entry) bool) {
	if a != nil {
		a.eachStatement(f)
	}
}

func (a *set) eachStatement(f func(*entry) bool) bool {
	switch {
	case a.size == 0:
		return true
	case a.bit == topicBits:
		return f(a.leaf.entry)
	}
	return a.kids[0].eachStatement(f) && a.kids[1].eachStatement(f)
}

// get returns the entry of a statement, or nil.
func (a *set) get(id StatementID) (found *entry) {
	a.about(newTopic(id, 0), func(e *entry) bool {
		if e.statement.id == id {
			found = e
		}
		return found == nil
	})
	return found
}

// beyond calls f with each entry of a, once, that b has not or has with other
// carriers. What they share costs nothing.
func (a *set) beyond(b *set, f func(*entry)) {
	if a == b || a == nil || a.size == 0 {
		return
	}
	all := func(s *set) { s.statements(func(e *entry) bool { f(e); return true }) }
	if b == nil {
		all(a)
		return
	}
	switch bit := a.leaf.topic.differ(&b.leaf.topic); {
	case bit < min(a.bit, b.bit):
		all(a)
	case a.bit < b.bit:
		side := b.leaf.topic.at(a.bit)
		all(a.kids[1-side])
		a.kids[side].beyond(b, f)
	case b.bit < a.bit:
		a.beyond(b.kids[a.leaf.topic.at(b.bit)], f)
	case a.bit == topicBits:
		if !a.leaf.entry.equal(b.leaf.entry) {
			f(a.leaf.entry)
		}
	default:
		a.kids[0].beyond(b.kids[0], f)
		a.kids[1].beyond(b.kids[1], f)
	}
}

func (a *set) len() int {
	if a == nil {
		return 0
	}
	return int(a.size)
}
