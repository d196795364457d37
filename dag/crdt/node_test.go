package crdt

import (
	"testing"

	"pgregory.net/rapid"
)

// A keeper keeps a key as docs/merge.md section 8 tells a node to: the value
// alone while one write saw all others, and a history since the last such
// write otherwise.
type keeper struct {
	m       *mesh
	order   []int // all writes so far
	last    int   // the write that saw all others; -1 while there is none
	tree    *Tree // its value, nil if it is a delete
	life    Position
	h       *History // nil while settled
	base    int      // the write that h begins with, -1 if with the first
	numbers []int    // of h
	fast    int      // writes that needed no history
}

func (k *keeper) add(i int) {
	k.order = append(k.order, i)
	w := &k.m.writes[i]
	switch {
	case k.h == nil && len(k.order) > 1 && w.past[k.last]:
		k.fast++
		k.put(i, w)
		return
	case k.h == nil && k.last >= 0 && len(k.order) > 1 || k.h != nil && k.base >= 0 && !w.past[k.base]:
		k.restart() // the cut must be earlier: here, at the beginning
	case k.h == nil:
		k.restart()
	default:
		k.feed(i)
	}
	k.settle()
}

// put is the fast path: the write saw the last one, and so all.
func (k *keeper) put(i int, w *meshWrite) {
	switch w.Kind {
	case Replace:
		k.last, k.tree, k.life = i, Parse(w.Value, w.Schema), w.Incarnation
	case Patched:
		if k.tree == nil || w.Incarnation != k.life {
			return // does not count
		}
		if t, err := Apply(k.tree, w.Patch); err == nil && w.admits(t.Value()) {
			k.last, k.tree = i, t
		}
	default:
		k.last, k.tree, k.life = i, nil, Position{}
	}
}

func (k *keeper) restart() {
	k.h, k.numbers, k.base = NewHistory(), nil, -1
	for _, i := range k.order {
		k.feed(i)
	}
}

func (k *keeper) feed(i int) {
	w := &k.m.writes[i]
	k.h.Add(w.Write, func(n int) bool { return w.past[k.numbers[n]] })
	k.numbers = append(k.numbers, i)
}

// settle drops the history if one write saw all others.
func (k *keeper) settle() {
	r := k.h.Value()
	if r.Settled() {
		k.last, k.tree, k.life, k.h = k.numbers[r.Heads[0]], r.Tree, r.Incarnation, nil
	}
}

// begin begins a history with what is kept, for a write concurrent with later ones.
func (k *keeper) begin() {
	k.h, k.base, k.numbers = NewHistory(), k.last, []int{k.last}
	w := k.m.writes[k.last].Write
	if k.tree != nil {
		w = Write{Position: w.Position, Incarnation: k.life, Schema: k.tree.schema, Value: k.tree.Value(), Fit: w.Fit}
	}
	k.h.Add(w, nil)
}

func (k *keeper) value() Result {
	if k.h != nil {
		return k.h.Value()
	}
	return Result{Tree: k.tree, Incarnation: k.life}
}

// TestKeeper: what a node keeps is V after every write, whatever came before.
func TestKeeper(t *testing.T) {
	fast := 0
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, true)
		k := &keeper{m: m, last: -1}
		for _, i := range m.some(d, func(int) bool { return true }) {
			if k.h == nil && k.last >= 0 && d.chance(40) {
				k.begin() // as if a concurrent write were about to come
			}
			k.add(i)
			h, _ := m.history(k.order)
			got, want := k.value(), h.Value()
			if want.Tree == nil {
				want.Incarnation = got.Incarnation
			}
			if show(got) != show(want) {
				t.Fatalf("after %v: %s\nwant %s\n%v", k.order, show(got), show(want), m)
			}
		}
		fast += k.fast
	})
	if fast == 0 {
		t.Error("no write took the fast path")
	}
}
