package mvcc

import "hash/maphash"

// watchIndex finds the watchers of a key: those of the key alone by hash, those
// of a range in a tree of intervals. Watchers of equal ranges share a node, so
// that the cost of an event is the logarithm of the number of different ranges,
// and its watchers.
type watchIndex struct {
	keys map[string]*watchNode
	root *watchNode
	byID map[span]*watchNode
	seed maphash.Seed
	size int
}

// watchNode holds the watchers of one key or range. Those of ranges form a
// treap: ordered by start, a heap by priority, each with the greatest end below it.
type watchNode struct {
	span        span
	watchers    []*watcher
	left, right *watchNode
	priority    uint64
	maxEnd      string
	maxOpen     bool
}

func (x *watchIndex) init() {
	x.keys, x.byID, x.seed = make(map[string]*watchNode), make(map[span]*watchNode), maphash.MakeSeed()
}

func (x *watchIndex) add(w *watcher) {
	x.size++
	var n *watchNode
	if w.single {
		if n = x.keys[w.span.key]; n == nil {
			n = &watchNode{span: w.span}
			x.keys[w.span.key] = n
		}
	} else if n = x.byID[w.span]; n == nil {
		n = &watchNode{span: w.span, priority: maphash.Comparable(x.seed, w.span)}
		n.update()
		x.byID[w.span] = n
		x.root = x.root.insert(n)
	}
	w.node, w.place = n, len(n.watchers)
	n.watchers = append(n.watchers, w)
}

func (x *watchIndex) remove(w *watcher) {
	x.size--
	n, last := w.node, len(w.node.watchers)-1
	n.watchers[w.place] = n.watchers[last]
	n.watchers[w.place].place = w.place
	n.watchers[last] = nil
	n.watchers = n.watchers[:last]
	w.node = nil
	switch {
	case last > 0:
	case w.single:
		delete(x.keys, w.span.key)
	default:
		delete(x.byID, w.span)
		x.root = x.root.remove(n)
	}
}

// find appends the nodes that cover name to found.
func (x *watchIndex) find(name string, found []*watchNode) []*watchNode {
	if n := x.keys[name]; n != nil {
		found = append(found, n)
	}
	return x.root.stab(name, found)
}

func (n *watchNode) stab(name string, found []*watchNode) []*watchNode {
	for n != nil && (n.maxOpen || name < n.maxEnd) {
		found = n.left.stab(name, found)
		if name < n.span.key {
			break
		}
		if n.span.below(name) {
			found = append(found, n)
		}
		n = n.right
	}
	return found
}

func (n *watchNode) update() {
	n.maxEnd, n.maxOpen = n.span.end, n.span.open
	for _, c := range [...]*watchNode{n.left, n.right} {
		if c != nil {
			n.maxEnd, n.maxOpen = max(n.maxEnd, c.maxEnd), n.maxOpen || c.maxOpen
		}
	}
}

// less orders nodes by start, then end.
func (n *watchNode) less(m *watchNode) bool {
	if n.span.key != m.span.key {
		return n.span.key < m.span.key
	}
	if n.span.open != m.span.open {
		return m.span.open
	}
	return n.span.end < m.span.end
}

// insert returns the tree n with m in it.
func (n *watchNode) insert(m *watchNode) *watchNode {
	if n == nil {
		return m
	}
	if m.priority > n.priority {
		m.left, m.right = n.split(m)
		m.update()
		return m
	}
	if m.less(n) {
		n.left = n.left.insert(m)
	} else {
		n.right = n.right.insert(m)
	}
	n.update()
	return n
}

// split returns the nodes of n less than m, and the others.
func (n *watchNode) split(m *watchNode) (low, high *watchNode) {
	if n == nil {
		return nil, nil
	}
	if n.less(m) {
		n.right, high = n.right.split(m)
		n.update()
		return n, high
	}
	low, n.left = n.left.split(m)
	n.update()
	return low, n
}

// remove returns the tree n without m, which is in it.
func (n *watchNode) remove(m *watchNode) *watchNode {
	switch {
	case n == m:
		return join(n.left, n.right)
	case m.less(n):
		n.left = n.left.remove(m)
	default:
		n.right = n.right.remove(m)
	}
	n.update()
	return n
}

// join returns the tree of a and b; all of a is less than all of b.
func join(a, b *watchNode) *watchNode {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		a.update()
		return a
	default:
		b.left = join(a, b.left)
		b.update()
		return b
	}
}
