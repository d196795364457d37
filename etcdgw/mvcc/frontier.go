package mvcc

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// touch is a key that remote transactions touch which become one revision: what it is after them.
type touch struct {
	item *item
	state
	// slow says that state must be found by the writes of the key: it is not
	// that of before and of the writes so far.
	slow    bool
	written bool // by name
}

// ApplyRemote applies the transactions of op at the head, in their order. Each is a
// revision, unless no key gets another value or another writer by it, as where the
// roster says that it is void. But where the first ones have made more than is in
// proportion to the operation, the others become one revision together (docs/view.md, "Amplification"):
// it returns how many of the last ones did, which a replay must be told. 0, nearly always, if none.
//
// Everything in the past of op must have been applied, what the roster says of it by
// [View.Turn], and nothing local may be unsealed.
// Keys and values are copied; ts must stay as they are until the next call of [View.Record].
//
// The log h is asked for the earlier writes of a key that some of them were
// concurrent with (docs/view.md, "Concurrent writes"). The error is h's, or ErrReplay
// where the log does not fit the view, which must not be used after it.
func (v *View) ApplyRemote(op *dag.Op, ts []dag.Transaction, h History) (together int, err error) {
	return v.applyRemote(op, ts, -1, h)
}

// ReplayRemote is ApplyRemote of an operation of which together was returned before, on the same state.
func (v *View) ReplayRemote(op *dag.Op, ts []dag.Transaction, together int, h History) error {
	if together < 0 || together > len(ts) || together == 1 {
		return fmt.Errorf("%w: %d of %d transactions in one revision", ErrReplay, together, len(ts))
	}
	_, err := v.applyRemote(op, ts, len(ts)-together, h)
	return err
}

// applyRemote is ApplyRemote where the first apart transactions are revisions of their own; as many
// as are in proportion if apart is negative.
func (v *View) applyRemote(op *dag.Op, ts []dag.Transaction, apart int, h History) (together int, err error) {
	if len(v.unsealed) > 0 {
		panic(fmt.Sprintf("mvcc: operation %s applied over %d unsealed changes", op.ID(), len(v.unsealed)))
	}
	v.applying, v.sweep = applying{op: op, links: len(v.received)}, sweep{}
	r := remote{v: v, history: h}
	v.remote = true
	defer func() { v.remote = false }()
	most, n := v.amplification.of(op), len(ts)
	i := 0
	for ; i < n && (i < apart || apart < 0 && (r.made <= most || i == n-1)); i++ {
		if err := r.applyAll(ts, i, i+1); err != nil {
			return 0, err
		}
	}
	if i < n {
		if err := r.applyAll(ts, i, n); err != nil {
			return 0, err
		}
	}
	v.trim()
	return n - i, nil
}

// amplification is how much the transactions of an operation may make while each is a revision.
type amplification struct{ factor, slack int64 }

// of returns that, in bytes as versions count.
func (a amplification) of(op *dag.Op) int64 { return a.factor*int64(op.Size()) + a.slack }

// applyAll applies the transactions from first up to end, which become one revision.
func (r *remote) applyAll(ts []dag.Transaction, first, end int) error {
	v := r.v
	v.stamp++
	r.first, r.end = first, end
	if end > first+1 && slices.ContainsFunc(ts[first:end], deletesRange) {
		v.sweep.ranged = true // of what none of them shows yet only that knows
	}
	for i := first; i < end; i++ {
		r.apply(ts[i], uint32(i))
	}
	if err := r.resolve(); err != nil {
		return err
	}
	r.finish()
	return nil
}

// apply applies a transaction to what is touched.
func (r *remote) apply(t dag.Transaction, tx uint32) {
	v, op := r.v, r.v.applying.op
	r.origin = &origin{op: op, tx: tx}
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
}

func deletesRange(t dag.Transaction) bool {
	return slices.ContainsFunc(t, func(w dag.Write) bool { return w.Kind == dag.DeleteRange })
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
	if it.local || r.isUntouchedAbsent(it) || r.v.verdicts.passes(r.origin.op, it.key()) {
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

// remote applies the transactions of an operation of another node.
type remote struct {
	v       *View
	history History
	origin  *origin // the transaction being applied
	// first and end are the transactions that become one revision.
	first, end int
	made       int64 // what the writes so far have made, in bytes as versions count
}

// touch returns the touch of it, begun if need be. It is valid until the next touch.
func (r *remote) touch(it *item) *touch {
	v := r.v
	if it.stamp == v.stamp {
		return &v.touched[it.touch]
	}
	it.stamp, it.touch = v.stamp, int32(len(v.touched))
	v.touched = append(v.touched, touch{item: it, state: it.state()})
	return &v.touched[it.touch]
}

// isUntouchedAbsent reports whether it has no replicated value, and nothing has touched it. Whether such a
// key has an item depends on what was freed of history, so nothing else may.
func (r *remote) isUntouchedAbsent(it *item) bool {
	return it.stamp != r.v.stamp && it.front.origin == nil
}

// write applies write index, of the single key of it, which is nil if the key
// has no item. past says that all writes of the key before are in its past.
func (r *remote) write(it *item, index uint32, w *dag.Write, past bool) {
	v := r.v
	if (it == nil || r.isUntouchedAbsent(it)) && (!w.Kind.Puts() || w.Kind == dag.Patch && past && len(v.ranges) == 0) {
		return // there is nothing to delete, or to patch
	}
	if it == nil {
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
	t.written = true
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
	v := r.v
	birth := r.life(index, &w.Incarnation, t.writer.birth)
	if !birth.same(t.writer.birth) {
		return // it does not count: no other life is in its past
	}
	tree, ok := v.trees.patch(t.item, &t.state, bytes.Clone(w.Value))
	if !ok {
		return
	}
	if !v.verdicts.fit(r.origin.op, w.Key).Fits(tree) {
		return
	}
	t.writer = write{r.origin, index, t.writer.birth}
	t.take(tree)
	t.patched()
	t.link = len(v.received)
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
func (r *remote) finish() {
	v := r.v
	v.vanish(v.touched)
	rev := v.next()
	changed := false
	for touched := v.touched; len(touched) > 0; {
		n := min(len(touched), chunkKeys)
		v.mu.Lock()
		for i := range touched[:n] {
			t := &touched[i]
			if t.written {
				r.made += versionOverhead + int64(len(t.item.name)+len(t.bytes()))
			}
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
	if changed {
		v.head = rev
	}
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
	is, ok := dag.Object(s.bytes())
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
	case same && bytes.Equal(before.value, s.bytes()):
		return false
	case it.local:
		if it.other = nil; s.writer.origin != nil {
			it.other = &aside{value: s.bytes()}
		}
		return false
	case s.writer.origin == nil:
		v.setAbsent(it, rev)
	default:
		lease := int64(0)
		if x := it.visible(); same && x != nil {
			lease = x.kv.Lease // it is this node's put still, merged with another
		}
		v.setValue(it, rev, s.bytes(), lease)
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
