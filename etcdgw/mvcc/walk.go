package mvcc

import (
	"bytes"
	"container/heap"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// walk computes the live puts of one key anew: back along its trail, as far as
// a write may live that was not seen yet.
type walk struct {
	puts []livePut
	// counting are the writes found that count, and that no other of them has in its past.
	counting []*origin
	done     bool
}

// begin begins a walk for a key, unless there is one.
func (t *turn) begin(name string, from *trail) {
	if _, ok := t.walks[name]; ok || from == nil || from.tip == nil {
		return
	}
	w := new(walk)
	t.walks[name] = w
	t.wait(name, w, from.at)
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
func (t *turn) wait(name string, w *walk, at dag.Index) {
	waiting := t.waiting[at]
	if waiting == nil {
		waiting = make(map[string]*walk)
		t.waiting[at] = waiting
		heap.Push(&t.records, at)
	}
	waiting[name] = w
}

// walkAll takes all walks to their ends, from the end of the log backwards, so
// that each record is read once.
func (t *turn) walkAll() error {
	for len(t.records) > 0 {
		at := heap.Pop(&t.records).(dag.Index)
		waiting := t.waiting[at]
		delete(t.waiting, at)
		ws, err := t.history.Writes(at)
		if err != nil {
			return err
		}
		r := reading{turn: t, at: at, waiting: waiting, prev: make(map[string]dag.Index, len(waiting))}
		if err := r.read(&ws); err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrReplay, at, err)
		}
		for name, w := range waiting {
			prev, ok := r.prev[name]
			switch {
			case !ok:
				return fmt.Errorf("%w: record %d has no write of %q", ErrReplay, at, name)
			case w.done || prev == 0:
			case prev >= at:
				return fmt.Errorf("%w: record %d: the write of %q before it is in record %d", ErrReplay, at, name, prev)
			default:
				t.wait(name, w, prev)
			}
		}
	}
	return nil
}

// reading is a record being read, for the walks that wait for it.
type reading struct {
	*turn
	at      dag.Index
	waiting map[string]*walk
	prev    map[string]dag.Index // where the keys found were written before
}

// read shows the walks all writes of the record, the last one first.
func (r *reading) read(ws *Writes) error {
	if ws.Operation != nil {
		links, err := decodeTrail(ws.Trail, ws.Transactions)
		if err != nil {
			return err
		}
		for i := len(ws.Transactions) - 1; i >= 0; i-- {
			t := ws.Transactions[i]
			o := &origin{op: ws.Operation, tx: uint32(i)}
			mine := links[len(links)-singles(t):]
			links = links[:len(links)-len(mine)]
			r.transaction(o, t, mine, func(index uint32, w *dag.Write) incarnation {
				return (&remote{r.v, o}).incarnation(index, &w.Incarnation, incarnation{})
			})
		}
		return nil
	}
	for i := len(ws.Changes) - 1; i >= 0; i-- {
		ch := ws.Changes[i]
		if ch.Number == 0 {
			continue
		}
		first, o := r.v.sealed(ch.Number)
		if o == nil {
			return fmt.Errorf("change %d is not sealed", ch.Number)
		}
		var links []link
		var births []Birth
		for j := range ch.Writes {
			if w := &ch.Writes[j]; !w.Local {
				births = append(births, w.Birth)
				if w.Kind != dag.DeleteRange {
					links = append(links, link{w.Prev, true})
				}
			}
		}
		r.transaction(o, r.v.Transaction(ch, first), links, func(index uint32, w *dag.Write) incarnation {
			return r.v.birth(o, index, births[index])
		})
	}
	return nil
}

// transaction shows the walks the writes of one transaction, the last one first.
// There is a link for each write of a single key.
func (r *reading) transaction(o *origin, t dag.Transaction, links []link, birth func(uint32, *dag.Write) incarnation) {
	var skip []bool
	judged, void := false, false
	for i := len(t) - 1; i >= 0; i-- {
		w := &t[i]
		if w.Kind == dag.DeleteRange {
			continue
		}
		l := links[len(links)-1]
		links = links[:len(links)-1]
		key := string(w.Key)
		waits := r.waiting[key]
		if waits == nil {
			continue
		}
		r.prev[key] = l.prev
		if waits.done {
			continue
		}
		if !judged {
			judged, void = true, r.v.verdicts.void(o.op, t)
			skip, _ = undone(t)
		}
		if void {
			continue
		}
		if w.Kind == dag.Replace && (skip == nil || !skip[i]) && !waits.ends(o) && !r.rangeEnds(o, key) {
			p := livePut{write{o, uint32(i), birth(uint32(i), w)}, bytes.Clone(w.Value)}
			waits.puts = append(waits.puts, p)
		}
		waits.add(o)
		waits.done = l.past
	}
}

// ends reports whether a write found before has the writes of o in its past.
func (w *walk) ends(o *origin) bool {
	for _, x := range w.counting {
		if x.op == o.op && x.tx > o.tx || x.op.InPast(o.op) {
			return true
		}
	}
	return false
}

// add adds a write that counts.
func (w *walk) add(o *origin) {
	for _, x := range w.counting {
		if x.follows(o) {
			return
		}
	}
	w.counting = append(w.counting, o)
}

// rangeEnds reports whether a range delete that counts has the writes of o in
// its past and key in its range. None in a record before o's has.
func (r *reading) rangeEnds(o *origin, key string) bool {
	ranges := r.v.rangesSince(r.at)
	for i := len(ranges) - 1; i >= 0; i-- {
		d := &ranges[i]
		if op := d.op(); (op == o.op || op.InPast(o.op)) && d.delete(key, o) && !r.v.verdicts.passes(op, []byte(key)) {
			return true
		}
	}
	return false
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
