package crdt

import (
	"slices"
	"strings"
)

// Diff returns the patch that makes the value new of the value old. It returns
// false where no patch does so byte for byte, or where the two are never
// merged (another schema, another pinned leaf, an opaque value): such a write
// is a replace. Equal values give a patch without edits.
func Diff(old, new *Tree) (*Patch, bool) {
	if !old.sameTerms(new) {
		return nil, false
	}
	edits, ok := diff(old.doc, new.doc, old.schema, false)
	if !ok {
		return nil, false
	}
	p, err := DecodePatch(newPatch(edits).encoding)
	return p, err == nil
}

// sameTerms reports whether assignments to one tree may merge with those to
// the other: equal schemas and pins.
func (t *Tree) sameTerms(u *Tree) bool {
	return t.doc != nil && u.doc != nil && t.schema.ID() == u.schema.ID() && t.pinned() == u.pinned()
}

// diff returns the edits that make the document new of old. With all, every
// leaf of new is assigned, changed or not: what a replace means. It returns
// false if the edits do not make new.
func diff(old, new *node, s *Schema, all bool) ([]edit, bool) {
	d := differ{all: all}
	edits := d.named(old, new, context{p: documentOf(s)}, nil)
	if len(edits) == 0 {
		return nil, old.equal(new)
	}
	made := applyEdits(old, s, edits)
	return edits, made != nil && made.equal(new)
}

// A differ makes edits.
type differ struct{ all bool }

// inside returns the edits that make new of old, two containers of one kind.
// The fields protected identify an item and are not edited.
func (d *differ) inside(old, new *node, c context, protected []string) []edit {
	if new.kind == sequence {
		return d.sequence(old.list(), new.list(), c)
	}
	return d.named(old, new, c, protected)
}

// named is inside for children with names.
func (d *differ) named(old, new *node, c context, protected []string) []edit {
	var edits []edit
	inserted := false
	a, b := byName(old), byName(new)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].key < b[0].key:
			edits = append(edits, edit{op: opDelete, key: a[0].key})
			a = a[1:]
		case len(a) == 0 || b[0].key < a[0].key:
			edits = append(edits, d.set(new.kind, b[0], c))
			inserted = true
			b = b[1:]
		default:
			if !slices.Contains(protected, b[0].key) {
				edits = d.child(edits, a[0].n, new.kind, b[0], c)
			}
			a, b = a[1:], b[1:]
		}
	}
	if new.kind == mapping && !c.p.inner().json {
		return edits // in the order of the names
	}
	switch {
	case moved(old, new):
		e := edit{op: opReorder}
		for _, k := range new.list() {
			e.keys = append(e.keys, k.key)
		}
		return append(edits, e)
	case inserted && !(new.kind == mapping && placedByName(old, new)):
		placeAfter(edits, old, new)
	}
	return edits
}

// byName returns the children in ascending order of their names.
func byName(n *node) []kid {
	if n.ascending {
		return n.list()
	}
	return slices.SortedFunc(slices.Values(n.list()), func(a, b kid) int { return strings.Compare(a.key, b.key) })
}

// set returns the edit that sets a child.
func (d *differ) set(in kind, k kid, c context) edit {
	e := edit{op: opSet, key: k.key}
	if in != set { // there the name says it
		e.value = k.n.spelled(c.child(in, k.key))
	}
	return e
}

// child appends what makes the child k of old, the child of that name.
func (d *differ) child(edits []edit, old *node, in kind, k kid, c context) []edit {
	if old == k.n && !d.all {
		return edits
	}
	if old.kind == k.n.kind && old.kind != leaf && string(old.name) == string(k.n.name) {
		var protected []string
		if in == list {
			protected = c.p.keys()
		}
		if sub := d.inside(old, k.n, c.child(in, k.key), protected); len(sub) > 0 {
			edits = append(edits, edit{op: opInside, key: k.key, edits: sub})
		}
		return edits
	}
	if d.all || !old.equal(k.n) {
		edits = append(edits, d.set(in, k, c))
	}
	return edits
}

// moved reports whether children that old and new share are in another order.
func moved(old, new *node) bool {
	i, kids := 0, new.list()
	for _, k := range old.list() {
		if new.find(k.key) < 0 {
			continue
		}
		for i < len(kids) && kids[i].key != k.key && old.find(kids[i].key) < 0 {
			i++
		}
		if i == len(kids) || kids[i].key != k.key {
			return true
		}
		i++
	}
	return false
}

// placedByName reports whether the members that new has and old has not stand
// where they come to stand by their names.
func placedByName(old, new *node) bool {
	if old.ascending && new.ascending {
		return true
	}
	names := byName(old)
	events := []orderEvent{(&event{n: old}).ordered()}
	for _, k := range new.list() {
		key := k.key
		if old.find(key) >= 0 {
			continue
		}
		o := orderEvent{write: 1, how: each, keys: []string{key}}
		at, _ := slices.BinarySearchFunc(names, key, func(k kid, key string) int { return strings.Compare(k.key, key) })
		if o.front = at == 0; !o.front {
			o.after = names[at-1].key
		}
		events = append(events, o)
	}
	i, kids := 0, new.list()
	for _, key := range arrange(events, nil, oneAfterOther{}) {
		if new.find(key) < 0 {
			continue
		}
		if kids[i].key != key {
			return false
		}
		i++
	}
	return i == len(kids)
}

// oneAfterOther is the causality of writes that each saw all lesser ones.
type oneAfterOther struct{}

func (oneAfterOther) before(a, b int) bool { return a < b }
func (oneAfterOther) compare(a, b int) int { return a - b }

// placeAfter gives each new child its place in edits: right after the one before it.
func placeAfter(edits []edit, old, new *node) {
	kids := new.list()
	for i := range kids {
		key := kids[i].key
		if old.find(key) >= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(edits, key, func(e edit, key string) int { return strings.Compare(e.key, key) })
		e := &edits[at]
		e.op = opPlace
		if e.front = i == 0; !e.front {
			e.after = kids[i-1].key
		}
	}
}

// sequence is inside for items without names.
func (d *differ) sequence(old, new []kid, c context) []edit {
	var edits []edit
	i, j := 0, 0
	for _, m := range append(align(old, new), [2]int{len(old), len(new)}) {
		edits = d.gap(edits, old, new, [2]int{i, j}, m, c)
		if i, j = m[0], m[1]; i == len(old) {
			break
		}
		if d.all {
			edits = d.item(edits, old[i].n, new[j].n, i, c)
		}
		i, j = i+1, j+1
	}
	return edits
}

// gap appends what makes new[from[1]:to[1]] of old[from[0]:to[0]]: items are
// set in their places as far as both reach, the rest is cut or inserted.
func (d *differ) gap(edits []edit, old, new []kid, from, to [2]int, c context) []edit {
	i, j := from[0], from[1]
	for i < to[0] && j < to[1] {
		edits = d.item(edits, old[i].n, new[j].n, i, c)
		i, j = i+1, j+1
	}
	if i < to[0] {
		edits = append(edits, edit{op: opCut, index: i, count: to[0] - i, sum: sumOf(old[i:to[0]])})
	}
	if j < to[1] {
		e := edit{op: opInsert, index: i}
		for ; j < to[1]; j++ {
			e.values = append(e.values, new[j].n.bytes(c.child(sequence, "")))
		}
		edits = append(edits, e)
	}
	return edits
}

// item appends what makes n of the item old at the index i.
func (d *differ) item(edits []edit, old, n *node, i int, c context) []edit {
	kc := c.child(sequence, "")
	if old.kind == n.kind && n.kind != leaf {
		if sub := d.inside(old, n, kc, nil); len(sub) > 0 {
			edits = append(edits, edit{op: opIn, index: i, sum: old.sum(), edits: sub})
		}
		return edits
	}
	return append(edits, edit{op: opItem, index: i, sum: old.sum(), value: n.bytes(kc)})
}

// align returns which items of old and new are the same (docs/merge.md
// section 6): what both begin with, what both end with, and of the rest a
// longest common subsequence, if it is not too long to look for.
func align(old, new []kid) [][2]int {
	var pairs, tail [][2]int
	i, j, m, n := 0, 0, len(old), len(new)
	for ; i < m && j < n && old[i].n.equal(new[j].n); i, j = i+1, j+1 {
		pairs = append(pairs, [2]int{i, j})
	}
	for ; m > i && n > j && old[m-1].n.equal(new[n-1].n); m, n = m-1, n-1 {
		tail = append(tail, [2]int{m - 1, n - 1})
	}
	slices.Reverse(tail)
	if rows, columns := m-i, n-j; rows > 0 && columns > 0 && rows*columns <= maxAlign {
		pairs = append(pairs, longestCommon(old, new, [2]int{i, j}, [2]int{m, n})...)
	}
	return append(pairs, tail...)
}

// longestCommon returns the pairs of the longest common subsequence of
// old[from[0]:to[0]] and new[from[1]:to[1]] that pairs early items first.
func longestCommon(old, new []kid, from, to [2]int) [][2]int {
	sums := func(kids []kid) []uint32 {
		s := make([]uint32, len(kids))
		for i := range kids {
			s[i] = kids[i].n.sum()
		}
		return s
	}
	a, b := sums(old[from[0]:to[0]]), sums(new[from[1]:to[1]])
	same := func(i, j int) bool { return a[i] == b[j] && old[from[0]+i].n.equal(new[from[1]+j].n) }
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width) // of the longest from i, j on
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if same(i, j) {
				length[i*width+j] = 1 + length[(i+1)*width+j+1]
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case same(i, j):
			pairs = append(pairs, [2]int{from[0] + i, from[1] + j})
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}
