package mvcc

import (
	"math"
	"slices"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// resolve finds the states of the touched keys that were concurrent with earlier
// writes: from those kept in memory, or from the log.
func (r *remote) resolve() error {
	v := r.v
	log := newReader(v, r.history)
	log.current = &v.applying
	for i := range v.touched {
		switch t := &v.touched[i]; {
		case !t.slow:
			v.merges.drop(t.item)
		case !r.added(&log, t):
			log.begin(t.item.name, &t.item.trail)
		}
	}
	if len(log.walks) == 0 {
		return nil
	}
	if err := log.walkAll(); err != nil {
		return err
	}
	for i := range v.touched {
		t := &v.touched[i]
		if w := log.walks[t.item.name]; w != nil {
			r.takeMerged(t, merge(log.finish(t.item.name, w), w.based))
		}
	}
	return nil
}

// added adds the writes of the transactions to those that are kept of a key. It reports false if
// none are kept, or they do not reach back far enough; then they are kept no more.
func (r *remote) added(log *reader, t *touch) bool {
	v := r.v
	m := v.merges.take(t.item)
	if m == nil {
		return false
	}
	if r.end > r.first+1 && v.sweep.ranged {
		return false // only the log knows which of them deleted the key
	}
	rec := v.applying.read(v)
	w := &walk{turned: t.item.trail.turned, least: math.MaxInt}
	for places := rec.places[t.item.name]; len(places) > 0 && places[len(places)-1].tx >= r.first; {
		tx, from := places[len(places)-1].tx, len(places)-1
		for from > 0 && places[from-1].tx == tx {
			from--
		}
		log.transaction(w, t.item.name, v.record, &rec.txs[tx], places[from:])
		places = places[:from]
	}
	events := w.events
	slices.Reverse(events)
	if !t.written { // it was slow for a range delete
		events = []event{{write: write{origin: r.origin}, at: v.record, kind: crdt.DeleteObserved}}
	}
	for i := range events {
		if !m.takes(&events[i]) {
			return false
		}
	}
	for i := range events {
		m.add(events[i])
	}
	r.takeMerged(t, m)
	return true
}

// takeMerged takes in what the writes of a key make.
func (r *remote) takeMerged(t *touch, m *merging) {
	s := m.state(&r.v.outcomes)
	if s.writer.origin != nil {
		s.patches = t.patches
		s.patched()
	}
	if t.state = s; s.unsettled {
		r.v.merges.keep(t.item, m)
	}
}

// keepWhole puts the value of a key beside the patch that left it, if the log should
// hold it again.
func (r *remote) keepWhole(s *state) {
	v := r.v
	if s.link == 0 || !s.due() || v.wholes+len(s.bytes()) > maxWholes {
		return
	}
	v.received[s.link-1].whole = &whole{s.schema.ID(), s.bytes()}
	v.wholes += len(s.bytes())
	s.patches = 0
}
