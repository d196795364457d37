package mvcc

import (
	"bytes"
	"fmt"

	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// livePut is a put that nothing has superseded or ended.
type livePut struct {
	write
	value []byte
}

// touch is a key that a remote transaction touches: the writer of its visible
// value before, and the live puts after.
type touch struct {
	item   *item
	before write
	puts   []livePut
}

// ApplyRemote applies transaction tx of op at the head and returns its
// revision, 0 if no key has got another visible put or become absent, as where the
// roster says that the transaction is void.
// Everything in the past of op, and the transactions of op before tx, must have
// been applied, what the roster says of them by [View.Turn], and nothing local may be unsealed.
// Keys and values are copied.
func (v *View) ApplyRemote(op *dag.Op, tx uint32, t dag.Transaction) int64 {
	if len(v.unsealed) > 0 {
		panic(fmt.Sprintf("mvcc: operation %s applied over %d unsealed changes", op.ID(), len(v.unsealed)))
	}
	r := remote{v: v, origin: &origin{op: op, tx: tx}}
	v.stamp++
	skip, ranges := undone(t)
	void := v.verdicts.void(op, t)
	if ranges.tree != nil {
		v.noteRanges(r.origin, ranges.spans(), void)
	}
	if v.sweep.op != op {
		v.sweep = sweep{op: op}
	}
	if !void {
		ranges.each(r.endRange)
	}
	for i := range t {
		w := &t[i]
		if w.Kind == dag.DeleteRange {
			continue
		}
		it := v.keys[string(w.Key)]
		if !void && (skip == nil || !skip[i]) {
			if w.Kind == dag.Replace {
				it = r.put(it, uint32(i), w)
			} else if it != nil && it.front.origin != nil {
				r.end(r.touch(it))
			}
		}
		v.trace(it, w.Key, r.origin)
	}
	return r.finish()
}

// sweep remembers the ranges that the transactions of one operation have
// deleted so far: what is left there now is either concurrent with the
// operation, and so stays, or a later put of its own. Without it, an operation
// of a few thousand transactions could ask for as many passes over all keys.
type sweep struct {
	op   *dag.Op
	done spanSet
	puts *btree.BTreeG[entry] // by the operation since done is not empty; nil if none
}

// endRange removes the puts of s that the operation has in its past. What it
// passes over is another operator's, or shows a local value.
func (r *remote) endRange(s span) {
	v := r.v
	var own []entry
	if w := &v.sweep; w.puts != nil {
		w.puts.Ascend(entry{name: s.key}, func(e entry) bool {
			if !s.below(e.name) {
				return false
			}
			own = append(own, e)
			return true
		})
		for _, e := range own {
			w.puts.Delete(e)
			r.endUnlessPassed(e.item)
		}
	}
	for _, gap := range v.sweep.done.gaps(s) {
		for _, it := range v.visibleSpan(gap) {
			r.endUnlessPassed(it)
		}
	}
	v.sweep.done.add(s)
}

func (r *remote) endUnlessPassed(it *item) {
	if it.front.origin != nil && !it.local && !r.v.verdicts.passes(r.origin.op, it.key()) {
		r.end(r.touch(it))
	}
}

// undone finds the writes of single keys that a later write of the transaction
// covers, nil if there are none, and the ranges that it deletes.
func undone(t dag.Transaction) (skip []bool, ranges spanSet) {
	if len(t) == 1 {
		if w := &t[0]; w.Kind == dag.DeleteRange {
			ranges.add(spanOfWrite(w))
		}
		return nil, ranges
	}
	skip = make([]bool, len(t))
	later := make(map[string]struct{}, len(t))
	for i := len(t) - 1; i >= 0; i-- {
		w := &t[i]
		if w.Kind == dag.DeleteRange {
			ranges.add(spanOfWrite(w))
			continue
		}
		if _, ok := later[string(w.Key)]; ok || ranges.contains(string(w.Key)) {
			skip[i] = true
			continue
		}
		later[string(w.Key)] = struct{}{}
	}
	return skip, ranges
}

func spanOfWrite(w *dag.Write) span {
	return span{key: text(w.Key), end: text(w.End), open: len(w.End) == 0}
}

// remote applies a transaction of another node.
type remote struct {
	v      *View
	origin *origin
}

// touch returns the touch of it, begun if need be. It is valid until the next touch.
func (r *remote) touch(it *item) *touch {
	v := r.v
	if it.stamp == v.stamp {
		return &v.touched[it.touch]
	}
	n := len(v.touched)
	if n < cap(v.touched) {
		v.touched = v.touched[:n+1] // puts keeps its memory
	} else {
		v.touched = append(v.touched, touch{})
	}
	it.stamp, it.touch = v.stamp, int32(n)
	t := &v.touched[n]
	t.item, t.before = it, it.front
	if value, ok := it.replicated(); ok {
		t.puts = append(t.puts[:0], livePut{it.front, value})
		t.puts = append(t.puts, it.hidden...)
	} else {
		t.puts = t.puts[:0]
	}
	return t
}

// end removes the puts that the operation has in its past, its own earlier ones
// among them.
func (r *remote) end(t *touch) {
	op := r.origin.op
	kept := t.puts[:0]
	for _, p := range t.puts {
		if p.origin.op != op && !op.InPast(p.origin.op) {
			kept = append(kept, p)
		}
	}
	clear(t.puts[len(kept):])
	t.puts = kept
}

// put is write index, a replace of the key of it, which is nil if it has no
// item so far. It returns the item.
func (r *remote) put(it *item, index uint32, w *dag.Write) *item {
	v := r.v
	if it == nil {
		v.mu.Lock()
		it = v.intern(bytes.Clone(w.Key))
		v.mu.Unlock()
	}
	if w := &v.sweep; w.done.tree != nil {
		if w.puts == nil {
			w.puts = newTree()
		}
		w.puts.Set(entry{it.name, it})
	}
	t := r.touch(it)
	birth := r.incarnation(index, &w.Incarnation, t.before.birth)
	r.end(t)
	t.puts = append(t.puts, livePut{write{r.origin, index, birth}, bytes.Clone(w.Value)})
	return it
}

// incarnation returns what in, a reference of the operation's, names. It shares
// memory with known where that is the same.
func (r *remote) incarnation(index uint32, in *dag.Incarnation, known incarnation) incarnation {
	switch in.Kind {
	case dag.IncarnationPast:
		if known.names(in) {
			return known
		}
		id := in.Op
		return incarnation{&origin{past: &id, tx: in.Tx}, in.Write}
	case dag.IncarnationLocal:
		if in.Tx < r.origin.tx {
			return incarnation{&origin{op: r.origin.op, tx: in.Tx}, in.Write}
		}
		if in.Tx == r.origin.tx && in.Write < index {
			return incarnation{r.origin, in.Write}
		}
	}
	return incarnation{r.origin, index}
}

// names reports whether a reference to a past operation names i.
func (i incarnation) names(in *dag.Incarnation) bool {
	if i.origin == nil || i.index != in.Write || i.origin.tx != in.Tx {
		return false
	}
	if i.origin.past != nil {
		return *i.origin.past == in.Op
	}
	return i.origin.op.ID() == in.Op
}

// finish makes the touched keys show their greatest live put.
func (r *remote) finish() int64 {
	v := r.v
	rev := v.next()
	changed := false
	for touched := v.touched; len(touched) > 0; {
		n := min(len(touched), chunkKeys)
		v.mu.Lock()
		for i := range touched[:n] {
			changed = v.settle(&touched[i], rev) || changed
		}
		v.mu.Unlock()
		touched = touched[n:]
	}
	if cap(v.touched) > chunkKeys {
		v.touched = nil
	}
	v.touched = v.touched[:0]
	if !changed {
		return 0
	}
	v.head = rev
	return rev
}

// settle applies one touch and reports whether the visible put is another one
// or none. Called with mu held.
func (v *View) settle(t *touch, rev int64) bool {
	it, puts := t.item, t.puts
	defer func() { clear(t.puts); t.item, t.before = nil, write{} }()
	v.namespace(it)
	return v.replicate(it, greatestFirst(puts), rev)
}

// replicate makes puts the live ones of it, the greatest first, and reports
// whether it shows another put, or none, at revision rev. Called with mu held.
func (v *View) replicate(it *item, puts []livePut, rev int64) bool {
	before := it.front
	if it.front, it.hidden = (write{}), nil; len(puts) > 0 {
		it.front, it.hidden = puts[0].write, append(it.hidden, puts[1:]...)
	}
	switch {
	case before.is(&it.front):
		return false
	case it.local:
		if it.other = nil; len(puts) > 0 {
			it.other = &aside{value: puts[0].value}
		}
		return false
	case len(puts) == 0:
		v.setAbsent(it, rev)
	default:
		v.setValue(it, rev, puts[0].value, 0)
	}
	return true
}

// greatestFirst moves the greatest put to the front.
func greatestFirst(puts []livePut) []livePut {
	for i := 1; i < len(puts); i++ {
		if puts[0].compare(&puts[i]) < 0 {
			puts[0], puts[i] = puts[i], puts[0]
		}
	}
	return puts
}

// compare orders puts as docs/op.md section 5 does.
func (p *livePut) compare(q *livePut) int {
	return dag.CompareWrites(p.origin.op, p.origin.tx, p.index, q.origin.op, q.origin.tx, q.index)
}

// forget removes it if nothing is left of it but a tombstone that is no longer in
// history; its trail stays. Called with mu held.
func (v *View) forget(it *item) {
	switch {
	case it.other != nil || it.newest.present() != nil:
		return
	case it.newest != nil && !it.kept:
		return
	case it.newest != nil:
		v.history.forget(it.newest)
	}
	delete(v.keys, it.name)
	v.tree.Delete(entry{name: it.name})
	v.bury(it)
}
