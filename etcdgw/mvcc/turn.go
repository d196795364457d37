package mvcc

import (
	"fmt"
	"maps"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// History is the admission log, as far as a view asks for it: records that
// were applied before, appended to the log or about to be.
type History interface {
	// Transactions returns the transactions of op.
	Transactions(op *dag.Op) ([]dag.Transaction, error)
	// Writes returns the writes that record at of the log holds.
	Writes(at dag.Index) (Writes, error)
	// Operation returns an operation of the graph, nil if there is none of that ID.
	Operation(id dag.ID) *dag.Op
}

// Writes are the writes of one record of the log: the changes of this node that it
// holds, or the received operation with its transactions and their trail as [View.Trail] gave it.
type Writes struct {
	Changes []*Change

	Operation    *dag.Op
	Transactions []dag.Transaction
	Trail        []byte
}

// Turn gives the view the roster of everything delivered, by which it judges what is
// applied from then on. changed are the operations applied before of which the new
// roster may judge some transaction otherwise than the one before, each after
// its past; there may be more. The keys that show another value for
// it, or none, get a revision each (docs/view.md, "Verdicts"). Nothing local may be unsealed.
//
// What it costs is in docs/view.md, "What it costs". The error is h's, or ErrReplay where the log does not fit the view, which must not be used after it.
func (v *View) Turn(r *identity.Roster, changed []*dag.Op, h History) error {
	after := judgeBy(r)
	before, _ := v.verdicts.judge.(*byRoster)
	return v.turn(after, switchedSpans(before, after), changed, h)
}

// turn is Turn. spans have all keys that are local by one roster and not by the other.
func (v *View) turn(after judge, spans []span, changed []*dag.Op, h History) error {
	if len(v.unsealed) > 0 {
		panic(fmt.Sprintf("mvcc: another roster over %d unsealed changes", len(v.unsealed)))
	}
	t := turn{
		reader: newReader(v, h),
		before: verdicts{judge: v.verdicts.judge},
		voided: make(map[txName]bool),
	}
	v.verdicts, v.sweep, v.applying = verdicts{judge: after}, sweep{}, applying{}
	v.turns++
	v.remote = true
	defer func() { v.remote = false }()
	for _, op := range changed {
		if err := t.compare(op); err != nil {
			return err
		}
	}
	t.spans.each(func(s span) { t.eachIn(s, t.begin) })
	if len(t.voided) > 0 {
		for i := range v.ranges {
			v.ranges[i].judge(t.voided)
		}
	}
	if err := t.walkAll(); err != nil {
		return err
	}
	for _, s := range spans {
		t.switched(s)
	}
	t.settle()
	v.trim()
	return nil
}

// turn is a change of the roster in progress.
type turn struct {
	reader // walks has nil for a key that is only switched
	before verdicts
	// voided says of the transactions with range deletes that are judged otherwise
	// how, and spans has what they delete.
	voided map[txName]bool
	spans  spanSet
}

// txName names a transaction.
type txName struct {
	op *dag.Op
	tx uint32
}

// begin begins a walk for a key that believes nothing but what was written: what the
// log and memory hold of its values is of other verdicts.
func (t *turn) begin(name string, from *trail) {
	if from == nil {
		return
	}
	from.turned = t.v.record
	if d, dead := t.v.dead.Get(deadKey{name: name}); dead {
		t.v.dead.Set(deadKey{d.name, *from})
	}
	t.reader.begin(name, from)
}

// compare finds the keys for which the verdicts on op's writes differ.
func (t *turn) compare(op *dag.Op) error {
	ts, err := t.history.Transactions(op)
	if err != nil {
		return err
	}
	after := &t.v.verdicts
	var stay spanSet // what op deletes by range either way
	for i, tx := range ts {
		void := after.void(op, tx)
		differ := void != t.before.void(op, tx)
		if void && !differ {
			continue
		}
		for j := range tx {
			switch w := &tx[j]; {
			case w.Kind == dag.DeleteRange && differ:
				t.voided[txName{op, uint32(i)}] = void
				t.spans.add(spanOfWrite(w).clone())
			case w.Kind == dag.DeleteRange:
				stay.add(spanOfWrite(w))
			case differ, w.Kind.Puts() && !sameForm(after.form(op, w.Key), t.before.form(op, w.Key)):
				t.begin(string(w.Key), t.v.trailOf(string(w.Key)))
			}
		}
	}
	stay.each(func(s span) {
		t.eachIn(s, func(name string, trail *trail) {
			if key := []byte(name); after.passes(op, key) != t.before.passes(op, key) {
				t.begin(name, trail)
			}
		})
	})
	return nil
}

// eachIn calls fn with every key of s that a replicated write was ever made to.
func (t *turn) eachIn(s span, fn func(name string, trail *trail)) {
	t.v.tree.Ascend(entry{name: s.key}, func(e entry) bool {
		if !s.below(e.name) {
			return false
		}
		if e.item.trail.tip != nil {
			fn(e.name, &e.item.trail)
		}
		return true
	})
	var dead []deadKey
	t.v.dead.Ascend(deadKey{name: s.key}, func(d deadKey) bool {
		if !s.below(d.name) {
			return false
		}
		dead = append(dead, d)
		return true
	})
	for i := range dead {
		fn(dead[i].name, &dead[i].trail)
	}
}

// switched finds the keys of s that must show the other namespace.
func (t *turn) switched(s span) {
	t.v.tree.Ascend(entry{name: s.key}, func(e entry) bool {
		if !s.below(e.name) {
			return false
		}
		it := e.item
		if _, ok := t.walks[it.name]; !ok && (it.visible() != nil || it.other != nil) && it.local != t.v.verdicts.isLocal(it.key()) {
			t.walks[it.name] = nil
		}
		return true
	})
}

// settle makes the keys show what they must now, in their order.
func (t *turn) settle() {
	names := slices.Sorted(maps.Keys(t.walks))
	states := make([]state, min(len(names), chunkKeys))
	for len(names) > 0 {
		n := min(len(names), chunkKeys)
		for i, name := range names[:n] {
			states[i] = t.state(name)
		}
		t.v.mu.Lock()
		for i, name := range names[:n] {
			t.settleKey(name, &states[i])
		}
		t.v.mu.Unlock()
		names = names[n:]
	}
}

// state returns what the writes of a key make by the verdicts of now.
func (t *turn) state(name string) state {
	w := t.walks[name]
	if w == nil {
		return state{}
	}
	s := merge(t.finish(name, w), w.based).state(nil)
	if it := t.v.keys[name]; it != nil {
		if t.v.merges.drop(it); s.writer.origin != nil {
			s.patches = it.patches
		}
	}
	return s
}

// settleKey settles one key; s is its replicated state if that was computed. Called with mu held.
func (t *turn) settleKey(name string, s *state) {
	v := t.v
	it := v.keys[name]
	if it == nil {
		if s.writer.origin == nil {
			return
		}
		it = v.intern([]byte(name))
	}
	rev := v.next()
	// At most one of the two steps is seen: puts are taken in while local values are shown.
	local, changed := v.verdicts.isLocal(it.key()), false
	if !it.local {
		changed = v.show(it, local, rev)
	}
	if t.walks[name] != nil {
		if v.isReplaced(it, s) {
			v.setAbsent(it, rev)
			v.head = rev
			rev = v.next()
		}
		changed = v.replicate(it, s, rev) || changed
	}
	if !local {
		changed = v.show(it, local, rev) || changed
	}
	if changed {
		v.head = rev
	}
	v.forget(it)
}
