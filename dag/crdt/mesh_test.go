package crdt

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A past is a set of writes by number.
type past map[int]bool

// A meshWrite is a write of a drawn mesh with what its author did.
type meshWrite struct {
	Write
	past past
	put  []byte // what an honest author's client put; nil for others
}

// A mesh is a drawn set of writes of one key, each after its past.
type mesh struct {
	co     corpus
	writes []meshWrite
}

// history adds the writes of a set in an order, and returns the history and
// the writes by its numbers.
func (m *mesh) history(order []int) (*History, []int) {
	h := NewHistory()
	var numbers []int
	for _, i := range order {
		w := &m.writes[i]
		n, _ := h.Add(w.Write, func(n int) bool { return w.past[numbers[n]] })
		if n != len(numbers) {
			panic("numbers are not dense")
		}
		numbers = append(numbers, i)
	}
	return h, numbers
}

// some draws a causal order of a set that holds what set is true for.
func (m *mesh) some(d drawer, set func(int) bool) []int {
	var left, order []int
	for i := range m.writes {
		if set(i) {
			left = append(left, i)
		}
	}
	for len(left) > 0 {
		var ready []int
		for k, i := range left {
			if !slices.ContainsFunc(left[:k], func(j int) bool { return m.writes[i].past[j] }) {
				ready = append(ready, k)
			}
		}
		k := pick(d, ready)
		order = append(order, left[k])
		left = slices.Delete(left, k, k+1)
	}
	return order
}

// drawMesh draws writes: by honest authors who saw anything from a lone write
// to everything (forked ones among them), and by liars.
func drawMesh(d drawer, co corpus, liars bool) *mesh {
	m := &mesh{co: co}
	fit := drawFit(d)
	for i := range rapid.IntRange(2, 10).Draw(d.t, "writes") {
		w := meshWrite{past: make(past)}
		depth := uint64(0)
		see := func(j int) {
			w.past[j] = true
			for k := range m.writes[j].past {
				w.past[k] = true
			}
			depth = max(depth, m.writes[j].Position.Depth)
		}
		if i > 0 && !d.chance(3) {
			see(0)
			if d.chance(15) {
				for j := range i {
					see(j)
				}
			} else {
				for range d.n(2) {
					see(d.n(i - 1))
				}
			}
		}
		w.Fit = fit
		w.Position = Position{Depth: depth + 1, Op: [32]byte{byte(d.n(255)), byte(i)}}
		if liars && d.chance(10) {
			w.Position.Depth += uint64(d.n(3))
		}
		h, _ := m.history(m.first(w.past))
		r := h.Value()
		m.draw(d, &w, &r, liars)
		if r.Tree != nil && w.Incarnation != r.Incarnation && w.Incarnation != w.Position {
			w.put = nil // a lie
		}
		if w.Kind == Patched && !w.admits(w.put) {
			w.put = nil // refused
		}
		m.writes = append(m.writes, w)
	}
	return m
}

// admits reports whether the author of w may put a value.
func (w *meshWrite) admits(value []byte) bool { return w.Fit == nil || w.Fit.Check(value) }

// drawFit draws which values a policy admits, nearly always all.
func drawFit(d drawer) *Fit {
	if !d.chance(20) {
		return nil
	}
	salt, some := byte(d.n(255)), byte(1+d.n(4))
	return &Fit{Check: func(value []byte) bool {
		sum := salt
		for _, b := range value {
			sum ^= b
		}
		return sum%8 >= some
	}}
}

// first returns a set in the order of numbers.
func (m *mesh) first(set past) []int {
	var order []int
	for i := range m.writes {
		if set[i] {
			order = append(order, i)
		}
	}
	return order
}

func (m *mesh) draw(d drawer, w *meshWrite, r *Result, liars bool) {
	w.Incarnation, w.Schema = r.Incarnation, m.co.schema
	switch {
	case liars && d.chance(5) && len(m.writes) > 0: // any life at all
		w.Incarnation = pick(d, m.writes).Incarnation
	case liars && d.chance(2):
		w.Incarnation = Position{Depth: uint64(d.n(2))}
	}
	if r.Tree != nil && d.chance(7) {
		w.Kind = pick(d, []WriteKind{DeleteFinal, DeleteObserved})
		return
	}
	if liars && d.chance(12) {
		w.Kind, w.Patch = Patched, m.lie(d, r.Tree)
		return
	}
	if r.Tree == nil {
		if !liars || w.Incarnation == r.Incarnation {
			w.Incarnation = w.Position
		}
		w.put = d.document(m.co)
		w.Value = w.put
		return
	}
	w.put = d.changed(r.Tree, m.co)
	if d.chance(1) {
		w.put = []byte("\x00opaque")
	}
	new := Parse(w.put, m.co.schema)
	if d.chance(1) {
		w.Schema = Opaque
		new = Parse(w.put, Opaque)
	}
	if p, ok := Diff(r.Tree, new); ok && !d.chance(10) {
		w.Kind, w.Patch, w.Schema = Patched, p, nil
		return
	}
	w.Value = w.put
	if r.Tree != nil && d.chance(5) { // a new life over the old one
		w.Incarnation = w.Position
	}
}

// lie draws a patch that no honest author writes: between values that nobody
// has, with bits turned over, or with places, names and orders that are not there.
func (m *mesh) lie(d drawer, seen *Tree) *Patch {
	var p *Patch
	for ok := false; !ok; {
		old := seen
		if seen == nil || seen.Opaque() || d.chance(30) {
			old = Parse(d.document(m.co), m.co.schema)
		}
		p, ok = Diff(old, Parse(d.changed(old, m.co), m.co.schema))
	}
	if d.chance(70) {
		if q, err := DecodePatch(newPatch(d.distort(p.edits)).encoding); err == nil {
			return q
		}
	}
	b := bytes.Clone(p.encoding)
	for range d.n(2) {
		b[d.n(len(b)-1)] ^= byte(1 << d.n(7))
	}
	if q, err := DecodePatch(b); err == nil {
		return q
	}
	return p
}

// distort draws edits like those given, with other places and names.
func (d drawer) distort(edits []edit) []edit {
	names := []string{"a", "c", "l", "m", "mm", "f", "g", "u", "ghost", "1", "2", "4", "12"}
	for _, e := range edits {
		names = append(names, e.key)
	}
	edits = slices.Clone(edits)
	for i := range edits {
		e := &edits[i]
		e.edits = d.distort(e.edits)
		switch {
		case e.op < opReorder && d.chance(15):
			e.key = pick(d, names)
		case (e.op == opSet || e.op == opPlace) && d.chance(60):
			e.op, e.after, e.front = opPlace, pick(d, names), d.chance(20)
		case e.op == opSet && d.chance(10):
			*e = edit{op: opInside, key: e.key, edits: []edit{{op: opSet, key: pick(d, names), value: e.value}}}
		case e.op == opReorder:
			for range 1 + d.n(2) {
				e.keys = slices.Insert(slices.Clone(e.keys), d.n(len(e.keys)), pick(d, append(names, e.keys...)))
			}
			if n := d.n(len(e.keys) - 1); d.chance(50) {
				e.keys = slices.Delete(e.keys, n, n+1)
			}
		case e.op > opReorder && d.chance(20):
			e.index = d.n(4)
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int {
		switch {
		case a.op > opReorder || b.op > opReorder:
			return a.index - b.index
		case a.op != b.op && (a.op == opReorder || b.op == opReorder):
			return int(a.op) - int(b.op)
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	return edits
}

// show is the value of a result, with what tells absence from an empty value.
func show(r Result) string {
	if r.Tree == nil {
		return "absent"
	}
	return fmt.Sprintf("%v %q", r.Incarnation, r.Tree.Value())
}

// TestConvergence: the value depends on the set of writes alone; and a write
// that saw everything is the value.
func TestConvergence(t *testing.T) {
	merged, all := 0, 0
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, true)
		void := drawVoid(d, m)
		set := func(i int) bool { return !void[i] }
		h, _ := m.history(m.some(d, set))
		r := h.Value()
		want := show(r)
		if all++; r.Merged {
			merged++
		}
		for look := range 3 {
			h := NewHistory()
			var numbers []int
			for _, i := range m.some(d, set) {
				w := &m.writes[i]
				h.Add(w.Write, func(n int) bool { return w.past[numbers[n]] })
				numbers = append(numbers, i)
				if look > 0 { // which changes nothing
					h.Value()
					h.Conflicts()
					h.Blame()
				}
			}
			if got := show(h.Value()); got != want {
				t.Fatalf("in another order: %s\nwant %s\n%v", got, want, m)
			}
		}
		for i := range m.writes {
			w := &m.writes[i]
			if w.put == nil {
				continue
			}
			h, _ := m.history(append(m.first(w.past), i))
			if got := h.Value(); got.Tree == nil || !bytes.Equal(got.Tree.Value(), w.put) {
				t.Fatalf("write %d saw all and put %q, but the value is %s\n%v", i, w.put, show(got), m)
			}
		}
	})
	if merged*10 < all {
		t.Errorf("%d of %d values are merged", merged, all)
	}
	t.Logf("%d of %d values are merged", merged, all)
}

// drawVoid draws the writes of a mesh that are void.
func drawVoid(d drawer, m *mesh) past {
	void := make(past)
	if d.chance(30) {
		for i := range m.writes {
			if d.chance(25) {
				void[i] = true
			}
		}
	}
	return void
}

// TestCut: a history that begins with the value of a write which all others
// saw, or which saw them, is as good as the whole one.
func TestCut(t *testing.T) {
	cuts := 0
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, true)
		whole, _ := m.history(m.some(d, func(int) bool { return true }))
		want := show(whole.Value())
		for b := range m.writes {
			w := &m.writes[b]
			before, _ := m.history(append(m.first(w.past), b))
			r := before.Value()
			after := make(past)
			for i := range m.writes {
				if m.writes[i].past[b] {
					after[i] = true
				}
			}
			if r.Tree == nil || r.Writer != w.Position || len(w.past)+1+len(after) < len(m.writes) || len(after) == 0 {
				continue
			}
			cuts++
			short := &mesh{co: co, writes: slices.Clone(m.writes)}
			short.writes[b] = meshWrite{Write: Write{Position: w.Position, Incarnation: r.Incarnation, Schema: r.Tree.Schema(), Value: r.Tree.Value(), Fit: w.Fit}}
			h, _ := short.history(short.some(d, func(i int) bool { return i == b || after[i] }))
			if got := show(h.Value()); got != want {
				t.Fatalf("from write %d on: %s\nwant %s\n%v", b, got, want, m)
			}
		}
	})
	if cuts == 0 {
		t.Error("no cut was drawn")
	}
}

// String shows a mesh for a failure.
func (m *mesh) String() string {
	var b bytes.Buffer
	for i, w := range m.writes {
		fmt.Fprintf(&b, "%d %v kind %d of %v past %v: ", i, w.Position, w.Kind, w.Incarnation, m.first(w.past))
		if w.Patch != nil {
			fmt.Fprintf(&b, "%s put %q\n", w.Patch, w.put)
		} else {
			fmt.Fprintf(&b, "%q\n", w.Value)
		}
	}
	return b.String()
}
