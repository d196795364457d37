package mvcc

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"sort"

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
			case prev > at:
				return fmt.Errorf("%w: record %d: a write of %q before it in record %d", ErrReplay, at, name, prev)
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
	prev    map[string]dag.Index // of the keys found
}

// link is what a write says of those before it on its trail.
type link struct {
	prev dag.Index
	past bool // all of them are in its past
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
	known, void := false, false
	for i := len(t) - 1; i >= 0; i-- {
		write := &t[i]
		if write.Kind == dag.DeleteRange {
			continue
		}
		link := links[len(links)-1]
		links = links[:len(links)-1]
		w := r.waiting[string(write.Key)]
		if w == nil {
			continue
		}
		if link.prev != r.at {
			r.prev[string(write.Key)] = link.prev
		} else if _, ok := r.prev[string(write.Key)]; !ok {
			r.prev[string(write.Key)] = 0 // there is one more in this record
		}
		if w.done {
			continue
		}
		if !known {
			known, void = true, r.v.verdicts.void(o.op, t)
			skip, _ = undone(t)
		}
		if void {
			continue
		}
		if write.Kind == dag.Replace && (skip == nil || !skip[i]) && !w.ends(o) && !r.rangeEnds(o, string(write.Key)) {
			self := writeOf(o, uint32(i))
			self.birth = birth(uint32(i), write)
			w.puts = append(w.puts, livePut{self, bytes.Clone(write.Value)})
		}
		w.add(o)
		w.done = link.past
	}
}

func writeOf(o *origin, index uint32) write { return write{origin: o, index: index} }

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
		x := d.origin
		if !d.void && d.contains(key) && (x.op == o.op && x.tx > o.tx || x.op.InPast(o.op)) && !r.v.verdicts.passes(x.op, []byte(key)) {
			return true
		}
	}
	return false
}

// singles returns how many writes of single keys t has.
func singles(t dag.Transaction) (n int) {
	for i := range t {
		if t[i].Kind != dag.DeleteRange {
			n++
		}
	}
	return n
}

// decodeTrail decodes the trail of a received operation.
func decodeTrail(b []byte, ts []dag.Transaction) ([]link, error) {
	n := 0
	for _, t := range ts {
		n += singles(t)
	}
	if n > len(b) {
		return nil, errTrail
	}
	links := make([]link, n)
	for i := range links {
		u, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errTrail
		}
		b = b[size:]
		links[i] = link{dag.Index(u >> 1), u&1 == 1}
	}
	if len(b) > 0 {
		return nil, errTrail
	}
	return links, nil
}

// sealed returns the name of a change as a transaction of the operation that holds it, and
// the first change of that; nil if it is not sealed.
func (v *View) sealed(number uint64) (first uint64, o *origin) {
	v.sealMu.RLock()
	defer v.sealMu.RUnlock()
	i := sort.Search(len(v.seals), func(i int) bool { return v.seals[i].first > number }) - 1
	if i < 0 {
		return 0, nil
	}
	s := v.seals[i]
	return s.first, &origin{number: number, op: s.op, tx: uint32(number - s.first)}
}

// birth returns what b names, of write index of the change o.
func (v *View) birth(o *origin, index uint32, b Birth) incarnation {
	switch {
	case b.Operation != nil:
		return incarnation{&origin{past: b.Operation, tx: b.Tx}, b.Index}
	case b.Number == 0 || b.Number == o.number:
		if b.Number == 0 {
			b.Index = index
		}
		return incarnation{o, b.Index}
	default:
		_, of := v.sealed(b.Number)
		return incarnation{of, b.Index}
	}
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
