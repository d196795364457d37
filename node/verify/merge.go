package verify

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// decide returns those writes of key that its value is made of, in order: from the
// last one on that puts or deletes whatever was before, has all writes before in its
// past, and is in the past of all after it (docs/merge.md, section 8). They are
// all writes if there is none such. It is called once for each key, in the order of sorted.
func (s *writes) decide(key string) []write {
	list := slices.Clone(s.keys[key]) // each after its past
	for ; s.next < len(s.ranges) && s.ranges[s.next].key <= key; s.next++ {
		s.live = append(s.live, s.next)
	}
	s.live = slices.DeleteFunc(s.live, func(i int) bool { return s.ranges[i].end != "" && s.ranges[i].end <= key })
	for _, i := range s.live {
		if r := &s.ranges[i]; !r.judge.Passes([]byte(key)) {
			list = append(list, r.write)
		}
	}
	slices.SortFunc(list, func(a, b write) int { return a.number - b.number })
	cuts := cutsOf(list)
	for i := len(list) - 1; i > 0; i-- {
		if cuts[i] && list[i].kind != dag.Patch {
			return list[i:]
		}
	}
	return list
}

// cutsOf says of each write whether it has all before in its past, and is in the
// past of all after it.
func cutsOf(list []write) []bool {
	cuts := make([]bool, len(list))
	var ends []*write
	for i := range list {
		w := &list[i]
		ends = slices.DeleteFunc(ends, func(x *write) bool { return x.past(w) })
		cuts[i] = len(ends) == 0
		ends = append(ends, w)
	}
	ends = ends[:0]
	for i := len(list) - 1; i >= 0; i-- {
		w := &list[i]
		ends = slices.DeleteFunc(ends, func(x *write) bool { return w.past(x) })
		cuts[i] = cuts[i] && len(ends) == 0
		ends = append(ends, w)
	}
	return cuts
}

// A merger computes the values that several writes make, or patches.
type merger struct {
	// transactions returns those of an operation; nil is the one to come.
	transactions func(op *dag.Op) ([]dag.Transaction, error)
	operation    func(id dag.ID) (*dag.Op, bool)
	schema       func(id dag.SchemaID) ([]byte, bool)
	schemas      map[dag.SchemaID]*crdt.Schema
}

// value returns what the writes of a key make, each after its past; nil is absent.
func (m *merger) value(list []write) ([]byte, error) {
	h := crdt.NewHistory()
	var added []*write
	cuts := cutsOf(list)
	for i := range list {
		w := &list[i]
		c, ok, err := m.write(w)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		h.Add(c, func(number int) bool { return added[number].past(w) })
		added = append(added, w)
		// A long history of patches, each on top of the one before, is as good as what it left.
		if !cuts[i] || w.kind != dag.Patch || len(added) == 1 {
			continue
		}
		if r := h.Value(); r.Tree != nil && r.Writer == c.Position {
			h, added = crdt.NewHistory(), []*write{w}
			h.Add(crdt.Write{Position: c.Position, Incarnation: r.Incarnation, Schema: r.Tree.Schema(), Value: r.Tree.Value(), Fit: c.Fit}, nil)
		}
	}
	r := h.Value()
	if r.Tree == nil {
		return nil, nil
	}
	if value := r.Tree.Value(); value != nil {
		return value, nil
	}
	return []byte{}, nil
}

// depthToCome is above that of every operation.
const depthToCome = 1 << 63

func positionOf(op *dag.Op, tx, index uint32) crdt.Position {
	if op == nil {
		return crdt.Position{Depth: depthToCome, Tx: tx, Write: index}
	}
	return crdt.Position{Depth: op.Depth(), Op: op.ID(), Tx: tx, Write: index}
}

// write returns a write as package crdt has it; ok is false for a patch that does not decode.
func (m *merger) write(w *write) (c crdt.Write, ok bool, err error) {
	c.Position = positionOf(w.op, w.tx, w.index)
	if w.kind == dag.DeleteRange {
		c.Kind = crdt.DeleteObserved
		return c, true, nil
	}
	ts, err := m.transactions(w.op)
	if err != nil {
		return c, false, err
	}
	x := &ts[w.tx][w.index]
	switch in := x.Incarnation; in.Kind {
	case dag.IncarnationLocal:
		if in.Tx < w.tx || in.Tx == w.tx && in.Write < w.index {
			c.Incarnation = positionOf(w.op, in.Tx, in.Write)
		}
	case dag.IncarnationPast:
		if op, known := m.operation(in.Op); known && (w.op == nil || w.op.InPast(op)) {
			c.Incarnation = positionOf(op, in.Tx, in.Write)
		}
	}
	if form := w.form; form != nil {
		key := x.Key
		c.Fit = &crdt.Fit{Check: func(value []byte) bool { return dag.CheckForm(form, key, value) == nil }}
	}
	switch x.Kind {
	case dag.Replace:
		if c.Incarnation == (crdt.Position{}) {
			c.Incarnation = c.Position
		}
		c.Kind, c.Value, c.Schema = crdt.Replace, x.Value, m.schemaOf(x.Schema)
	case dag.Patch:
		c.Kind = crdt.Patched
		if c.Patch, err = crdt.DecodePatch(x.Value); err != nil {
			return c, false, nil
		}
	case dag.DeleteFinal:
		c.Kind = crdt.DeleteFinal
	default:
		c.Kind = crdt.DeleteObserved
	}
	return c, true, nil
}

func (m *merger) schemaOf(id dag.SchemaID) *crdt.Schema {
	if id == dag.SchemaJSON {
		return nil
	}
	if s := m.schemas[id]; s != nil {
		return s
	}
	s := crdt.Opaque
	if b, ok := m.schema(id); ok {
		if decoded, err := crdt.DecodeSchema(b); err == nil {
			s = decoded
		}
	}
	if m.schemas == nil {
		m.schemas = make(map[dag.SchemaID]*crdt.Schema)
	}
	m.schemas[id] = s
	return s
}
