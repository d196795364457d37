package mvcc

import (
	"sync/atomic"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// outcomes counts what became of keys that were written without all earlier writes in the
// past (docs/etcd.md, "Metrics"), by why a whole write is not in the value; 0 if all are.
// A replay counts the same again.
type outcomes [crdt.DeleteUnmet + 1]atomic.Uint64

// merged is the outcome of writes that are all in the value.
const merged crdt.ConflictKind = 0

// count counts what the writes of a key make, unless one of them saw all others.
func (o *outcomes) count(r *crdt.Result) {
	if !r.Settled() && (r.Merged || r.Whole != 0) { // else all are deletes
		o[r.Whole].Add(1)
	}
}

// Outcomes returns how many times a received transaction wrote a key without having seen all earlier
// writes of it, by what became of the key: "merged", or as crdt.ConflictKind has it why a whole write is not in
// the value. Any goroutine may call it.
func (v *View) Outcomes() map[string]uint64 {
	counts := map[string]uint64{"merged": v.outcomes[merged].Load()}
	for _, k := range []crdt.ConflictKind{crdt.FellBack, crdt.HiddenLife, crdt.EndedLife, crdt.DeleteUnmet} {
		counts[k.String()] = v.outcomes[k].Load()
	}
	return counts
}

// settle says whether it, whose replicated value is being set, is settled. Called with mu held.
func (v *View) settle(it *item, unsettled bool) {
	switch {
	case unsettled && !it.unsettled:
		v.unsettledKeys++
	case !unsettled && it.unsettled:
		v.unsettledKeys--
	}
	it.unsettled = unsettled
}
