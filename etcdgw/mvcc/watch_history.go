package mvcc

import (
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// catchUp returns events of w, which lags and has nothing pending, from
// history, and the revision up to which they are all. compacted is not 0 if the
// watch must end because what it wants is gone. Called without the hub's lock,
// by the one goroutine that receives from the stream: next and target are
// w.next and the revision handed out, read under it.
func (v *View) catchUp(w *watcher, next, target int64) (events []*mvccpb.Event, upTo, compacted int64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if next = v.window.from(next); !v.window.has(next) || next < v.compacted {
		return nil, 0, max(v.compacted, 1)
	}
	if w.single {
		events, upTo = v.eventsOfKey(w, next, target)
	} else {
		events, upTo = v.eventsOfRange(w, next, target)
	}
	return events, upTo, 0
}

// batch collects events up to the size of a response.
type batch struct {
	w         *watcher
	compacted int64 // at this revision and below the value before is gone
	events    []*mvccpb.Event
	size      int
	rev       int64 // of the last event looked at
}

// add adds x unless its revision begins after the batch is full.
func (b *batch) add(x *version) bool {
	if x.kv.ModRevision != b.rev && (b.size >= maxResponseBytes || len(b.events) >= maxPending) {
		return false
	}
	b.rev = x.kv.ModRevision
	if !b.w.filters(x) {
		e := x.event(b.w.prevKV && x.kv.ModRevision > b.compacted)
		b.size += eventSize(e)
		b.events = append(b.events, e)
	}
	return true
}

// eventsOfKey goes through the versions of the key, unless they are many.
func (v *View) eventsOfKey(w *watcher, next, target int64) ([]*mvccpb.Event, int64) {
	it := v.keys[w.span.key]
	if it == nil {
		return nil, target
	}
	var versions []*version
	n := 0
	for x := it.newest; x != nil && x.kv.ModRevision >= next; x = x.prev {
		if n++; n > catchUpEvents {
			return v.eventsOfRange(w, next, target)
		}
		if x.kv.ModRevision <= target {
			versions = append(versions, x)
		}
	}
	b := batch{w: w, compacted: v.compacted}
	for _, x := range slices.Backward(versions) {
		if !b.add(x) {
			return b.events, x.kv.ModRevision - 1
		}
	}
	return b.events, target
}

// eventsOfRange goes through all events.
func (v *View) eventsOfRange(w *watcher, next, target int64) ([]*mvccpb.Event, int64) {
	b := batch{w: w, compacted: v.compacted}
	last := next - 1
	i := v.history.since(next)
	for n := 0; i < v.history.next; i++ {
		x := v.history.at(i)
		rev := x.kv.ModRevision
		if rev > target {
			break
		}
		if n++; n > catchUpEvents && rev != last {
			return b.events, last
		}
		if w.span.contains(x.item.name) && !b.add(x) {
			return b.events, rev - 1
		}
		last = rev
	}
	return b.events, target
}
