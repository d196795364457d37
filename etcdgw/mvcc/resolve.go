package mvcc

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// resolve finds the states of the touched keys that were concurrent with earlier
// writes: from those kept in memory, or from the log.
func (r *remote) resolve() error {
	v := r.v
	c := &v.applying
	var log, own *reader
	for i := range v.touched {
		t := &v.touched[i]
		if !t.slow {
			v.merges.drop(t.item)
			continue
		}
		if v.merges.by[t.item] != nil {
			if own == nil {
				rd := newReader(v, r.history)
				own = &rd
			}
			own.walks[t.item.name] = &walk{turned: t.item.trail.turned}
		}
	}
	if own != nil {
		r.transactionFor(own)
	}
	for i := range v.touched {
		t := &v.touched[i]
		if !t.slow {
			continue
		}
		if own != nil && own.walks[t.item.name] != nil && r.added(t, own.walks[t.item.name]) {
			continue
		}
		if log == nil {
			rd := newReader(v, r.history)
			log = &rd
			log.current = c
		}
		log.begin(t.item.name, &t.item.trail)
	}
	if log == nil {
		return nil
	}
	if err := log.walkAll(); err != nil {
		return err
	}
	for i := range v.touched {
		t := &v.touched[i]
		if w := log.walks[t.item.name]; w != nil {
			r.made(t, merge(log.finish(t.item.name, w), w.based))
		}
	}
	return nil
}

// transactionFor shows the walks of rd the transaction that is being applied, and no more.
func (r *remote) transactionFor(rd *reader) {
	ts := r.v.applying.ts
	t := ts[len(ts)-1]
	links := r.v.received[len(r.v.received)-singles(t):]
	reading := reading{reader: rd, at: r.v.record, waiting: rd.walks, prev: make(map[string]dag.Index)}
	reading.transaction(r.origin, t, links)
}

// added adds what a walk found of the transaction to the writes that are kept
// of a key. It reports false if they do not reach back far enough; then they are kept no more.
func (r *remote) added(t *touch, w *walk) bool {
	m := r.v.merges.take(t.item)
	events := w.events
	if slices.Reverse(events); !w.written { // it was slow for a range delete
		events = []event{{write: write{origin: r.origin}, at: r.v.record, kind: crdt.DeleteObserved}}
	}
	for i := range events {
		if !m.takes(&events[i]) {
			return false
		}
	}
	for i := range events {
		m.add(events[i])
	}
	r.made(t, m)
	return true
}

// made takes in what the writes of a key make.
func (r *remote) made(t *touch, m *merging) {
	s := m.state()
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
	if s.writer.origin != r.origin || s.unsettled || !s.due() || v.wholes+len(s.value) > maxWholes {
		return
	}
	ts := v.applying.ts
	t := ts[len(ts)-1]
	if t[s.writer.index].Kind != dag.Patch {
		return
	}
	l := &v.received[len(v.received)-singles(t[s.writer.index:])]
	if !l.past {
		return
	}
	l.whole = &whole{s.schema.ID(), s.value}
	v.wholes += len(s.value)
	s.patches = 0
}
