package crdt

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// chunkMax is the number of children beyond which a container is wide: a patch
// makes anew only those chunks of its children in which it changes something.
var chunkMax = 128 // tests take less

// A wide holds the children of a wide container in chunks. It is made when a
// patch first changes the container, and shared between goroutines.
type wide struct {
	cut   sync.Once
	order chunks // in the order of the text

	sort  sync.Once
	names atomic.Pointer[chunks] // by name; nil if that is not needed, or not yet

	flat   sync.Once
	kids   []kid
	lookUp sync.Once
	byName map[string]int
}

// list returns all children.
func (w *wide) list() []kid {
	w.flat.Do(func() { w.kids = w.order.list() })
	return w.kids
}

// index returns the places of the children by name.
func (w *wide) index() map[string]int {
	w.lookUp.Do(func() {
		kids := w.list()
		w.byName = make(map[string]int, len(kids))
		for i := range kids {
			w.byName[kids[i].key] = i
		}
	})
	return w.byName
}

// chunks are children in one order. They do not change once made.
type chunks []*chunk

// A chunk is some children that follow each other, at most chunkMax.
type chunk struct {
	kids     []kid
	hashes   []uint32 // of the names, unless it is a sequence
	descents int      // children whose name is not greater than that of the one before
	sum      part
	items    sums // of the children
	children sums // with their names
	bare     bool // nothing but the children is noted: all of a container that is not wide
}

var hashSeed = maphash.MakeSeed()

func hashOf(key string) uint32 { return uint32(maphash.String(hashSeed, key)) }

// newChunk returns a chunk of the children of a container with context c. It owns kids.
func newChunk(kids []kid, in kind, c context) *chunk {
	k := &chunk{kids: kids}
	if in != sequence {
		k.hashes = make([]uint32, len(kids))
	}
	for i := range kids {
		p := c.part(in, &kids[i])
		k.sum.add(&p)
		if in == sequence {
			continue
		}
		k.hashes[i] = hashOf(kids[i].key)
		if i > 0 && kids[i-1].key >= kids[i].key {
			k.descents++
		}
	}
	return k
}

// appendChunks appends kids, cut into chunks of about one length.
func (cs chunks) appendChunks(kids []kid, in kind, c context) chunks {
	parts := (len(kids) + chunkMax - 1) / chunkMax
	for i := range parts {
		from, to := len(kids)*i/parts, len(kids)*(i+1)/parts
		cs = append(cs, newChunk(kids[from:to:to], in, c))
	}
	return cs
}

// chunks returns the children of a container with context c.
func (n *node) chunks(c context) chunks {
	switch {
	case n == nil:
		return nil
	case n.m.wide == nil:
		if len(n.kids) == 0 {
			return nil
		}
		return chunks{{kids: n.kids, bare: true}}
	}
	w := n.m.wide
	w.cut.Do(func() {
		if w.order == nil {
			w.order = chunks(nil).appendChunks(n.kids, n.kind, c)
		}
	})
	return w.order
}

// sorted returns the children of a container with context c by name.
func (n *node) sorted(c context) chunks {
	order := n.chunks(c)
	if n == nil || n.ascending {
		return order
	}
	sort := func() chunks {
		kids := order.list()
		if len(order) == 1 {
			kids = slices.Clone(kids)
		}
		slices.SortFunc(kids, func(a, b kid) int { return strings.Compare(a.key, b.key) })
		if n.m.wide == nil {
			return chunks{{kids: kids, bare: true}}
		}
		return chunks(nil).appendChunks(kids, n.kind, c)
	}
	w := n.m.wide
	if w == nil {
		return sort()
	}
	w.sort.Do(func() {
		if w.names.Load() == nil {
			names := sort()
			w.names.Store(&names)
		}
	})
	return *w.names.Load()
}

func (cs chunks) count() int {
	n := 0
	for _, k := range cs {
		n += len(k.kids)
	}
	return n
}

// list returns all children, which must not be changed.
func (cs chunks) list() []kid {
	if len(cs) == 1 {
		return cs[0].kids
	}
	kids := make([]kid, 0, cs.count())
	for _, k := range cs {
		kids = append(kids, k.kids...)
	}
	return kids
}

// at returns the i-th child.
func (cs chunks) at(i int) *kid {
	for _, k := range cs {
		if i < len(k.kids) {
			return &k.kids[i]
		}
		i -= len(k.kids)
	}
	panic("crdt: no such child")
}

// find returns the place of the child of that name, -1 if there is none.
func (cs chunks) find(key string) int {
	from := 0
	if len(cs) == 1 && cs[0].bare {
		return slices.IndexFunc(cs[0].kids, func(k kid) bool { return k.key == key })
	}
	h := hashOf(key)
	for _, k := range cs {
		for i, g := range k.hashes {
			if g == h && k.kids[i].key == key {
				return from + i
			}
		}
		from += len(k.kids)
	}
	return -1
}

// search returns how many children precede key, of children in the order of
// compare, and whether there is one of that name.
func (cs chunks) search(key string, compare func(a, b string) int) (at int, found bool) {
	i, _ := slices.BinarySearchFunc(cs, key, func(k *chunk, key string) int {
		if compare(k.kids[0].key, key) <= 0 {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0, false
	}
	for _, k := range cs[:i-1] {
		at += len(k.kids)
	}
	j, found := slices.BinarySearchFunc(cs[i-1].kids, key, func(k kid, key string) int { return compare(k.key, key) })
	return at + j, found
}

// container returns the node of a kind with these children; names are the same
// children by name, or nil.
func (cs chunks) container(in kind, names chunks, c context) *node {
	n := &node{kind: in}
	count := cs.count()
	if count <= chunkMax {
		n.kids = slices.Clip(cs.list())
		if n.kids == nil {
			n.kids = []kid{}
		}
		n.ascending = in != sequence && slices.IsSortedFunc(n.kids, func(a, b kid) int { return strings.Compare(a.key, b.key) })
		n.measure(c)
		return n
	}
	var sum part
	descents := 0
	for i, k := range cs {
		sum.add(&k.sum)
		descents += k.descents
		if i > 0 && in != sequence && cs[i-1].kids[len(cs[i-1].kids)-1].key >= k.kids[0].key {
			descents++
		}
	}
	n.ascending = in != sequence && descents == 0
	if n.ascending {
		names = nil
	}
	n.m = &extent{part: c.whole(sum, false), wide: &wide{order: cs}}
	if names != nil {
		n.m.wide.names.Store(&names)
	}
	return n
}
