package crdt

import (
	"encoding/binary"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// A state holds the assignments of one generation (docs/merge.md section 2):
// the tree that its first write put there, and at each place that a later
// write assigned, who assigned what. Places that nobody assigned since cost
// nothing.
type state struct {
	l      *lineage
	schema *Schema
	root   *slot
	query  int // number of the current view, to mark events as live in it
}

// An event is one assignment of a place by a write.
type event struct {
	write   int
	n       *node    // nil: deleted
	through []*event // the life of the enclosing record that the author saw; nil at the root
	delta   int64    // of a counter: by how much it changed what the author saw
	live    int      // the query in which the event was found live
}

// A slot is a place of the tree with its assignments.
type slot struct {
	chains []chainEvents
	sets   []*event // those of chains that hold a container
	kids   map[kidName]*slot
	order  []orderEvent
}

// chainEvents are the assignments by the writes of one chain, oldest first.
type chainEvents struct {
	chain  int
	events []*event
}

// A kidName names a child. Children of the containers of one kind at one
// place are shared: that is what merges two objects made concurrently.
type kidName struct {
	kind kind
	key  string // in a sequence: elementID
}

// elementID names the item of a sequence that a write put there as its n-th.
func elementID(write, n int) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(write))
	return string(binary.BigEndian.AppendUint32(b, uint32(n)))
}

// elementOf reads an elementID.
func elementOf(id string) (write, n int) {
	b := []byte(id)
	return int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
}

// A context is what the path to a slot says about its events.
type context struct {
	p       place
	through []*event         // the live events of the enclosing record
	clears  []*event         // the latest events of the collections between here and there
	num     protowire.Number // in protobuf: the field number of the slot's records
}

// newState returns the state in which the write put the document there.
func newState(l *lineage, s *Schema, write int, doc *node) *state {
	st := &state{l: l, schema: s, root: &slot{}}
	st.add(st.root, context{p: documentOf(s)}, &event{write: write, n: doc})
	return st
}

func (st *state) context() context { return context{p: documentOf(st.schema)} }

// add adds an event to a slot. Events of a chain are added in its order.
func (st *state) add(sl *slot, c context, e *event) {
	chain := st.l.lines[e.write].chain
	i := slices.IndexFunc(sl.chains, func(h chainEvents) bool { return h.chain == chain })
	if i < 0 {
		i = len(sl.chains)
		sl.chains = append(sl.chains, chainEvents{chain: chain})
	}
	sl.chains[i].events = append(sl.chains[i].events, e)
	if e.n == nil || e.n.kind == leaf {
		return
	}
	sl.sets = append(sl.sets, e)
	for name, k := range sl.kids {
		st.pull(k, c, name, e)
	}
}

// kid returns the slot of a child, made from the containers put here so far if need be.
func (st *state) kid(sl *slot, c context, name kidName) *slot {
	k := sl.kids[name]
	if k == nil {
		k = &slot{}
		if sl.kids == nil {
			sl.kids = make(map[kidName]*slot)
		}
		sl.kids[name] = k
		for _, e := range sl.sets {
			st.pull(k, c, name, e)
		}
	}
	return k
}

// pull adds to the child k what the container of e holds there; c is the context of its parent.
func (st *state) pull(k *slot, c context, name kidName, e *event) {
	if e.n.kind != name.kind {
		return
	}
	var n *node
	if name.kind == sequence {
		if write, i := elementOf(name.key); write == e.write && i < len(e.n.list()) {
			n = e.n.list()[i].n
		}
	} else {
		n = e.n.get(name.key)
	}
	if n == nil {
		return
	}
	through := []*event{e}
	if _, ok := c.p.collection(); ok {
		through = e.through
	}
	st.add(k, st.childContext(c, name, nil, nil), &event{write: e.write, n: n, through: through})
}

// child returns where a child is in the tree and on the wire.
func (c context) child(k kind, key string) context {
	if k == sequence {
		key = ""
	}
	kc := context{p: c.p.child(key)}
	if kc.p.json {
		return kc
	}
	switch t := c.p.inner().typ(); {
	case t == nil:
	case t.Kind == Map:
		kc.num = 2
	case t.Kind == Record:
		if n, ok := fieldNumber(key); ok && n <= maxFieldNumber {
			kc.num = protowire.Number(n)
		}
	default:
		kc.num = c.num
	}
	return kc
}

// childContext returns the whole context of a child of a slot with context c,
// whose latest events are last and whose visible containers are shown.
func (st *state) childContext(c context, name kidName, last, shown []*event) context {
	k := c.child(name.kind, name.key)
	k.through = shown
	if _, ok := c.p.collection(); ok {
		k.through = c.through
		k.clears = append(slices.Clip(c.clears), last...)
	}
	return k
}

// resolve returns the latest event of each chain in the view, and those of
// them that are live: neither replaced nor deleted by another of the view,
// nor gone with a record or collection around them; least first.
func (st *state) resolve(sl *slot, c context, v view) (last, live []*event) {
	last = make([]*event, 0, min(len(sl.chains), 4)) // a write saw few of a thousand branches
	for i := range sl.chains {
		if e := st.latest(&sl.chains[i], v); e != nil {
			last = append(last, e)
		}
	}
	if len(last) == 0 {
		return nil, nil
	}
	writes := make([]int, len(last))
	for i, e := range last {
		writes[i] = e.write
	}
	replaced := func(int) bool { return false }
	if len(last) > 1 {
		replaced = st.l.covered(writes)
	}
	for _, e := range last {
		if e.n != nil && !replaced(e.write) && st.survives(e, c) {
			e.live = st.query
			live = append(live, e)
		}
	}
	if len(live) > 1 {
		slices.SortFunc(live, func(a, b *event) int { return st.l.compare(a.write, b.write) })
	}
	return last, live
}

// latest returns the last event of a chain in the view, nil if there is none.
func (st *state) latest(h *chainEvents, v view) *event {
	if h.chain >= len(v) || v[h.chain] == 0 {
		return nil
	}
	n := len(h.events)
	if st.l.lines[h.events[n-1].write].seq >= v[h.chain] {
		n, _ = slices.BinarySearchFunc(h.events, v[h.chain], func(e *event, seq int) int {
			if st.l.lines[e.write].seq < seq {
				return -1
			}
			return 1
		})
	}
	if n == 0 {
		return nil
	}
	return h.events[n-1]
}

// survives reports whether what encloses e is still there: a life of the
// record that the author of e saw, and no later assignment of a collection.
func (st *state) survives(e *event, c context) bool {
	return st.within(e.through) && !slices.ContainsFunc(c.clears, func(d *event) bool { return st.l.before(e.write, d.write) })
}

// A shown is what a slot shows in a view: nothing, a leaf, or a container made
// of all live ones of its kind.
type shown struct {
	last []*event
	live []*event // of the visible kind
	kind kind
	leaf *node // of kind leaf, nil if nothing is shown
}

// show finds what a slot shows. Whether a collection without a live container
// has members is left to children.
func (st *state) show(sl *slot, c context, v view) shown {
	last, live := st.resolve(sl, c, v)
	s := shown{last: last}
	if len(live) == 0 {
		if k, ok := c.p.collection(); ok {
			s.kind = k
		}
		return s
	}
	s.kind = live[len(live)-1].n.kind
	for _, e := range live {
		if e.n.kind == s.kind {
			s.live = append(s.live, e)
		}
	}
	if s.kind == leaf {
		s.leaf = st.choose(sl, s.live, c, v)
	}
	return s
}

// tree returns the visible tree of a slot, nil if it is absent.
func (st *state) tree(sl *slot, c context, v view) *node {
	s := st.show(sl, c, v)
	if s.kind == leaf {
		return s.leaf
	}
	if len(s.live) == 1 && len(s.last) == 1 && len(sl.kids) == 0 && len(sl.order) == 0 {
		if n := s.live[0].n; len(n.list()) > 0 || c.p.showsEmpty() {
			return n
		}
		return nil
	}
	kids := st.children(sl, &s, c, v)
	if len(kids) == 0 && (len(s.live) == 0 || !c.p.showsEmpty()) {
		return nil // collections of messages are there by their members
	}
	if s.kind == sequence {
		for i := range kids {
			kids[i].key = ""
		}
	}
	n := newContainer(s.kind, kids)
	if n != nil && len(s.live) > 0 {
		n.name = s.live[len(s.live)-1].n.name
	}
	return n
}

// isRecord reports whether what is at p is no collection.
func (p place) isRecord() bool {
	_, ok := p.collection()
	return !ok
}

// showsEmpty reports whether an empty container at p has bytes of its own.
func (p place) showsEmpty() bool { return p.inner().json || p.isRecord() }

// children returns the visible children of a container in order; those of a
// sequence by elementID.
func (st *state) children(sl *slot, s *shown, c context, v view) []kid {
	var kids []kid
	if len(s.live) == 1 {
		kids = st.ownChildren(sl, s, c, v)
	} else {
		for _, e := range s.live {
			for i := range e.n.list() {
				st.kid(sl, c, kidName{s.kind, e.childKey(i)})
			}
		}
	}
	known := len(kids)
	for name, k := range sl.kids {
		if name.kind != s.kind || len(s.live) == 1 && s.live[0].has(name.key) {
			continue
		}
		if n := st.tree(k, st.childContext(c, name, s.last, s.live), v); n != nil {
			kids = append(kids, kid{name.key, n})
		}
	}
	if known == len(kids) && len(s.live) == 1 && len(sl.order) == 0 && (len(sl.sets) == 1 || c.p.isRecord()) {
		return kids
	}
	switch {
	case c.p.inner().json || s.kind != mapping:
		return st.arrange(sl, s.kind, kids, c, v)
	case c.p.isRecord():
		slices.SortFunc(kids, func(a, b kid) int { return compareFields(a.key, b.key) })
	default:
		slices.SortFunc(kids, func(a, b kid) int { return strings.Compare(a.key, b.key) })
	}
	return kids
}

// ownChildren returns the visible children of the only live container.
func (st *state) ownChildren(sl *slot, s *shown, c context, v view) []kid {
	e := s.live[0]
	own := e.n.list()
	kids := make([]kid, 0, len(own)+1)
	for i := range own {
		name := kidName{s.kind, own[i].key}
		if s.kind == sequence {
			name.key = elementID(e.write, i)
		}
		n := own[i].n
		k := sl.kids[name]
		if k == nil && n.kind != leaf && len(sl.sets) > 1 {
			k = st.kid(sl, c, name) // others may have placed things in there
		}
		if k != nil {
			n = st.tree(k, st.childContext(c, name, s.last, s.live), v)
		}
		if n != nil {
			kids = append(kids, kid{name.key, n})
		}
	}
	return kids
}

// childKey returns the name of the i-th child of the container of e.
func (e *event) childKey(i int) string {
	if e.n.kind == sequence {
		return elementID(e.write, i)
	}
	return e.n.list()[i].key
}

// has reports whether the container of e holds a child of that name.
func (e *event) has(key string) bool {
	if e.n.kind == sequence {
		write, i := elementOf(key)
		return write == e.write && i < len(e.n.list())
	}
	return e.n.find(key) >= 0
}

// arrange puts children in their order. What a record was set to in a life that
// has ended does not count; in a collection, what is deleted has its place still.
func (st *state) arrange(sl *slot, k kind, kids []kid, c context, v view) []kid {
	return arrangeKids(st.orderEvents(sl, k, c, v), k, kids, st.l)
}

// orderEvents returns what the writes in the view said of the order of children.
func (st *state) orderEvents(sl *slot, k kind, c context, v view) (events []orderEvent) {
	record := c.p.isRecord()
	for _, e := range sl.sets {
		if e.n.kind == k && len(e.n.list()) > 0 && st.l.has(v, e.write) && (e.live == st.query || !record && st.within(e.through)) {
			events = append(events, e.ordered())
		}
	}
	for _, o := range sl.order {
		if o.kind == k && st.l.has(v, o.write) {
			events = append(events, o)
		}
	}
	return events
}

// within reports whether one of the lives of a record is live; at the root there is none.
func (st *state) within(through []*event) bool {
	return len(through) == 0 || slices.ContainsFunc(through, func(t *event) bool { return t.live == st.query })
}

// arrangeKids returns kids in the order that the events make.
func arrangeKids(events []orderEvent, k kind, kids []kid, c causality) []kid {
	slices.SortFunc(kids, func(a, b kid) int {
		if k == sequence { // numbers of writes are this node's own
			v, i := elementOf(a.key)
			w, j := elementOf(b.key)
			if v != w {
				return c.compare(v, w)
			}
			return i - j
		}
		return strings.Compare(a.key, b.key)
	})
	byName := make(map[string]int, len(kids))
	visible := make([]string, len(kids))
	for i := range kids {
		byName[kids[i].key] = i
		visible[i] = kids[i].key
	}
	out := make([]kid, 0, len(kids))
	for _, name := range arrange(events, visible, c) {
		if i, ok := byName[name]; ok {
			out = append(out, kids[i])
		}
	}
	return out
}

// ordered returns what the container of e says of the order of its children:
// of ascending members each its own place, otherwise one run.
func (e *event) ordered() orderEvent {
	o := orderEvent{write: e.write, front: true, keys: make([]string, len(e.n.list()))}
	for i := range e.n.list() {
		o.keys[i] = e.childKey(i)
	}
	if e.n.kind == mapping && e.n.ascending {
		o.how = each
	}
	return o
}
