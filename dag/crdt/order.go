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
	// places are all that the author of a reorder knew of, in its order, those of deleted children too.
	places []placeName
}

// A placeName names a place: one write gives a child at most one.
type placeName struct {
	key   string
	write int
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
	write       int
	byName      bool
	rank        int // among places that everybody knew of
	left, right []*orderNode
}

// causality is what the order needs to know of writes.
type causality interface {
	before(a, b int) bool // a is in the past of b
	compare(a, b int) int // in the order of writes
}

// An orderer makes one order of children from the events of many writes.
type orderer struct {
	c     causality
	head  orderNode
	nodes map[string]*orderNode     // the latest place of each child
	gaps  map[gapName]*[]*orderNode // found for the write at hand
	write int                       // the write at hand
}

// A gapName names where one write places children: after a place, in runs or by name.
type gapName struct {
	at  *orderNode
	how ordering
}

// everybody is the write of places that all authors knew of.
const everybody = -1

// arrange returns the children's names in order; a name may be there of which
// no child is left. It is a pure function of the set of events, which it sorts,
// and of the names of the visible children: one that no event places is in
// front, known to everybody.
func arrange(events []orderEvent, visible []string, c causality) []string {
	o, places := arranged(events, visible, c)
	names := make([]string, 0, len(places))
	for _, n := range places {
		if o.nodes[n.key] == n {
			names = append(names, n.key)
		}
	}
	return names
}

// arranged returns all places in order, as [arrange] does.
func arranged(events []orderEvent, visible []string, c causality) (*orderer, []*orderNode) {
	slices.SortStableFunc(events, func(a, b orderEvent) int { return c.compare(a.write, b.write) })
	o := &orderer{c: c, nodes: make(map[string]*orderNode)}
	o.placeRest(events, visible)
	var whole *orderEvent // the greatest reorder
	for i := range events {
		if events[i].how == reorder {
			whole = &events[i]
		} else {
			o.place(&events[i])
		}
	}
	places := o.walk()
	if whole != nil {
		places = whole.applied(places)
	}
	return o, places
}

// survey notes in e, a reorder, all places that its author knew of, by the
// events and the visible children that it saw and the places it made itself:
// in the order of its keys, each followed by the places that followed it for
// the author and are none of these.
func (e *orderEvent) survey(events []orderEvent, visible []string, c causality) {
	o, places := arranged(events, visible, c)
	named := make(map[*orderNode]bool, len(e.keys))
	for _, key := range e.keys {
		if n := o.nodes[key]; n != nil {
			named[n] = true
		}
	}
	first, following := followers(places, named)
	e.places = make([]placeName, 0, len(places))
	note := func(n *orderNode) { e.places = append(e.places, placeName{n.key, n.write}) }
	for _, n := range first {
		note(n)
	}
	for _, key := range e.keys {
		n := o.nodes[key]
		if !named[n] {
			continue // a liar may name it twice
		}
		named[n] = false
		note(n)
		for _, f := range following[n] {
			note(f)
		}
	}
}

// surveyed makes the reorder among the events of one write, if there is one,
// know all places; seen are the events, and visible the children, that the
// write's author saw.
func surveyed(own []orderEvent, visible []string, c causality, seen func() []orderEvent) {
	i := slices.IndexFunc(own, func(o orderEvent) bool { return o.how == reorder })
	if i < 0 {
		return
	}
	events := append(slices.Clone(own[:i]), own[i+1:]...)
	own[i].survey(append(seen(), events...), visible, c)
}

// applied puts places in the order of e: those that its author knew of, each
// followed by the places that follow it and are none of these.
func (e *orderEvent) applied(places []*orderNode) []*orderNode {
	byName := make(map[placeName]*orderNode, len(places))
	for _, n := range places {
		byName[placeName{n.key, n.write}] = n
	}
	known := make(map[*orderNode]bool, len(e.places))
	for _, p := range e.places {
		if n := byName[p]; n != nil {
			known[n] = true
		}
	}
	first, following := followers(places, known)
	out := append(make([]*orderNode, 0, len(places)), first...)
	for _, p := range e.places {
		if n := byName[p]; n != nil {
			out = append(append(out, n), following[n]...)
		}
	}
	return out
}

// followers returns the places before the first of leaders, and those that
// follow each and are none of them.
func followers(places []*orderNode, leaders map[*orderNode]bool) (first []*orderNode, following map[*orderNode][]*orderNode) {
	following = make(map[*orderNode][]*orderNode, len(leaders))
	var at *orderNode
	for _, n := range places {
		switch {
		case leaders[n]:
			at = n
		case at == nil:
			first = append(first, n)
		default:
			following[at] = append(following[at], n)
		}
	}
	return first, following
}

// placeRest puts those of visible in front that no event places.
func (o *orderer) placeRest(events []orderEvent, visible []string) {
	placed := make(map[string]bool, len(visible))
	for i := range events {
		if events[i].how != reorder {
			for _, key := range events[i].keys {
				placed[key] = true
			}
		}
	}
	for i, key := range visible {
		if !placed[key] {
			o.insert(&o.head.right, &orderNode{key: key, write: everybody, byName: true, rank: i})
		}
	}
}

// sees reports whether the author of e knew of the place n. Of its own, it
// knows those of runs; single places stand beside each other.
func (o *orderer) sees(e *orderEvent, n *orderNode) bool {
	if n.write == e.write {
		return e.how == run && !n.byName
	}
	return n.write == everybody || o.c.before(n.write, e.write)
}

// place puts the keys of e into the tree.
func (o *orderer) place(e *orderEvent) {
	if o.write != e.write || o.gaps == nil {
		o.write, o.gaps = e.write, make(map[gapName]*[]*orderNode)
	}
	at := &o.head
	if n := o.nodes[e.after]; n != nil && !e.front {
		at = n
	}
	siblings := o.gaps[gapName{at, e.how}]
	if siblings == nil {
		siblings = o.gap(e, at)
	}
	o.gaps[gapName{at, e.how}] = siblings
	for i, key := range e.keys {
		n := &orderNode{key: key, write: e.write, byName: e.how == each}
		o.insert(siblings, n)
		if e.how == each {
			continue
		}
		if i == 0 {
			o.gaps[gapName{at, run}] = &n.left
		}
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
	case a.byName && a.write == everybody && b.write == everybody:
		return a.rank - b.rank
	case a.byName:
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
	}
	return o.c.compare(a.write, b.write)
}

// walk returns the places in order. It does not recurse: a run is as deep as it is long.
func (o *orderer) walk() []*orderNode {
	type step struct {
		n    *orderNode
		left bool // its left side is done
	}
	var places []*orderNode
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
		if s.n != &o.head {
			places = append(places, s.n)
		}
		for _, r := range slices.Backward(s.n.right) {
			stack = append(stack, step{n: r})
		}
	}
	return places
}

// newPlaces says where one write places new children, of which each is in an
// event of its own: a child placed after one that is neither visible to its
// author nor new is placed by name. Names are the visible ones, ascending. A
// child that follows another new one comes after it; in a circle, the one that
// closes it is placed in front. A reorder names all visible children: those it
// leaves out come last, by name.
func newPlaces(events []orderEvent, names []string) []orderEvent {
	which := make(map[string]int, len(events))
	for i := range events {
		if events[i].how != reorder {
			which[events[i].keys[0]] = i
		}
	}
	for i := range events {
		e := &events[i]
		if e.how == reorder {
			e.keys = complete(e.keys, names)
			continue
		}
		if _, fresh := which[e.after]; e.how == run && !e.front && !fresh {
			if _, visible := slices.BinarySearch(names, e.after); !visible {
				e.how = each
			}
		}
		if e.how == each {
			at, _ := slices.BinarySearch(names, e.keys[0])
			if e.after, e.front = "", at == 0; at > 0 {
				e.after = names[at-1]
			}
		}
	}
	out := make([]orderEvent, 0, len(events))
	state := make([]byte, len(events)) // 1: waits for another, 2: done
	var wait []int
	for i := range events {
		for j := i; state[j] == 0; {
			state[j] = 1
			wait = append(wait, j)
			e := &events[j]
			next, fresh := which[e.after]
			if e.how != run || e.front || !fresh {
				break
			}
			if state[next] == 1 {
				e.front = true
				break
			}
			j = next
		}
		for _, j := range slices.Backward(wait) {
			state[j] = 2
			out = append(out, events[j])
		}
		wait = wait[:0]
	}
	return out
}

// complete appends those of names that keys lacks.
func complete(keys, names []string) []string {
	named := make(map[string]bool, len(keys))
	for _, key := range keys {
		named[key] = true
	}
	keys = slices.Clip(keys)
	for _, key := range names {
		if !named[key] {
			keys = append(keys, key)
		}
	}
	return keys
}
