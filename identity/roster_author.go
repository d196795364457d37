package identity

import (
	"slices"
	"sync"
	"sync/atomic"
)

// An authorTable remembers what a roster was asked about authors, and the frame
// by which they are judged: one that is derived again has other operators.
type authorTable struct {
	frame *frame
	used  atomic.Bool

	mu        sync.RWMutex
	records   map[PublicKey]*record // of those that are enrolled
	rotations map[StatementID]*rotations
}

// rotations are the rotates of an enrolment that stand.
type rotations struct {
	list []*Statement // ascending by index and ID
	ids  map[StatementID]bool
}

// A record is what one roster says about one author.
type record struct {
	Author
	frame        *frame
	by           *entry  // the enrol or rotate
	next         *record // by the next statement that makes the key an author, if any
	operator     *operator
	restrictions []*issued // in force on the operator, its sponsors, the enrolment and the key
	heads        []Place   // the greatest of what these and policies keep
	now          *Standing // after everything

	siblings func() []PublicKey

	mu      sync.Mutex
	classes map[class]*Standing
}

// record returns what the roster says about an author, or nil if it is not enrolled.
func (r *Roster) record(key PublicKey) *record {
	t := r.table()
	t.mu.RLock()
	rec := t.records[key]
	t.mu.RUnlock()
	if rec != nil {
		return rec
	}
	if rec = r.newRecord(t, key); rec == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.records[key]; first != nil {
		return first // so that there is one standing
	}
	t.records[key] = rec
	return rec
}

func (r *Roster) table() *authorTable {
	t := r.authors.Load()
	if t == nil {
		t = &authorTable{frame: r.basis.frame(), records: map[PublicKey]*record{}, rotations: map[StatementID]*rotations{}}
		if !r.authors.CompareAndSwap(nil, t) {
			return r.table()
		}
		r.basis.recent.addRoster(r)
	}
	if !t.used.Load() {
		t.used.Store(true)
	}
	return t
}

// newRecord returns what makes the key an author, in the order in which that
// goes: the enrolments that name it, ascending by ID, and then the rotates.
func (r *Roster) newRecord(t *authorTable, key PublicKey) (first *record) {
	f := t.frame
	if f.found == nil {
		return nil
	}
	var enrols, rotates []*entry
	r.set.about(newTopic(key, narrowAuthor), func(e *entry) bool { // ascending by ID
		switch c := e.statement.Content.(type) {
		case Enrol:
			if _, ok := f.stands(e); ok && c.Node == key {
				enrols = append(enrols, e)
			}
		case Rotate:
			if c.Key != key {
				break
			}
			if named := r.set.get(c.Enrolment); named != nil && r.rotates(t, named, e.statement.id) {
				rotates = append(rotates, e)
			}
		}
		return true
	})
	last := &first
	for _, e := range append(enrols, rotates...) {
		*last = r.recordBy(t, key, e)
		last = &(*last).next
	}
	return first
}

// recordBy returns what the roster says about a key by one statement that makes it an author.
func (r *Roster) recordBy(t *authorTable, key PublicKey, by *entry) *record {
	f := t.frame
	rec := &record{Author: Author{Key: key}, frame: f, by: by}
	enrol := by
	if c, ok := by.statement.Content.(Rotate); ok {
		rec.Index, rec.From, rec.Rotation = c.Index, &by.statement.Issuer, &by.statement.id
		enrol = r.set.get(c.Enrolment)
	}
	s := enrol.statement
	c := s.Content.(Enrol)
	o := f.operators[*s.As]
	rec.Enrolment = Enrolment{ID: s.id, Operator: o.ID, Slot: c.Slot, Node: c.Node, Rotations: c.Rotations}
	rec.OperatorName, rec.Role, rec.Patterns = o.Name, o.Role, o.Patterns
	rec.operator = o
	rec.restrictions = f.restrictionsOn(o, s.id, key)
	rec.siblings = sync.OnceValue(func() []PublicKey { return r.findSiblings(t, rec) })
	rec.judge()
	return rec
}

// of returns the record by which an operation at that place is judged: the first
// of those whose statement the operation's past carries, if it carries any. So
// who enrols a key anew, be it the thief of it, takes nothing away from what it wrote before.
func (a *record) of(at Place) *record {
	if at == nil || a.next == nil {
		return a
	}
	for b := a; b != nil; b = b.next {
		if b.by.before(at) {
			return b
		}
	}
	return a
}

// restrictionsOn returns the restrictions in force on a key of an enrolment.
func (f *frame) restrictionsOn(o *operator, enrolment StatementID, key PublicKey) []*issued {
	list := o.chain
	for _, s := range f.restrict[enrolment] {
		c, ok := s.entry.statement.Content.(Revoke)
		if ok && (c.Key == nil || *c.Key == key) && s.onNode(o) {
			list = append(slices.Clip(list), s)
		}
	}
	return list
}

// rotations returns the rotates of an enrolment that stand. A key that holds an
// index can hand on to a greater one only, so that they are found in that order.
func (r *Roster) rotations(t *authorTable, enrol *entry) *rotations {
	id := enrol.statement.id
	t.mu.RLock()
	stand, ok := t.rotations[id]
	t.mu.RUnlock()
	if ok {
		return stand
	}
	stand = r.findRotations(t.frame, enrol)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rotations[id] = stand
	return stand
}

// rotates reports whether a rotate of the enrolment's stands. It goes by the ID: ops
// that carry one statement each hold a copy of it.
func (r *Roster) rotates(t *authorTable, enrol *entry, id StatementID) bool {
	return r.rotations(t, enrol).ids[id]
}

func (r *Roster) findRotations(f *frame, enrol *entry) *rotations {
	stand := &rotations{ids: map[StatementID]bool{}}
	c, ok := enrol.statement.Content.(Enrol)
	if !ok {
		return stand
	}
	if _, ok := f.stands(enrol); !ok {
		return stand
	}
	id := enrol.statement.id
	o := f.operators[*enrol.statement.As]
	least := map[PublicKey]uint64{c.Node: 0} // the index that a key holds
	r.set.under(id[:], func(e *entry) bool {
		s := e.statement
		rotate, ok := s.Content.(Rotate)
		if !ok || rotate.Enrolment != id || rotate.Index > c.Rotations || !e.in(f.founding) {
			return true
		}
		if from, ok := least[s.Issuer]; !ok || from >= rotate.Index || !s.consented(f.found.id) {
			return true
		}
		for _, by := range f.restrictionsOn(o, id, s.Issuer) {
			if !e.within(by.entry.keep, nil) && !by.permits(o, s) {
				return true
			}
		}
		stand.list, stand.ids[s.id] = append(stand.list, s), true
		if _, ok := least[rotate.Key]; !ok {
			least[rotate.Key] = rotate.Index
		}
		return true
	})
	return stand
}

// findSiblings returns the other keys at the author's place, ascending, without
// those that are revoked, be it with their enrolment.
func (r *Roster) findSiblings(t *authorTable, a *record) (keys []PublicKey) {
	at := func(enrol *entry, key PublicKey) {
		if key == a.Key || t.frame.revoked(a.operator, enrol.statement.id, key) {
			return
		}
		if b := r.newRecord(t, key); b != nil && b.ID == enrol.statement.id && b.Index == a.Index {
			keys = append(keys, key)
		}
	}
	for _, issuer := range a.operator.Keys {
		r.set.about(slotTopic(a.Operator, a.Slot, issuer), func(e *entry) bool {
			c, ok := e.statement.Content.(Enrol)
			switch {
			case !ok || c.Slot != a.Slot:
			case a.Index == 0:
				at(e, c.Node)
			default:
				for _, s := range r.rotations(t, e).list {
					if rotate := s.Content.(Rotate); rotate.Index == a.Index {
						at(e, rotate.Key)
					}
				}
			}
			return true
		})
	}
	slices.SortFunc(keys, PublicKey.Compare)
	return slices.Compact(keys)
}

// revoked reports whether the enrolment or its key is revoked, whatever is kept.
func (f *frame) revoked(o *operator, enrolment StatementID, key PublicKey) bool {
	return len(f.restrictionsOn(o, enrolment, key)) > len(o.chain)
}

// Author returns what the roster says about a key as the author of operations
// to come, revoked or not, or false if it is not enrolled. The result is shared: read only.
func (r *Roster) Author(key PublicKey) (*Author, bool) {
	rec := r.record(key)
	if rec == nil {
		return nil, false
	}
	return &rec.Author, true
}

// Siblings returns the other keys at the same operator, slot and index, which
// make one author that forked: ascending, without those that are revoked by
// themselves or with their enrolment. The slice is shared: read only.
func (r *Roster) Siblings(key PublicKey) []PublicKey {
	rec := r.record(key)
	if rec == nil {
		return nil
	}
	return rec.siblings()
}
