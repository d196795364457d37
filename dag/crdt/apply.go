package crdt

import (
	"bytes"
	"slices"
)

// holdsTooMuch bounds what the nodes of a tree keep from being freed: the value they
// were parsed from, and the patches since. Beyond it the tree is parsed anew.
func (t *Tree) holdsTooMuch() bool { return t.held > 4*(t.size+1024) }

// Apply returns old with the assignments of p: the value that the author of p
// put. Errors wrap [ErrApply]; what p refers to and old does not have is ignored.
// It costs what p touches (docs/merge.md section 8).
func Apply(old *Tree, p *Patch) (*Tree, error) {
	if old.Opaque() {
		return nil, ErrApply
	}
	t := old.applied(p)
	if t != nil && t.holdsTooMuch() {
		t = Parse(t.Value(), t.schema)
	}
	if t == nil || t.Opaque() {
		return nil, ErrApply
	}
	return t, nil
}

// applied is [Apply] without encoding and parsing: it returns the tree that
// would be read of the bytes, nil if that is opaque.
func (t *Tree) applied(p *Patch) *Tree {
	var a applier
	value, layout := a.document(t.doc, t.schema, p.edits)
	made := &Tree{schema: t.schema, held: t.held + len(p.encoding), pins: t.pins}
	if a.pins {
		made.pins = &pins{}
	}
	kids, m := make([]kid, 0, 2), value.extent()
	if t.schema.formatOf() == Protobuf {
		if made.size = len(t.schema.prefix) + m.size; m.peak > MaxNodes {
			return nil
		}
	} else {
		st, _ := styleOf(layout.raw)
		if shown := st.shown(&m); shown != st {
			layout, st = shown.leaf(), shown
		}
		if made.size = st.length(&m); m.nodes > MaxNodes || m.height > MaxDepth {
			return nil
		}
		kids = append(kids, kid{styleKey, layout})
	}
	if made.size > MaxValue {
		return nil
	}
	made.doc = newContainer(mapping, append(kids, kid{valueKey, value}))
	return made
}

// An applier does what the edits of one write say to the value that its author
// saw. What an assigner and a state do for a write concurrent with others, it
// does for one that saw all others, and makes just the nodes on the way anew: so
// as they would be read of their bytes.
type applier struct {
	pins bool // leaves with the rule Pin may have changed
}

// document applies edits to a document and returns its two members.
func (a *applier) document(doc *node, s *Schema, edits []edit) (value, layout *node) {
	c := context{p: documentOf(s)}
	value, layout = doc.get(valueKey), doc.get(styleKey)
	for i := range edits {
		e := &edits[i]
		kc := c.child(mapping, e.key)
		if e.op == opDelete || e.op >= opReorder || !mayHold(mapping, e.key, c, kc) {
			continue
		}
		at := &value
		if e.key == styleKey {
			at = &layout
		}
		if e.op == opInside {
			*at = a.inside(*at, kc, e.edits, scope{})
		} else if n := childValue(e.key, bytes.Clone(e.value), mapping, c, kc); n != nil {
			n.name = nil
			*at, a.pins = n, true
		}
	}
	return value, layout
}

// A scope is where a container stands.
type scope struct {
	protected []string // fields that identify it in a list, and are not assigned
	depth     int      // in protobuf
	made      bool     // inside a collection that the edits make, which is read again as a whole
}

// inside applies edits to n, a container; nil is a collection without members.
func (a *applier) inside(n *node, c context, edits []edit, s scope) *node {
	k, _ := c.p.collection()
	if n != nil {
		k = n.kind
	}
	within := scope{depth: s.depth + 1, made: s.made || n == nil}
	var r *node
	whole := true // what is read of the bytes has the children of r
	switch k {
	case leaf:
		return n
	case sequence:
		r = a.sequence(n, c, edits, within)
	default:
		r, whole = a.named(n, k, c, edits, s.protected, within)
	}
	switch {
	case r == n:
		return n
	case r.m.wide == nil && len(r.kids) == 0 && (n == nil || !c.p.showsEmpty()):
		return nil
	case n != nil:
		r.name = n.name
	}
	if c.p.json || s.made || c.num == 0 {
		return r
	}
	tooDeep := c.p.inner().json && r.m.height > MaxDepth
	if n == nil || !whole || tooDeep {
		return a.again(r, c, s.depth)
	}
	return r
}

// again returns what is read of the records of n.
func (a *applier) again(n *node, c context, depth int) *node {
	a.pins = true
	return readField(n.appendField(nil, c.num, c.p), c.num, c.p, depth)
}

// settled returns a child that an edit sets as it is read so deep in the tree.
func (a *applier) settled(n *node, c context, depth int) *node {
	if c.p.json || c.num == 0 || n.kind == leaf {
		return n
	}
	height := 1
	if !c.p.inner().json {
		height = n.m.height
	}
	if depth+height-1 > MaxDepth {
		return a.again(n, c, depth)
	}
	return n
}

// named applies edits to the children of a container that have names. It
// reports false if what is read of its bytes is another container, or a leaf.
func (a *applier) named(n *node, in kind, c context, edits []edit, protected []string, s scope) (made *node, whole bool) {
	json := c.p.inner().json
	ordered := json || in != mapping
	o := overlay{n: n, in: in, c: c, base: n.chunks(c), many: len(edits) > chunkMax}
	whole = true
	for i := range edits {
		e := &edits[i]
		if e.op == opReorder && ordered {
			o.reorders, o.order = true, e.keys
			a.pins = a.pins || c.p.hasPins()
			continue
		}
		kc := c.child(in, e.key)
		if e.op >= opReorder || slices.Contains(protected, e.key) || !mayHold(in, e.key, c, kc) {
			continue
		}
		var old, to *node
		at := o.find(e.key)
		if at >= 0 {
			old = o.base.at(at).n
		}
		_, collection := kc.p.collection()
		switch e.op {
		case opDelete:
			if old == nil {
				continue
			}
		case opInside:
			if within := s; old != nil || collection {
				if in == list {
					within.protected = c.p.keys()
				}
				to = a.inside(old, kc, e.edits, within)
			}
			if collection && !kc.p.inner().json && !c.p.isRecord() && to != nil && to.records() != 1 {
				whole = false // two values of one map entry
			}
		default:
			if to = childValue(e.key, bytes.Clone(e.value), in, c, kc); to == nil {
				continue
			}
			to = a.settled(to, kc, s.depth)
		}
		if to != old {
			if json && in == mapping && to != nil && (old == nil || e.op != opInside) {
				to.name = spelling(e.key, to.name)
			}
			a.pins = a.pins || c.p.hasPins() && e.op != opInside && (kc.p.rule() == Pin || kc.p.hasPins())
			o.put(at, kid{e.key, to})
		}
		if ordered && old == nil && (e.op != opInside || collection) {
			o.placed = append(o.placed, placement(e))
		}
	}
	return o.result(), whole
}

// placement says where an edit places a new child.
func placement(e *edit) orderEvent {
	if e.op == opPlace {
		return orderEvent{keys: []string{e.key}, after: e.after, front: e.front}
	}
	return orderEvent{how: each, keys: []string{e.key}}
}

// spelling returns how a member's name is spelled, nil if it is the name itself.
func spelling(key string, name []byte) []byte {
	if name == nil {
		name = appendEscaped(nil, key)
	}
	if len(name) == len(key) {
		return nil
	}
	return name
}

// records returns how many records a member of a collection has, in protobuf.
func (n *node) records() int {
	count := 0
	switch n.kind {
	case leaf:
		for b := n.raw; len(b) > 0; count++ {
			r, _ := nextRecord(b)
			b = b[len(r.raw):]
		}
	default:
		count = len(n.kids)
		if n.m.wide != nil && n.kids == nil {
			count = n.m.wide.order.count()
		}
	}
	return count
}

// sequence applies edits to the items of a sequence.
func (a *applier) sequence(n *node, c context, edits []edit, s scope) *node {
	items := n.chunks(c)
	count := items.count()
	kc := c.child(sequence, "")
	splices := splicer{}
	for i := range edits {
		e := &edits[i]
		switch e.op {
		case opInsert:
			if e.index > count {
				continue
			}
			for _, raw := range e.values {
				if item := parseEdit(bytes.Clone(raw), "", sequence, c, kc); item != nil {
					splices.insert(e.index-1, kid{n: a.settled(item, kc, s.depth)})
				}
			}
		case opCut:
			if e.index+e.count > count || items.sum(e.index, e.index+e.count) != e.sum {
				continue
			}
			for i := range e.count {
				splices.set(e.index+i, nil)
			}
		case opItem, opIn:
			if e.index >= count {
				continue
			}
			old := items.at(e.index).n
			if old.sum() != e.sum {
				continue
			}
			if e.op == opIn {
				a.within(splices, e.index, old, kc, e.edits, s)
			} else if item := parseEdit(bytes.Clone(e.value), "", sequence, c, kc); item != nil {
				splices.set(e.index, a.settled(item, kc, s.depth))
			}
		}
	}
	if len(splices) == 0 {
		return n
	}
	return items.edited(splices.list(), sequence, c).container(sequence, nil, c)
}

// within applies edits inside the i-th item of a sequence. In protobuf, one that
// is a collection itself is read as one item for each of its records.
func (a *applier) within(splices splicer, i int, old *node, c context, edits []edit, s scope) {
	n := a.inside(old, c, edits, s)
	if n == old {
		return
	}
	_, collection := c.p.collection()
	if n == nil || s.made || !collection || c.p.inner().json || n.records() == 1 {
		splices.set(i, n)
		return
	}
	splices.set(i, nil)
	if n.kind == leaf {
		for b := n.raw; len(b) > 0; {
			r, _ := nextRecord(b)
			splices.insert(i, kid{n: readField(r.raw, c.num, c.p, s.depth)})
			b = b[len(r.raw):]
		}
		return
	}
	for _, k := range n.list() {
		one := newContainer(n.kind, []kid{k})
		one.measure(c)
		splices.insert(i, kid{n: one})
	}
}
