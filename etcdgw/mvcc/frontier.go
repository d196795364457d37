package mvcc

import (
	"bytes"
	"fmt"

	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// touch is a key that a remote transaction touches: the writer of its
// replicated value before, and what the key is after.
type touch struct {
	item   *item
	before write
	state
	// slow says that state must be found by the writes of the key: it is not
	// that of before and of the transaction's writes so far.
	slow bool
}

// ApplyRemote applies transaction tx of op at the head and returns its
// revision, 0 if no key has got another value or another writer, as where the
// roster says that the transaction is void.
// Everything in the past of op, and the transactions of op before tx, must have
// been applied, what the roster says of them by [View.Turn], and nothing local may be unsealed.
// Keys and values are copied; t itself must stay as it is until the next call of [View.Record].
//
// The log h is asked for the earlier writes of a key that some of them were
// concurrent with (docs/view.md, "Concurrent writes"). The error is h's, or ErrReplay
// where the log does not fit the view, which must not be used after it.
func (v *View) ApplyRemote(op *dag.Op, tx uint32, t dag.Transaction, h History) (int64, error) {
	if len(v.unsealed) > 0 {
		panic(fmt.Sprintf("mvcc: operation %s applied over %d unsealed changes", op.ID(), len(v.unsealed)))
	}
	r := remote{v: v, history: h, origin: &origin{op: op, tx: tx}}
	v.stamp++
	if v.applying.op != op {
		v.applying = applying{op: op, links: len(v.received)}
		v.sweep = sweep{}
	}
	v.applying.ts = append(v.applying.ts, t)
	void := v.verdicts.void(op, t)
	if ranges := deletedBy(t); ranges.tree != nil {
		v.noteRanges(r.origin, ranges.spans(), void)
		v.sweep.ranged = true
	}
	for i := range t {
		w := &t[i]
		if w.Kind == dag.DeleteRange {
			if !void {
				r.endRange(spanOfWrite(w))
			}
			continue
		}
		it := v.keys[string(w.Key)]
		past := v.trace(it, w.Key, r.origin)
		if !void {
			r.write(it, uint32(i), w, past)
		}
	}
	if err := r.resolve(); err != nil {
		return 0, err
	}
	return r.finish(), nil
}

// sweep remembers the ranges that the transactions of one operation have
// deleted so far: what is left there now is either concurrent with the
// operation, and so stays, or a later put of its own. Without it, an operation
// of a few thousand transactions could ask for as many passes over all keys.
type sweep struct {
	ranged bool // the operation deletes ranges, in this transaction or before
	done   spanSet
	puts   *btree.BTreeG[entry] // by the operation since ranged; nil if none
}

// endRange deletes the keys of s. What it passes over is another operator's, or
// shows a local value.
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
			if v.keys[e.name] == e.item { // else it was forgotten
				r.endUnlessPassed(e.item)
			}
		}
	}
	for _, gap := range v.sweep.done.gaps(s) {
		for _, it := range v.visibleSpan(gap) {
			r.endUnlessPassed(it)
		}
	}
	v.sweep.done.add(s)
}

// endUnlessPassed applies a range delete to one key of its range.
func (r *remote) endUnlessPassed(it *item) {
	if it.local || r.v.verdicts.passes(r.origin.op, it.key()) {
		return
	}
	switch t := r.touch(it); {
	case t.slow || t.writer.origin == nil:
	case !t.unsettled && r.origin.follows(t.writer.origin), t.unsettled && it.trail.seenBy(r.origin):
		t.state = state{} // it saw all there is
	case t.unsettled:
		t.slow = true
	default: // a put concurrent with it stands whole
	}
}

// deletedBy returns the ranges that t deletes.
func deletedBy(t dag.Transaction) (ranges spanSet) {
	for i := range t {
		if w := &t[i]; w.Kind == dag.DeleteRange {
			ranges.add(spanOfWrite(w))
		}
	}
	return ranges
}

func spanOfWrite(w *dag.Write) span {
	return span{key: text(w.Key), end: text(w.End), open: len(w.End) == 0}
}

// remote applies a transaction of another node.
type remote struct {
	v       *View
	history History
	origin  *origin
}

// touch returns the touch of it, begun if need be. It is valid until the next touch.
func (r *remote) touch(it *item) *touch {
	v := r.v
	if it.stamp == v.stamp {
		return &v.touched[it.touch]
	}
	it.stamp, it.touch = v.stamp, int32(len(v.touched))
	v.touched = append(v.touched, touch{item: it, before: it.front, state: it.state()})
	return &v.touched[it.touch]
}

// write applies write index, of the single key of it, which is nil if the key
// has no item. past says that all writes of the key before are in its past.
func (r *remote) write(it *item, index uint32, w *dag.Write, past bool) {
	v := r.v
	if it == nil {
		if !w.Kind.Puts() || w.Kind == dag.Patch && past && len(v.ranges) == 0 {
			return // there is nothing to delete, or to patch
		}
		v.mu.Lock()
		it = v.intern(bytes.Clone(w.Key))
		v.mu.Unlock()
	}
	if w.Kind.Puts() && v.sweep.ranged {
		if v.sweep.puts == nil {
			v.sweep.puts = newTree()
		}
		v.sweep.puts.Set(entry{it.name, it})
	}
	t := r.touch(it)
	absent := t.writer.origin == nil
	switch {
	case t.slow, absent && !w.Kind.Puts():
	case w.Kind == dag.Patch:
		if past && absent && len(v.ranges) == 0 {
			return // a patch of nothing does not count
		}
		if t.slow = !past || absent || t.unsettled; !t.slow {
			r.patch(t, index, w)
		}
	case !past:
		t.slow = true
	case w.Kind == dag.Replace:
		birth := r.life(index, &w.Incarnation, t.writer.birth)
		if birth.origin == nil {
			birth = incarnation{r.origin, index}
		}
		t.state = state{writer: write{r.origin, index, birth}, value: bytes.Clone(w.Value), schema: v.schema(w.Schema)}
	default:
		t.state = state{}
	}
}

// patch applies a patch that saw all other writes of its key, which is settled.
func (r *remote) patch(t *touch, index uint32, w *dag.Write) {
	birth := r.life(index, &w.Incarnation, t.writer.birth)
	if !birth.same(t.writer.birth) {
		return // it does not count: no other life is in its past
	}
	tree, ok := r.v.trees.patch(t.item, &t.state, bytes.Clone(w.Value))
	if !ok {
		return
	}
	if fits := r.v.verdicts.fits(r.origin.op, w.Key); fits != nil && !fits(tree.Value()) {
		return
	}
	t.writer = write{r.origin, index, t.writer.birth}
	t.take(tree)
	t.patched()
}

// life returns the incarnation that in, a reference of write index of r's transaction,
// names: known, if it is that. It is zero if in refers to nothing before the write, or to the write itself.
func (r *remote) life(index uint32, in *dag.Incarnation, known incarnation) incarnation {
	switch in.Kind {
	case dag.IncarnationPast:
		if known.names(in) {
			return known
		}
		if op := r.history.Operation(in.Op); op != nil && r.origin.op.InPast(op) {
			return incarnation{&origin{op: op, tx: in.Tx}, in.Write}
		}
	case dag.IncarnationLocal:
		if in.Tx < r.origin.tx {
			return incarnation{&origin{op: r.origin.op, tx: in.Tx}, in.Write}
		}
		if in.Tx == r.origin.tx && in.Write < index {
			return incarnation{r.origin, in.Write}
		}
	}
	return incarnation{}
}

// names reports whether a reference to a past operation names i.
func (i incarnation) names(in *dag.Incarnation) bool {
	return i.origin != nil && i.origin.op != nil && i.index == in.Write && i.origin.tx == in.Tx && i.origin.op.ID() == in.Op
}

// finish makes the touched keys show what they are now.
func (r *remote) finish() int64 {
	v := r.v
	v.vanish(v.touched)
	rev := v.next()
	changed := false
	for touched := v.touched; len(touched) > 0; {
		n := min(len(touched), chunkKeys)
		v.mu.Lock()
		for i := range touched[:n] {
			t := &touched[i]
			r.keepWhole(&t.state)
			v.namespace(t.item)
			if v.replicate(t.item, &t.state, rev) {
				changed = true
			} else if t.writer.origin == nil && t.item.newest == nil {
				v.forget(t.item) // it came to be for a write without effect
			}
		}
		v.mu.Unlock()
		touched = touched[n:]
	}
	clear(v.touched)
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

// vanish makes the keys absent that are to show another object than they did,
// in a revision before: watchers of the one see it deleted (docs/view.md, "Lives").
func (v *View) vanish(touched []touch) {
	rev, vanished := v.next(), false
	for i := range touched {
		if t := &touched[i]; v.isReplaced(t.item, &t.state) {
			v.mu.Lock()
			v.setAbsent(t.item, rev)
			v.mu.Unlock()
			vanished = true
		}
	}
	if vanished {
		v.head = rev
	}
}

// isReplaced reports whether it shows one object and s is the value of another.
func (v *View) isReplaced(it *item, s *state) bool {
	if it.local || it.front.origin == nil || s.writer.origin == nil || it.front.birth.same(s.writer.birth) {
		return false
	}
	was, ok := dag.Object(it.newest.kv.Value)
	if !ok {
		return false
	}
	is, ok := dag.Object(s.value)
	return ok && was != is
}

// replicate makes s the replicated state of it, and reports
// whether it shows another value or writer, or none, at revision rev. Called with mu held.
func (v *View) replicate(it *item, s *state, rev int64) bool {
	before := it.state()
	it.front, it.schema, it.patches = s.writer, s.schema, s.patches
	v.settle(it, s.unsettled)
	if s.tree != nil && s.writer.origin != nil {
		v.trees.keep(it, s.tree)
	}
	same := before.writer.is(&s.writer)
	switch {
	case same && bytes.Equal(before.value, s.value):
		return false
	case it.local:
		if it.other = nil; s.writer.origin != nil {
			it.other = &aside{value: s.value}
		}
		return false
	case s.writer.origin == nil:
		v.setAbsent(it, rev)
	default:
		lease := int64(0)
		if x := it.visible(); same && x != nil {
			lease = x.kv.Lease // it is this node's put still, merged with another
		}
		v.setValue(it, rev, s.value, lease)
	}
	return true
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
