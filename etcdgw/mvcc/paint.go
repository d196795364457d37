package mvcc

import (
	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// paint says of each key which range delete covered it last. The zero value
// has none. A transaction may have tens of thousands: each costs a logarithm.
type paint struct {
	tree *btree.BTreeG[painted] // nil while there is none; spans do not overlap
}

type painted struct {
	span
	by int
}

// over paints s.
func (p *paint) over(s span, by int) {
	if p.tree == nil {
		p.tree = btree.NewBTreeGOptions(func(a, b painted) bool { return a.key < b.key }, btree.Options{NoLocks: true})
	}
	var under []painted
	p.tree.Descend(painted{span: s}, func(x painted) bool {
		if x.key < s.key && x.contains(s.key) {
			under = append(under, x)
		}
		return x.key == s.key
	})
	p.tree.Ascend(painted{span: s}, func(x painted) bool {
		if !s.below(x.key) {
			return false
		}
		under = append(under, x)
		return true
	})
	for _, x := range under {
		p.tree.Delete(x)
		if x.key < s.key {
			p.tree.Set(painted{span{key: x.key, end: s.key}, x.by})
		}
		if !s.open && (x.open || x.end > s.end) {
			p.tree.Set(painted{span{key: s.end, end: x.end, open: x.open}, x.by})
		}
	}
	p.tree.Set(painted{s, by})
}

// at returns what covered name last.
func (p *paint) at(name string) (by int, ok bool) {
	if p.tree != nil {
		p.tree.Descend(painted{span: span{key: name}}, func(x painted) bool {
			by, ok = x.by, x.contains(name)
			return false
		})
	}
	return by, ok
}

// coveredIn returns, of the keys of which t has a single write, the range deletes of t that cover them: of those between two writes of a key,
// and before the first and after the last, the last one. They ascend.
func coveredIn(t dag.Transaction) map[string][]int {
	covered := make(map[string][]int)
	var p paint
	note := func(key string) {
		by, ok := p.at(key)
		if c := covered[key]; ok && (len(c) == 0 || c[len(c)-1] != by) {
			covered[key] = append(c, by)
		}
	}
	for i := range t {
		w := &t[i]
		switch {
		case w.Kind == dag.DeleteRange:
			p.over(spanOfWrite(w), i)
		case p.tree != nil:
			note(string(w.Key))
		}
	}
	if p.tree != nil {
		for i := range t {
			if w := &t[i]; w.Kind != dag.DeleteRange {
				note(string(w.Key))
			}
		}
	}
	return covered
}
