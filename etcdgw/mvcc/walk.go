package mvcc

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// walk finds the writes of one key that decide its value: back along its trail
// to the last cut (docs/view.md, "Concurrent writes").
type walk struct {
	events []event // those that count, newest first; range deletes only where their transaction writes the key, too
	// ends are the single writes found that have no other of them in their past.
	ends   []*origin
	turned dag.Index // see trail
	oldest dag.Index // the last record read
	based  bool      // the last event is a cut
	done   bool
	least  int // how many events are wanted before a cut ends the walk
	// read are the transactions with range deletes of the key that events has.
	read map[txName]bool
	// told has all single writes, if they are wanted (WritesOf); then events has those,
	// too, that do not count.
	told map[txName]map[uint32]*KeyWrite
}

// reader reads the log for walks, from its end backwards, each record once.
type reader struct {
	v       *View
	history History
	walks   map[string]*walk // by key
	waiting map[dag.Index]map[string]*walk
	records indexes // that are waited for
	// current is the operation being applied, whose record is not in the log yet.
	current *applying
}

func newReader(v *View, h History) reader {
	return reader{v: v, history: h, walks: make(map[string]*walk), waiting: make(map[dag.Index]map[string]*walk)}
}

// begin begins a walk for a key, unless there is one.
func (r *reader) begin(name string, from *trail) {
	if _, ok := r.walks[name]; ok || from == nil || from.tip == nil {
		return
	}
	w := &walk{turned: from.turned}
	r.walks[name] = w
	r.wait(name, w, from.at)
}

// trailOf returns the trail of a key, nil if it was never written.
func (v *View) trailOf(name string) *trail {
	if it := v.keys[name]; it != nil {
		return &it.trail
	}
	if d, ok := v.dead.Get(deadKey{name: name}); ok {
		return &d.trail
	}
	return nil
}

// wait lets a walk go on when record at is read.
func (r *reader) wait(name string, w *walk, at dag.Index) {
	waiting := r.waiting[at]
	if waiting == nil {
		waiting = make(map[string]*walk)
		r.waiting[at] = waiting
		heap.Push(&r.records, at)
	}
	waiting[name] = w
}

// walkAll takes all walks to their ends, from the end of the log backwards, so
// that each record is read once.
func (r *reader) walkAll() error {
	for len(r.records) > 0 {
		at := heap.Pop(&r.records).(dag.Index)
		waiting := r.waiting[at]
		delete(r.waiting, at)
		rec, err := r.read(at)
		if err != nil {
			return err
		}
		for name, w := range waiting {
			prev, ok := r.show(w, name, at, rec)
			switch {
			case !ok:
				return fmt.Errorf("%w: record %d has no write of %q", ErrReplay, at, name)
			case w.done || prev == 0:
			case prev >= at:
				return fmt.Errorf("%w: record %d: the write of %q before it is in record %d", ErrReplay, at, name, prev)
			default:
				r.wait(name, w, prev)
			}
		}
	}
	return nil
}

// read returns a record of the log, or the one that is being made.
func (r *reader) read(at dag.Index) (*record, error) {
	if r.current != nil && at == r.v.record {
		return r.current.read(r.v), nil
	}
	return r.v.records.read(r.v, r.history, at)
}

// show shows a walk the writes that a record has of its key, the last one first. It
// returns where the key was written before; false if there are none.
func (r *reader) show(w *walk, key string, at dag.Index, rec *record) (prev dag.Index, ok bool) {
	w.oldest = at
	places := rec.places[key]
	for len(places) > 0 && !w.done {
		tx := places[len(places)-1].tx
		from := len(places) - 1
		for from > 0 && places[from-1].tx == tx {
			from--
		}
		r.transaction(w, key, at, &rec.txs[tx], places[from:])
		places = places[:from]
	}
	if places = rec.places[key]; len(places) == 0 {
		return 0, false
	}
	return places[0].link.prev, true
}

// transaction shows a walk the single writes that a transaction has of its key, and
// the range deletes among them, the last one first.
func (r *reader) transaction(w *walk, key string, at dag.Index, tx *recordTx, places []place) {
	o := tx.origin
	void := tx.voidIn(r.v)
	var deletes []int
	if !void {
		if deletes = tx.deletes(key); len(deletes) > 0 {
			w.note(txName{o.op, o.tx})
			if r.v.verdicts.passes(o.op, []byte(key)) {
				deletes = nil
			}
		}
	}
	delete := func(after int) {
		for ; len(deletes) > 0 && deletes[len(deletes)-1] > after; deletes = deletes[:len(deletes)-1] {
			w.events = append(w.events, event{write: write{origin: o, index: uint32(deletes[len(deletes)-1])}, at: at, kind: crdt.DeleteObserved})
		}
	}
	for i := len(places) - 1; i >= 0; i-- {
		p := &places[i]
		x := &tx.t[p.index]
		if w.told != nil {
			w.tell(o, p.index, x, void)
		}
		if void {
			w.addUnread(o, p.index, at)
			continue
		}
		delete(int(p.index))
		e, ok := r.event(o, p.index, x, &p.link, w, at)
		if !ok {
			w.addUnread(o, p.index, at)
		} else if w.add(e, p.link.past); w.done {
			return
		}
	}
	delete(-1)
}

// note notes that events has the range deletes of a transaction.
func (w *walk) note(tx txName) {
	if w.read == nil {
		w.read = make(map[txName]bool)
	}
	w.read[tx] = true
}

// event returns a write of a single key; false for a patch that does not decode.
func (r *reader) event(o *origin, index uint32, w *dag.Write, l *link, wk *walk, at dag.Index) (event, bool) {
	e := event{write: write{origin: o, index: index}, at: at}
	rem := remote{v: r.v, history: r.history, origin: o}
	e.birth = rem.life(index, &w.Incarnation, incarnation{})
	if w.Kind.Puts() {
		e.fit = r.v.verdicts.fit(o.op, w.Key)
	}
	switch w.Kind {
	case dag.Replace:
		if e.birth.origin == nil {
			e.birth = incarnation{o, index}
		}
		e.kind, e.value, e.schema, e.whole = crdt.Replace, bytes.Clone(w.Value), r.v.schema(w.Schema), true
	case dag.Patch:
		p, err := crdt.DecodePatch(bytes.Clone(w.Value))
		if err != nil {
			return event{}, false
		}
		e.kind, e.patch = crdt.Patched, p
		if l.whole != nil && at > wk.turned {
			e.value, e.schema, e.whole = bytes.Clone(l.whole.value), r.v.schema(l.whole.schema), true
		}
	case dag.DeleteFinal:
		e.kind, e.whole = crdt.DeleteFinal, true
	default:
		e.kind, e.whole = crdt.DeleteObserved, true
	}
	return e, true
}

// add adds a write that counts, or a patch, of which that is not known. past
// says that all before are in its past: then it is a cut, if it is in the past of all
// found so far, and what it left is known.
func (w *walk) add(e event, past bool) {
	w.ends = slices.DeleteFunc(w.ends, func(x *origin) bool { return x.follows(e.origin) })
	if past && e.whole && len(w.ends) == 0 && len(w.events) >= w.least {
		w.events = append(w.events, e.cut())
		w.done, w.based = true, true
		return
	}
	w.events, w.ends = append(w.events, e), append(w.ends, e.origin)
}

// addUnread adds a write that does not count, if such are wanted.
func (w *walk) addUnread(o *origin, index uint32, at dag.Index) {
	if w.told != nil {
		w.events = append(w.events, event{write: write{origin: o, index: index}, at: at, kind: unread})
	}
}

// finish returns the events of a key that a walk has found, in order, with the
// range deletes after the cut.
func (r *reader) finish(name string, w *walk) []event {
	events := w.events
	slices.Reverse(events)
	if len(events) == 0 {
		return nil
	}
	var found []event
	for _, d := range r.v.rangesSince(w.oldest) {
		op := d.op()
		if op == nil || w.based && !events[0].origin.seenIn(op) || r.v.verdicts.passes(op, []byte(name)) {
			continue
		}
		for i := range d.txs {
			tx := &d.txs[i]
			if tx.void || w.read[txName{op, tx.origin.tx}] || !spansContain(tx.spans, name) ||
				w.based && op == events[0].origin.op && tx.origin.tx <= events[0].origin.tx {
				continue
			}
			found = append(found, event{write: write{origin: tx.origin}, at: d.at, kind: crdt.DeleteObserved})
		}
	}
	if len(found) == 0 {
		return events
	}
	events = append(events, found...)
	slices.SortStableFunc(events, compareEvents)
	return events
}

// seenIn reports whether o is in the past of op, or of that itself.
func (o *origin) seenIn(op *dag.Op) bool { return o.op == op || op.InPast(o.op) }

// compareEvents compares two events by their places in the log. The changes of one record may be
// in several operations of this node.
func compareEvents(a, b event) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.origin.number, b.origin.number),
		cmp.Compare(a.origin.tx, b.origin.tx), cmp.Compare(a.index, b.index))
}

// indexes is a heap of records, the last one on top.
type indexes []dag.Index

func (x indexes) Len() int           { return len(x) }
func (x indexes) Less(i, j int) bool { return x[i] > x[j] }
func (x indexes) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }

// Push implements heap.Interface.
func (x *indexes) Push(i any) { *x = append(*x, i.(dag.Index)) }

// Pop implements heap.Interface.
func (x *indexes) Pop() any {
	old := *x
	i := old[len(old)-1]
	*x = old[:len(old)-1]
	return i
}
