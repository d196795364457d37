package crdt

import (
	"slices"
	"strings"
)

// An orderEvent is one assignment to the order of a container's children.
type orderEvent struct {
	write int
	kind  kind // of the container
	how   ordering
	keys  []string
	after string // of a run: the child it follows; unless front
	front bool
}

type ordering uint8

const (
	run     ordering = iota // keys follow the child after, in this order
	each                    // each of keys on its own follows the child after; the lesser name first
	reorder                 // keys are the whole order
)

// An orderNode is a child's place in the tree of places (docs/merge.md section 5).
type orderNode struct {
	key         string
	write       int // baseWrite: in every past
	byName      bool
	left, right []*orderNode
}

// baseWrite is the write of places that everybody has seen.
const baseWrite = -1

// causality is what the order needs to know of writes.
type causality interface {
	before(a, b int) bool // a is in the past of b
	compare(a, b int) int // in the order of writes
}

// An orderer makes one order of children from the events of many writes. It
// is a pure function of the set of events: it sorts them first.
type orderer struct {
	c     causality
	head  orderNode
	nodes map[string]*orderNode // the latest place of each child
}

// arrange returns the children's names in order. A name may be there of which
// no child is left; a child may have no place, and is then not there.
func arrange(events []orderEvent, c causality) []string {
	slices.SortStableFunc(events, func(a, b orderEvent) int { return c.compare(a.write, b.write) })
	o := orderer{c: c, nodes: make(map[string]*orderNode)}
	o.head.write = baseWrite
	if g := o.lastReorder(events); g != nil {
		o.place(&orderEvent{write: baseWrite, keys: g.keys, front: true})
		for i := range events {
			if e := &events[i]; e.how != reorder && e.write != g.write && !c.before(e.write, g.write) {
				o.place(e)
			}
		}
	} else {
		for i := range events {
			o.place(&events[i])
		}
	}
	return o.walk()
}

// lastReorder returns the visible reorder: the greatest, as the order extends causality.
func (o *orderer) lastReorder(events []orderEvent) *orderEvent {
	for i := range slices.Backward(events) {
		if events[i].how == reorder {
			return &events[i]
		}
	}
	return nil
}

// sees reports whether the author of e knew of the place n. The single places
// of one write stand beside each other, not under each other.
func (o *orderer) sees(e *orderEvent, n *orderNode) bool {
	if n.write == e.write {
		return e.how == run
	}
	return n.write == baseWrite || e.write != baseWrite && o.c.before(n.write, e.write)
}

// place puts the keys of e into the tree.
func (o *orderer) place(e *orderEvent) {
	at := &o.head
	if !e.front {
		if n := o.nodes[e.after]; n != nil {
			at = n
		} else {
			at = o.last()
		}
	}
	siblings := o.gap(e, at)
	if e.how == each {
		for _, key := range e.keys {
			o.insert(siblings, &orderNode{key: key, write: e.write, byName: true})
		}
		return
	}
	for _, key := range e.keys {
		n := &orderNode{key: key, write: e.write}
		o.insert(siblings, n)
		siblings = &n.right
	}
}

// gap returns the siblings among which a place directly after at belongs, as
// the author of e saw it: to the right of at if nothing known to the author is
// there, else to the left of the next place known.
func (o *orderer) gap(e *orderEvent, at *orderNode) *[]*orderNode {
	next := o.firstSeen(e, at.right)
	if next == nil {
		return &at.right
	}
	for l := o.firstSeen(e, next.left); l != nil; l = o.firstSeen(e, next.left) {
		next = l
	}
	return &next.left
}

// firstSeen returns the first of siblings that the author of e knew.
func (o *orderer) firstSeen(e *orderEvent, siblings []*orderNode) *orderNode {
	for _, n := range siblings {
		if o.sees(e, n) {
			return n
		}
	}
	return nil
}

// insert puts n among its siblings: those placed by name come first, by name,
// then the others in the order of their writes.
func (o *orderer) insert(siblings *[]*orderNode, n *orderNode) {
	i, _ := slices.BinarySearchFunc(*siblings, n, o.compare)
	for i < len(*siblings) && o.compare((*siblings)[i], n) == 0 {
		i++
	}
	*siblings = slices.Insert(*siblings, i, n)
	o.nodes[n.key] = n
}

func (o *orderer) compare(a, b *orderNode) int {
	switch {
	case a.byName != b.byName:
		if a.byName {
			return -1
		}
		return 1
	case a.byName:
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
	}
	switch {
	case a.write == b.write:
		return 0
	case a.write == baseWrite:
		return -1
	case b.write == baseWrite:
		return 1
	}
	return o.c.compare(a.write, b.write)
}

// last returns the last place.
func (o *orderer) last() *orderNode {
	n := &o.head
	for len(n.right) > 0 {
		n = n.right[len(n.right)-1]
	}
	return n
}

// walk returns the names in order, each at its latest place. It does not
// recurse: a run is as deep as it is long.
func (o *orderer) walk() []string {
	type step struct {
		n    *orderNode
		left bool // its left side is done
	}
	var names []string
	stack := []step{{n: &o.head}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !s.left {
			stack = append(stack, step{s.n, true})
			for _, l := range slices.Backward(s.n.left) {
				stack = append(stack, step{n: l})
			}
			continue
		}
		if s.n != &o.head && o.nodes[s.n.key] == s.n {
			names = append(names, s.n.key)
		}
		for _, r := range slices.Backward(s.n.right) {
			stack = append(stack, step{n: r})
		}
	}
	return names
}
