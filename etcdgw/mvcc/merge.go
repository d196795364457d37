package mvcc

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// event is one write of a key that counts by the roster, as the log has it. A range
// delete is one of every key in its range.
type event struct {
	write  // birth is zero where it names nothing
	at     dag.Index
	kind   crdt.WriteKind
	value  []byte // of a replace, or what a whole patch left
	schema *crdt.Schema
	patch  *crdt.Patch
	fit    *crdt.Fit // of a put: see crdt.Write
	// whole says that what the write left is known, whatever was before: value, if it is a put.
	whole bool
}

// cut returns e, which is whole, as what a history may begin with (docs/merge.md section 8).
func (e event) cut() event {
	if e.kind == crdt.Patched {
		e.kind, e.patch = crdt.Replace, nil
	}
	return e
}

// position names the write in the order of writes.
func (e *event) position() crdt.Position { return positionOf(e.origin, e.index) }

func positionOf(o *origin, index uint32) crdt.Position {
	return crdt.Position{Depth: o.op.Depth(), Op: o.op.ID(), Tx: o.tx, Write: index}
}

// follows reports whether x, an earlier event of the key, is in the past of e.
func (e *event) follows(x *event) bool { return e.origin.follows(x.origin) }

// size is what an event counts for in memory.
func (e *event) size() int {
	n := len(e.value)
	if e.patch != nil {
		n += len(e.patch.Encoding())
	}
	return n
}

// write returns the event as package crdt has it.
func (e *event) crdt() crdt.Write {
	w := crdt.Write{Position: e.position(), Kind: e.kind, Schema: e.schema, Value: e.value, Patch: e.patch, Fit: e.fit}
	if e.birth.origin != nil {
		w.Incarnation = positionOf(e.birth.origin, e.birth.index)
	}
	return w
}

// merging holds writes of one key, each after its past, and what they make: all
// of its writes, or those from a cut on (docs/merge.md section 8).
type merging struct {
	history *crdt.History
	events  []event // by number in the history
	based   bool    // the first one is a cut
	size    int

	used uint64 // when it was looked for last
}

// add adds an event, after its past.
func (m *merging) add(e event) {
	m.size += e.size()
	if m.history == nil && len(m.events) > 0 { // one alone needs none
		m.history = crdt.NewHistory()
		m.history.Add(m.events[0].crdt(), nil)
	}
	if m.history != nil {
		m.history.Add(e.crdt(), func(number int) bool { return e.follows(&m.events[number]) })
	}
	m.events = append(m.events, e)
}

// value returns what the writes make, as package crdt has it.
func (m *merging) value() crdt.Result {
	if m.history == nil {
		m.history = crdt.NewHistory()
		for i := range m.events { // one at most
			m.history.Add(m.events[i].crdt(), nil)
		}
	}
	return m.history.Value()
}

// takes reports whether e may be added: if it saw the cut, or there is none.
func (m *merging) takes(e *event) bool { return !m.based || e.follows(&m.events[0]) }

// state returns what the writes make, and counts that if o is not nil.
func (m *merging) state(o *outcomes) state {
	if m.based && len(m.events) == 1 {
		e := &m.events[0]
		if e.kind != crdt.Replace {
			return state{}
		}
		return state{writer: e.write, value: e.value, schema: e.schema}
	}
	r := m.value()
	if o != nil {
		o.count(&r)
	}
	if r.Tree == nil {
		return state{}
	}
	i := slices.IndexFunc(m.events, func(e event) bool { return e.position() == r.Writer })
	s := state{writer: m.events[i].write, unsettled: !r.Settled()}
	s.take(r.Tree)
	return s
}

// merge adds events up, in order; base says that the first is a cut.
// What comes before a later cut is left out, a few dozen at once: to begin anew, the value there is encoded and parsed.
func merge(events []event, base bool) *merging {
	m := &merging{based: base}
	cuts := cutsOf(events)
	last := len(cuts) - 1
	for last >= 0 && !cuts[last] {
		last--
	}
	for i := range events {
		e := &events[i]
		m.add(*e)
		if !cuts[i] || len(m.events) == 1 || len(m.events) < eventsPerCut && i != last {
			continue
		}
		// What saw all, and is seen by all after it, is a cut if it counts.
		cut := *e
		if e.kind == crdt.Replace || e.kind == crdt.Patched {
			r := m.value()
			if r.Tree == nil || r.Writer != e.position() {
				continue
			}
			cut.value, cut.schema = r.Tree.Value(), r.Tree.Schema()
			cut = cut.cut()
		}
		m = &merging{based: true}
		m.add(cut)
	}
	return m
}

// cutsOf says of each event whether all before are in its past, and it in the past
// of all after it.
func cutsOf(events []event) []bool {
	cuts := make([]bool, len(events))
	var ends []*event // with no other of those before, or after, behind them
	for i := range events {
		e := &events[i]

		ends = slices.DeleteFunc(ends, func(x *event) bool { return e.follows(x) })
		cuts[i] = len(ends) == 0

		ends = append(ends, e)
	}
	ends = ends[:0]
	for i := len(events) - 1; i >= 0; i-- {
		e := &events[i]
		ends = slices.DeleteFunc(ends, func(x *event) bool { return x.follows(e) })
		cuts[i] = cuts[i] && len(ends) == 0
		ends = append(ends, e)
	}
	return cuts
}

// merges are the keys whose concurrent writes are kept in memory, so that the
// next of many need not read them all again. It belongs to the writer.
type merges struct {
	by    map[*item]*merging
	bytes int
	clock uint64
}

// take returns what is kept of it, nil if nothing is, and keeps it no more.
func (c *merges) take(it *item) *merging {
	m := c.by[it]
	c.drop(it)
	return m
}

func (c *merges) drop(it *item) {
	if m := c.by[it]; m != nil {
		delete(c.by, it)
		c.bytes -= m.size
	}
}

// keep keeps the writes of it. If there are too many, or too large ones, those
// used least recently are dropped; the last ones stay whatever their size.
func (c *merges) keep(it *item, m *merging) {
	c.drop(it)
	if c.by == nil {
		c.by = make(map[*item]*merging)
	}
	c.clock++
	m.used = c.clock
	c.by[it] = m
	c.bytes += m.size
	for len(c.by) > 1 && (len(c.by) > keptMerges || c.bytes > keptMergeBytes) {
		var oldest *item
		for x, k := range c.by {
			if oldest == nil || k.used < c.by[oldest].used {
				oldest = x
			}
		}
		c.drop(oldest)
	}
}
