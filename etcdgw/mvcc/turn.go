package mvcc

import (
	"fmt"
	"maps"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// History is the admission log, as far as [View.Turn] asks for it: records that
// were applied before, appended to the log or about to be.
type History interface {
	// Transactions returns the transactions of op.
	Transactions(op *dag.Op) ([]dag.Transaction, error)
	// Writes returns the writes that record at of the log holds.
	Writes(at dag.Index) (Writes, error)
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
		v: v, history: h,
		before:  verdicts{judge: v.verdicts.judge},
		walks:   make(map[string]*walk),
		waiting: make(map[dag.Index]map[string]*walk),
		voided:  make(map[txName]bool),
	}
	v.verdicts, v.sweep = verdicts{judge: after}, sweep{}
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
	return nil
}

// turn is a change of the roster in progress.
type turn struct {
	v       *View
	history History
	before  verdicts
	walks   map[string]*walk // by key; nil for one that is only switched
	waiting map[dag.Index]map[string]*walk
	records indexes // that are waited for
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
			case differ:
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
	t.v.dead.Ascend(deadKey{name: s.key}, func(d deadKey) bool {
		if !s.below(d.name) {
			return false
		}
		fn(d.name, &d.trail)
		return true
	})
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
	for len(names) > 0 {
		n := min(len(names), chunkKeys)
		t.v.mu.Lock()
		for _, name := range names[:n] {
			t.settleKey(name, t.walks[name])
		}
		t.v.mu.Unlock()
		names = names[n:]
	}
}

// settleKey settles one key. Called with mu held.
func (t *turn) settleKey(name string, w *walk) {
	v := t.v
	it := v.keys[name]
	if it == nil {
		if len(w.puts) == 0 {
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
	if w != nil {
		changed = v.replicate(it, greatestFirst(w.puts), rev) || changed
	}
	if !local {
		changed = v.show(it, local, rev) || changed
	}
	if changed {
		v.head = rev
	}
	v.forget(it)
}
