package crdt

import (
	"slices"
	"strings"
)

// A step is one step of a path. Steps into containers of different kinds differ.
type step struct {
	k   kind
	key string
}

// A fact is one assignment: section 3.
type fact struct {
	w    int
	path []step
	n    *node // nil: deleted
	saw  []int // the assignments that made the record around it, as its author saw them
}

// An order is what a write said of the order of a container's children.
type order struct {
	path []step
	orderEvent
}

type facts struct {
	*reference
	schema *Schema
	all    []fact
	places map[string][]int // of all, by path
	order  []order
}

func (f *facts) begin(w int, doc *node) { f.set(w, nil, doc, nil) }

// set records that w set a place, and with it all that is inside.
func (f *facts) set(w int, path []step, n *node, saw []int) {
	id := len(f.all)
	f.all = append(f.all, fact{w, path, n, saw})
	f.places[key(path)] = append(f.places[key(path)], id)
	if n == nil {
		return
	}
	if f.context(path).p.isRecord() {
		saw = []int{id}
	}
	for i, k := range n.kids {
		name := k.key
		if n.kind == sequence {
			name = elementID(w, i)
		}
		f.set(w, append(slices.Clone(path), step{n.kind, name}), k.n, saw)
	}
}

// context is the place of a path.
func (f *facts) context(path []step) context {
	c := context{p: documentOf(f.schema)}
	for _, s := range path {
		c = c.child(s.k, s.key)
	}
	return c
}

// at returns the assignments of a place in p.
func (f *facts) at(path []step, p past) []int {
	var ids []int
	for _, id := range f.places[key(path)] {
		if p[f.all[id].w] {
			ids = append(ids, id)
		}
	}
	return ids
}

// key is a path as one text.
func key(path []step) string {
	var b []byte
	for _, s := range path {
		b = append(append(b, byte(s.k), byte(len(s.key))), s.key...)
	}
	return string(b)
}

// live is section 3 rules 1 to 4.
func (f *facts) live(id int, p past) bool {
	x := &f.all[id]
	if x.n == nil {
		return false
	}
	overtaken := func(path []step) bool {
		return slices.ContainsFunc(f.at(path, p), func(o int) bool { return f.before(x.w, f.all[o].w) })
	}
	if overtaken(x.path) { // replaced
		return false
	}
	for n := len(x.path) - 1; n > 0 && !f.context(x.path[:n]).p.isRecord(); n-- {
		if overtaken(x.path[:n]) { // cleared
			return false
		}
	}
	if len(x.path) == 0 {
		return true
	}
	return slices.ContainsFunc(x.saw, func(o int) bool { return f.live(o, p) }) // else orphaned
}

// showing returns the live assignments of what a place shows, least first,
// and of which kind that is.
func (f *facts) showing(path []step, p past) (ids []int, k kind) {
	for _, id := range f.at(path, p) {
		if f.live(id, p) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int) int { return f.compare(f.all[a].w, f.all[b].w) })
	if len(ids) == 0 {
		k, _ = f.context(path).p.collection()
		return nil, k
	}
	k = f.all[ids[len(ids)-1]].n.kind
	return slices.DeleteFunc(ids, func(id int) bool { return f.all[id].n.kind != k }), k
}

// children returns what a container shows inside.
func (f *facts) children(path []step, ids []int, k kind, p past) []kid {
	c := f.context(path)
	names := make(map[string]bool)
	for id := range f.all {
		x := &f.all[id]
		if len(x.path) > len(path) && slices.Equal(x.path[:len(path)], path) && x.path[len(path)].k == k {
			names[x.path[len(path)].key] = true
		}
	}
	var kids []kid
	for name := range names {
		if n := f.node(append(slices.Clone(path), step{k, name}), p); n != nil {
			kids = append(kids, kid{name, n})
		}
	}
	if k == mapping && !c.p.inner().json {
		slices.SortFunc(kids, func(a, b kid) int {
			if c.p.isRecord() {
				return compareFields(a.key, b.key)
			}
			return strings.Compare(a.key, b.key)
		})
		return kids
	}
	return arrangeKids(f.orderEvents(path, k, p), k, kids, f)
}

// orderEvents are what the writes of p said of the order of children.
func (f *facts) orderEvents(path []step, k kind, p past) (events []orderEvent) {
	c := f.context(path)
	within := func(saw []int) bool {
		return len(saw) == 0 || slices.ContainsFunc(saw, func(o int) bool { return f.live(o, p) })
	}
	for _, id := range f.at(path, p) {
		if x := &f.all[id]; x.n != nil && x.n.kind == k && (f.live(id, p) || !c.p.isRecord() && within(x.saw)) {
			events = append(events, (&event{write: x.w, n: x.n}).ordered())
		}
	}
	for _, o := range f.order {
		if p[o.write] && o.kind == k && slices.Equal(o.path, path) {
			events = append(events, o.orderEvent)
		}
	}
	return events
}

// node is what a place shows, nil for nothing.
func (f *facts) node(path []step, p past) *node {
	ids, k := f.showing(path, p)
	c := f.context(path)
	if k == leaf {
		if len(ids) == 0 {
			return nil
		}
		return f.rule(path, ids, p)
	}
	kids := f.children(path, ids, k, p)
	if len(kids) == 0 && (len(ids) == 0 || !c.p.isRecord() && !c.p.inner().json) {
		return nil
	}
	if k == sequence {
		for i := range kids {
			kids[i].key = ""
		}
	}
	n := newContainer(k, kids)
	if len(ids) > 0 {
		n.name = f.all[ids[len(ids)-1]].n.name
	}
	return n
}

// rule is the table of section 3.
func (f *facts) rule(path []step, ids []int, p past) *node {
	greatest := f.all[ids[len(ids)-1]]
	switch f.context(path).p.rule() {
	case WriteOnce:
		return f.all[ids[0]].n
	case Max:
		most := greatest.n
		for _, id := range slices.Backward(ids) {
			if compareLeaves(f.all[id].n, most) > 0 {
				most = f.all[id].n
			}
		}
		return most
	case Counter:
		sum, ok := greatest.n.integer()
		if !ok {
			break
		}
		for _, id := range f.at(path, p) {
			x := &f.all[id]
			below := slices.ContainsFunc(ids, func(l int) bool { return l == id || f.before(x.w, f.all[l].w) })
			if x.n == nil || x.w == greatest.w || f.before(x.w, greatest.w) || !below || len(ids) == 1 {
				continue
			}
			if f.all[id].edited(f) {
				sum += change(f.node(path, f.pastOf(x.w)), x.n)
			}
		}
		if len(ids) > 1 {
			return greatest.n.withInteger(sum)
		}
	}
	return greatest.n
}

// edited reports whether an assignment was an edit of its own, not part of a
// container that was set.
func (x fact) edited(f *facts) bool {
	return len(x.path) > 0 && !slices.ContainsFunc(f.at(x.path[:len(x.path)-1], past{x.w: true}), func(o int) bool { return f.all[o].n != nil })
}

func (f *facts) tree(p past) *Tree { return treeOf(f.node(nil, p), f.schema) }

// edit records the assignments of a write: section 6.
func (f *facts) edit(w int, edits []edit) {
	f.inside(w, f.pastOf(w), nil, edits, nil)
}

// around returns the live assignments of the record around the children of path.
func (f *facts) around(path []step, p past) []int {
	for n := len(path); ; n-- {
		if f.context(path[:n]).p.isRecord() {
			ids, _ := f.showing(path[:n], p)
			return ids
		}
	}
}

func (f *facts) inside(w int, p past, path []step, edits []edit, protected []string) {
	ids, k := f.showing(path, p)
	if k == leaf {
		return
	}
	c := f.context(path)
	saw := f.around(path, p)
	shown := f.children(path, ids, k, p)
	place := func(o orderEvent) {
		o.write, o.kind = w, k
		f.order = append(f.order, order{path, o})
	}
	at := func(key string) []step { return append(slices.Clone(path), step{k, key}) }
	if k == sequence {
		f.items(w, p, path, edits, shown, saw, place)
		return
	}
	ordered := k != mapping || c.p.inner().json
	var inserted []orderEvent
	for _, e := range edits {
		kc := c.child(k, e.key)
		if e.op == opReorder && ordered {
			inserted = append(inserted, orderEvent{how: reorder, keys: e.keys})
		}
		if e.op >= opReorder || slices.Contains(protected, e.key) || !mayHold(k, e.key, c, kc) {
			continue
		}
		old := f.node(at(e.key), p)
		_, fresh := kc.p.collection()
		switch e.op {
		case opInside:
			var keys []string
			if k == list {
				keys = c.p.keys()
			}
			f.inside(w, p, at(e.key), e.edits, keys)
		case opDelete:
			if fresh = false; old != nil && len(path) > 0 {
				f.set(w, at(e.key), nil, saw)
			}
		default:
			n := childValue(e.key, e.value, k, c, kc)
			if fresh = n != nil; fresh {
				f.set(w, at(e.key), n, saw)
			}
		}
		if ordered && fresh && old == nil {
			o := orderEvent{how: each, keys: []string{e.key}}
			if e.op == opPlace {
				o = orderEvent{keys: o.keys, after: e.after, front: e.front}
			}
			inserted = append(inserted, o)
		}
	}
	var names []string
	for _, s := range shown {
		names = append(names, s.key)
	}
	slices.Sort(names)
	placed := newPlaces(inserted, names)
	for i := range placed {
		placed[i].write, placed[i].kind = w, k
	}
	surveyed(placed, names, f, func() []orderEvent { return f.orderEvents(path, k, p) })
	for _, o := range placed {
		place(o)
	}
}

// items records the edits of a sequence whose items are shown.
func (f *facts) items(w int, p past, path []step, edits []edit, shown []kid, saw []int, place func(orderEvent)) {
	c := f.context(path)
	kc := c.child(sequence, "")
	at := func(key string) []step { return append(slices.Clone(path), step{sequence, key}) }
	fresh := 0
	for _, e := range edits {
		switch {
		case e.op == opInsert && e.index <= len(shown):
			o := orderEvent{front: e.index == 0}
			if !o.front {
				o.after = shown[e.index-1].key
			}
			for _, raw := range e.values {
				if n := parseEdit(raw, "", sequence, c, kc); n != nil {
					f.set(w, at(elementID(w, fresh)), n, saw)
					o.keys = append(o.keys, elementID(w, fresh))
					fresh++
				}
			}
			place(o)
		case e.op == opCut && e.index+e.count <= len(shown) && sumOf(shown[e.index:e.index+e.count]) == e.sum:
			for _, k := range shown[e.index : e.index+e.count] {
				f.set(w, at(k.key), nil, saw)
			}
		case (e.op == opItem || e.op == opIn) && e.index < len(shown) && shown[e.index].n.sum() == e.sum:
			if e.op == opIn {
				f.inside(w, p, at(shown[e.index].key), e.edits, nil)
			} else if n := parseEdit(e.value, "", sequence, c, kc); n != nil {
				f.set(w, at(shown[e.index].key), n, saw)
			}
		}
	}
}
