package crdt

import (
	"slices"
	"strings"
)

// kind is what a node of a tree is.
type kind uint8

const (
	leaf     kind = iota // bytes that are assigned as a whole
	mapping              // named children: a JSON object, a message, a protobuf map
	list                 // items named by some of their fields
	set                  // scalars that are their own names
	sequence             // items without names: a JSON array
)

// A node is one value of a tree. It does not change once made, so trees share
// their nodes.
type node struct {
	kind      kind
	ascending bool   // the names of kids ascend
	raw       []byte // of a leaf: compact JSON text, or the field's protobuf records
	name      []byte // JSON spelling of the member's name between the quotes, nil if it is the name itself
	kids      []kid  // in the order of the text; nil for a leaf, and for a wide container made by a patch: see list

	index map[string]int // of many kids in another order
	m     *extent        // of what Parse and Apply make: a container, or a leaf that is no plain scalar
}

// A kid is a child with its name; in a sequence the name is empty.
type kid struct {
	key string
	n   *node
}

// manyKids is the number of children beyond which a search by name is prepared.
const manyKids = 12

// newContainer returns a node with those kids, which it owns. It returns nil
// if two have the same name.
func newContainer(k kind, kids []kid) *node {
	n := &node{kind: k, kids: kids}
	if k == sequence {
		return n
	}
	n.ascending = true
	for i := 1; i < len(kids); i++ {
		if kids[i-1].key >= kids[i].key {
			n.ascending = false
			break
		}
	}
	if n.ascending {
		return n
	}
	if len(kids) <= manyKids {
		for i := range kids {
			for j := range i {
				if kids[i].key == kids[j].key {
					return nil
				}
			}
		}
		return n
	}
	n.index = make(map[string]int, len(kids))
	for i := range kids {
		n.index[kids[i].key] = i
	}
	if len(n.index) < len(kids) {
		return nil
	}
	return n
}

// list returns the children in order.
func (n *node) list() []kid {
	if n.kids == nil && n.m != nil && n.m.wide != nil {
		return n.m.wide.list()
	}
	return n.kids
}

// find returns the place of the child of that name, -1 if there is none.
func (n *node) find(key string) int {
	kids, index := n.list(), n.index
	if n.kids == nil && len(kids) > 0 && !n.ascending {
		index = n.m.wide.index()
	}
	switch {
	case index != nil:
		if i, ok := index[key]; ok {
			return i
		}
		return -1
	case n.ascending && len(kids) > manyKids:
		i, ok := slices.BinarySearchFunc(kids, key, func(k kid, key string) int { return strings.Compare(k.key, key) })
		if ok {
			return i
		}
		return -1
	}
	for i := range kids {
		if kids[i].key == key {
			return i
		}
	}
	return -1
}

// get returns the child of that name, nil if there is none.
func (n *node) get(key string) *node {
	if i := n.find(key); i >= 0 {
		return n.list()[i].n
	}
	return nil
}

// equal reports whether two trees have the same bytes.
func (n *node) equal(m *node) bool {
	if n == m {
		return true
	}
	a, b := n.list(), m.list()
	if n.kind != m.kind || len(a) != len(b) || string(n.raw) != string(m.raw) || string(n.name) != string(m.name) {
		return false
	}
	for i := range a {
		if a[i].key != b[i].key || !a[i].n.equal(b[i].n) {
			return false
		}
	}
	return true
}
