package mvcc

import (
	"unsafe"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// trees are the parsed values of the keys that were patched or merged last, so
// that the next put of a key need not parse what is there. It belongs to the writer.
type trees struct {
	by map[*item]*keptTree
	// newest and oldest are the ends of a list in the order of use.
	newest, oldest *keptTree
	bytes          int // of all values
}

type keptTree struct {
	item         *item
	tree         *crdt.Tree
	newer, older *keptTree
}

// of returns the tree of s, a state of it.
func (c *trees) of(it *item, s *state) *crdt.Tree {
	if s.tree != nil {
		return s.tree
	}
	if k := c.by[it]; k != nil && isOf(k.tree, s.value, s.schema) {
		return k.tree
	}
	return crdt.Parse(s.value, s.schema)
}

// isOf reports whether t is the tree of this very value.
func isOf(t *crdt.Tree, value []byte, s *crdt.Schema) bool {
	u := t.Value()
	return t.Schema() == s && len(u) == len(value) && unsafe.SliceData(u) == unsafe.SliceData(value)
}

// keep keeps the tree of it, and drops the ones used least recently if there are too many.
func (c *trees) keep(it *item, t *crdt.Tree) {
	if t.Opaque() || len(t.Value()) > keptTreeBytes/2 {
		c.drop(it)
		return
	}
	k := c.by[it]
	if k == nil {
		if c.by == nil {
			c.by = make(map[*item]*keptTree)
		}
		k = &keptTree{item: it, tree: t}
		c.by[it] = k
	} else {
		c.unlink(k)
		c.bytes -= k.cost()
		k.tree = t
	}
	c.bytes += k.cost()
	if k.older = c.newest; k.older != nil {
		k.older.newer = k
	} else {
		c.oldest = k
	}
	c.newest = k
	for c.bytes > keptTreeBytes {
		c.drop(c.oldest.item)
	}
}

// cost is what a tree counts for beside the bytes of its value.
func (k *keptTree) cost() int { return len(k.tree.Value()) + 64 }

// drop forgets the tree of it.
func (c *trees) drop(it *item) {
	if k := c.by[it]; k != nil {
		delete(c.by, it)
		c.bytes -= k.cost()
		c.unlink(k)
	}
}

func (c *trees) unlink(k *keptTree) {
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		c.newest = k.older
	}
	if k.older != nil {
		k.older.newer = k.newer
	} else {
		c.oldest = k.newer
	}
	k.newer, k.older = nil, nil
}

// patch returns what an encoded patch makes of s, a state of it; false if it
// does not count: it does not decode, or does not apply. The patch is kept.
func (c *trees) patch(it *item, s *state, patch []byte) (*crdt.Tree, bool) {
	p, err := crdt.DecodePatch(patch)
	if err != nil {
		return nil, false
	}
	t, err := crdt.Apply(c.of(it, s), p)
	return t, err == nil
}
