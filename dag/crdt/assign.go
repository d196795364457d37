package crdt

import (
	"slices"
	"unicode/utf8"
)

// An assigner turns the edits of one write into assignments, as its author
// saw the tree. What an edit refers to and is not there is ignored.
type assigner struct {
	st      *state
	write   int
	v       view // what the author saw
	ignored int  // edits that meant nothing
}

// assign adds the edits of a write, whose author saw its past, to the state.
// It returns how many of them meant nothing.
func (st *state) assign(write int, edits []edit) (ignored int) {
	st.query++
	a := assigner{st: st, write: write, v: st.l.past(write)}
	a.inside(st.root, st.context(), edits, nil)
	return a.ignored
}

// layOut assigns the layout that a JSON text has for its author: every put does.
func (st *state) layOut(write int, t *Tree) {
	n := t.doc.get(styleKey)
	if n == nil {
		return
	}
	made := st.root.chains[0].events[0]
	c := context{p: place{role: plain, json: true}, through: []*event{made}}
	st.add(st.kid(st.root, st.context(), kidName{mapping, styleKey}), c, &event{write: write, n: n, through: c.through})
}

// inside applies edits to what is in a slot. The fields protected identify an
// item and are not assigned.
func (a *assigner) inside(sl *slot, c context, edits []edit, protected []string) {
	s := a.st.show(sl, c, a.v)
	switch s.kind {
	case leaf:
		a.ignored += len(edits)
	case sequence:
		a.sequence(sl, &s, c, edits)
	default:
		a.named(sl, &s, c, edits, protected)
	}
}

// named applies edits to the children of a container that have names.
func (a *assigner) named(sl *slot, s *shown, c context, edits []edit, protected []string) {
	st := a.st
	ordered := c.p.inner().json || s.kind != mapping
	var inserted []orderEvent
	for i := range edits {
		e := &edits[i]
		if e.op == opReorder && ordered {
			inserted = append(inserted, orderEvent{how: reorder, keys: e.keys})
			continue
		}
		name := kidName{s.kind, e.key}
		kc := st.childContext(c, name, s.last, s.live)
		if e.op >= opReorder || slices.Contains(protected, e.key) || !mayHold(s.kind, e.key, c, kc) {
			a.ignored++
			continue
		}
		k := st.kid(sl, c, name)
		old := st.tree(k, kc, a.v)
		if e.op == opDelete {
			if old == nil || c.p.role == document {
				a.ignored++
				continue
			}
			st.add(k, kc, &event{write: a.write, through: kc.through})
			continue
		}
		if e.op == opInside {
			var keys []string
			if s.kind == list {
				keys = c.p.keys()
			}
			a.inside(k, kc, e.edits, keys)
		} else {
			n := childValue(e.key, e.value, s.kind, c, kc)
			if n == nil {
				a.ignored++
				continue
			}
			st.add(k, kc, &event{write: a.write, n: n, through: kc.through, delta: change(old, n)})
		}
		if _, collection := kc.p.collection(); ordered && old == nil && (e.op != opInside || collection) {
			o := orderEvent{how: each, keys: []string{e.key}}
			if e.op == opPlace {
				o = orderEvent{keys: o.keys, after: e.after, front: e.front}
			}
			inserted = append(inserted, o)
		}
	}
	if len(inserted) > 0 {
		names := a.names(sl, s, c)
		placed := newPlaces(inserted, names)
		for i := range placed {
			placed[i].write, placed[i].kind = a.write, s.kind
		}
		surveyed(placed, names, st.l, func() []orderEvent { return st.orderEvents(sl, s.kind, c, a.v) })
		sl.order = append(sl.order, placed...)
	}
}

// change returns by how much a counter went up from old to n.
func change(old, n *node) int64 {
	to, ok := n.integer()
	if !ok {
		return 0
	}
	if old == nil {
		return to
	}
	from, ok := old.integer()
	if !ok {
		return 0
	}
	return to - from
}

// names returns the names of the visible children, ascending.
func (a *assigner) names(sl *slot, s *shown, c context) []string {
	names := []string{}
	for _, k := range a.st.children(sl, s, c, a.v) {
		names = append(names, k.key)
	}
	slices.Sort(names)
	return names
}

// mayHold reports whether a container with context c may have a child of that
// name, with context kc.
func mayHold(k kind, key string, c, kc context) bool {
	switch {
	case c.p.role == document:
		return key == valueKey || key == styleKey && c.p.json
	case k != mapping:
		return true
	case kc.p.json:
		return utf8.ValidString(key)
	}
	return kc.num > 0
}

// childValue reads the value of an edit of a container's child; nil if it is none.
func childValue(key string, raw []byte, in kind, c, kc context) *node {
	switch {
	case c.p.role == document && key == styleKey:
		if _, ok := styleOf(raw); !ok {
			return nil
		}
		return &node{raw: raw}
	case in == set:
		raw = []byte(key)
	}
	n := parseEdit(raw, key, in, c, kc)
	if n == nil {
		return nil
	}
	switch in {
	case set:
		if c := raw[0]; kc.p.json && (c == '{' || c == '[') {
			return nil
		}
	case list:
		if k, ok := itemKey(n, c.p); !ok || k != key {
			return nil
		}
	}
	return n
}

// parseEdit reads a value as a patch writes it: compact JSON text, preceded by
// the member's name where that is spelled with escapes; or records.
func parseEdit(raw []byte, key string, in kind, c, kc context) *node {
	if !kc.p.json {
		if kc.num == 0 {
			return parseWire(raw, kc.p)
		}
		return parseRecords(raw, kc.num, kc.p, !c.p.isRecord())
	}
	var spelling []byte
	if l := stringLength(raw); in == mapping && l > 0 && l < len(raw) && raw[l] == ':' {
		spelling = raw[1 : l-1]
		if s, ok := unquote(spelling); !ok || string(s) != key {
			return nil
		}
		raw = raw[l+1:]
	}
	text, st, ok := scanJSON(raw)
	if !ok || st != (style{}) {
		return nil
	}
	n := parseJSON(text, kc.p)
	if n != nil {
		n.name = spelling
	}
	return n
}

// sequence applies edits to the items of a sequence, which are named by their
// place as the author saw it.
func (a *assigner) sequence(sl *slot, s *shown, c context, edits []edit) {
	st := a.st
	items := st.children(sl, s, c, a.v)
	fresh := 0
	for i := range edits {
		e := &edits[i]
		switch e.op {
		case opInsert:
			if e.index > len(items) {
				a.ignored++
				continue
			}
			o := orderEvent{write: a.write, kind: sequence, front: e.index == 0}
			if !o.front {
				o.after = items[e.index-1].key
			}
			for _, raw := range e.values {
				name := kidName{sequence, elementID(a.write, fresh)}
				kc := st.childContext(c, name, s.last, s.live)
				n := parseEdit(raw, "", sequence, c, kc)
				if n == nil {
					a.ignored++
					continue
				}
				fresh++
				st.add(st.kid(sl, c, name), kc, &event{write: a.write, n: n, through: kc.through})
				o.keys = append(o.keys, name.key)
			}
			if len(o.keys) > 0 {
				sl.order = append(sl.order, o)
			}
		case opCut:
			if e.index+e.count > len(items) || sumOf(items[e.index:e.index+e.count]) != e.sum {
				a.ignored++
				continue
			}
			for _, k := range items[e.index : e.index+e.count] {
				name := kidName{sequence, k.key}
				kc := st.childContext(c, name, s.last, s.live)
				st.add(st.kid(sl, c, name), kc, &event{write: a.write, through: kc.through})
			}
		case opItem, opIn:
			if e.index >= len(items) || items[e.index].n.sum() != e.sum {
				a.ignored++
				continue
			}
			name := kidName{sequence, items[e.index].key}
			kc := st.childContext(c, name, s.last, s.live)
			k := st.kid(sl, c, name)
			if e.op == opIn {
				a.inside(k, kc, e.edits, nil)
				continue
			}
			n := parseEdit(e.value, "", sequence, c, kc)
			if n == nil {
				a.ignored++
				continue
			}
			st.add(k, kc, &event{write: a.write, n: n, through: kc.through, delta: change(items[e.index].n, n)})
		default:
			a.ignored++
		}
	}
}

// applyEdits returns a document with the edits of a write that saw just it, as
// they are: [Apply] makes the tree that is read of its bytes.
func applyEdits(doc *node, s *Schema, edits []edit) *node {
	l := &lineage{
		lines:  []line{{pos: Position{}}, {pos: Position{Depth: 1}, seq: 1, clock: []mark{{0, 0}}}},
		chains: [][]int{{0, 1}},
	}
	st := newState(l, s, 0, doc)
	st.assign(1, edits)
	st.query++
	return st.tree(st.root, st.context(), l.all())
}

// spelled returns the value of an edit for a member: its bytes, preceded by the
// member's name if that is spelled with escapes.
func (n *node) spelled(c context) []byte {
	b := n.bytes(c)
	if n.name == nil {
		return b
	}
	m := append(append([]byte{'"'}, n.name...), '"', ':')
	return append(m, b...)
}

// bytes returns a value as a patch writes it.
func (n *node) bytes(c context) []byte {
	if n.kind == leaf {
		return n.raw
	}
	switch {
	case c.p.json:
		return n.appendJSON(nil)
	case c.num == 0:
		return n.appendMessage(nil, c.p)
	}
	return n.appendField(nil, c.num, c.p)
}
