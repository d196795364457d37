package mvcc

import (
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// hub hands published events to watchers. Its lock is never held while the
// view's is waited for.
type hub struct {
	view *View

	mu        sync.Mutex
	index     watchIndex
	streams   map[*WatchStream]struct{}
	published int64 // all events up to here have been handed out
	compacted int64
	window    window
	lagging   int
	found     []*watchNode // for hand, to use its memory again
}

func (h *hub) init(v *View) {
	h.view = v
	h.index.init()
	h.streams = make(map[*WatchStream]struct{})
	h.published, h.compacted, h.window = v.published, v.compacted, v.window
}

func (h *hub) count() (watchers, streams, lagging int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.index.size, len(h.streams), h.lagging
}

// watcher is one watch of a stream. It is guarded by the hub's lock.
type watcher struct {
	id     int64
	stream *WatchStream
	span   span
	single bool // the span is one key
	prevKV bool
	noPut  bool
	noDel  bool

	node  *watchNode // in the index; nil once the watch has ended
	place int

	// pending are events to be sent, whole revisions, all below next.
	pending []*mvccpb.Event
	size    int // of pending, in bytes
	// rev is the revision of the last of pending, and mark where it begins.
	rev  int64
	mark int
	// A watcher that lags is sent pending, and then what history has from next
	// on. One that does not has all events up to the published revision, or
	// wants none below next, which is in the future.
	lagging bool
	next    int64
	expired bool // to end as compacted after what is pending
	ready   bool // queued in stream.ready
}

// dispatch hands out the events with sequence numbers [from, to), which have
// just been published. The writer calls it without the view's lock.
func (h *hub) dispatch(from, to uint64, renumbered bool) {
	v := h.view
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published, h.compacted, h.window = v.head, v.headCompacted, v.headWindow
	switch {
	case h.index.size == 0:
	case renumbered:
		h.expire()
	default:
		for ; from < to; from++ {
			h.hand(v.history.at(from))
		}
	}
}

// expire ends all watches as compacted, since another window was opened.
func (h *hub) expire() {
	for s := range h.streams {
		for _, w := range s.watchers {
			w.expired = true
			w.queue()
		}
	}
}

// hand gives one event to the watchers of its key.
func (h *hub) hand(x *version) {
	var plain, withPrev *mvccpb.Event // made when first needed, shared by all
	h.found = h.index.find(x.item.name, h.found[:0])
	for _, n := range h.found {
		for _, w := range n.watchers {
			switch {
			case !w.wants(x):
			case w.prevKV:
				if withPrev == nil {
					withPrev = x.event(true)
				}
				w.add(x, withPrev)
			default:
				if plain == nil {
					plain = x.event(false)
				}
				w.add(x, plain)
			}
		}
	}
	clear(h.found)
}

// event returns x as an event. As in etcd a creation has no previous value, also
// if its transaction deleted one.
func (x *version) event(prevKV bool) *mvccpb.Event {
	e := &mvccpb.Event{Kv: &x.kv}
	if x.tombstone() {
		e.Type = mvccpb.Event_DELETE
	}
	if prevKV && x.kv.CreateRevision != x.kv.ModRevision {
		if p := x.before(); p != nil {
			e.PrevKv = &p.kv
		}
	}
	return e
}

// wants reports whether x, an event of its key, is to be sent when published.
func (w *watcher) wants(x *version) bool {
	return !w.lagging && x.kv.ModRevision >= w.next && !w.filters(x)
}

func (w *watcher) filters(x *version) bool {
	if x.tombstone() {
		return w.noDel
	}
	return w.noPut
}

// add appends an event, unless too much is pending: then its whole revision and
// what follows is left to history. What is pending is shared with history, but
// outlives it when that is compacted.
func (w *watcher) add(x *version, e *mvccpb.Event) {
	if x.kv.ModRevision != w.rev {
		w.rev, w.mark = x.kv.ModRevision, len(w.pending)
	}
	if len(w.pending) >= maxPending || w.size >= maxPendingBytes {
		for _, e := range w.pending[w.mark:] {
			w.size -= eventSize(e)
		}
		clear(w.pending[w.mark:])
		w.pending = w.pending[:w.mark]
		w.lag(x.kv.ModRevision)
		return
	}
	w.pending = append(w.pending, e)
	w.size += eventSize(e)
	w.queue()
}

// lag lets the watcher be served from history from revision next on.
func (w *watcher) lag(next int64) {
	w.lagging, w.next = true, next
	w.stream.hub.lagging++
	w.queue()
}

// queue lets the stream look at the watcher.
func (w *watcher) queue() {
	if !w.ready {
		w.ready = true
		w.stream.ready = append(w.stream.ready, w)
		w.stream.notify()
	}
}

// take returns the first pending events, whole revisions, as many as one
// response holds.
func (w *watcher) take() []*mvccpb.Event {
	n, size := 0, 0
	for n < len(w.pending) {
		if size >= maxResponseBytes && w.pending[n].Kv.ModRevision != w.pending[n-1].Kv.ModRevision {
			break
		}
		size += eventSize(w.pending[n])
		n++
	}
	events := w.pending[:n:n]
	if n == len(w.pending) {
		w.pending, w.mark, w.size = nil, 0, 0
	} else {
		w.pending, w.mark, w.size = w.pending[n:], w.mark-n, w.size-size
	}
	return events
}

func eventSize(e *mvccpb.Event) int {
	n := 64 + len(e.Kv.Key) + len(e.Kv.Value)
	if e.PrevKv != nil {
		n += len(e.PrevKv.Key) + len(e.PrevKv.Value)
	}
	return n
}
