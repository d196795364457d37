package crdt

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A reference is V as docs/merge.md defines it, from sets and nothing else: no
// clocks, no chains, no state that grows, no cuts. It shares with the fast one
// the parsers, the encoders, Diff (which is consensus) and the tree of places
// (arrange, which TestOrder tests).
type reference struct {
	*mesh
	void past
	memo map[string]any
}

func newReference(m *mesh, void past) *reference { return &reference{m, void, make(map[string]any)} }

func remember[T any](r *reference, key string, f func() T) T {
	if v, ok := r.memo[key]; ok {
		return v.(T)
	}
	v := f()
	r.memo[key] = v
	return v
}

func (r *reference) isPut(i int) bool {
	return r.writes[i].Kind == Replace || r.writes[i].Kind == Patched
}

// pastOf is the past of a write: what counts of it.
func (r *reference) pastOf(i int) past {
	p := make(past)
	for j := range r.writes[i].past {
		if r.counts(j) {
			p[j] = true
		}
	}
	return p
}

// counts is section 1 rule 1.
func (r *reference) counts(i int) bool {
	return !r.void[i] && remember(r, fmt.Sprint("counts", i), func() bool { return !r.isPut(i) || r.put(i) != nil })
}

// put is what the author of a put put: nil if a patch means nothing.
func (r *reference) put(i int) *Tree {
	return remember(r, fmt.Sprint("put", i), func() *Tree {
		w := &r.writes[i]
		if w.Kind == Replace {
			return Parse(w.Value, w.Schema)
		}
		seen, _ := r.life(r.pastOf(i), w.Incarnation)
		if seen == nil || seen.Opaque() {
			return nil
		}
		// A world of two writes: what was seen, and the patch.
		two := &mesh{co: r.co, writes: []meshWrite{
			{Write: Write{Value: seen.Value(), Schema: seen.Schema()}},
			{Write: Write{Position: Position{Depth: 1}, Kind: Patched, Patch: w.Patch}, past: past{0: true}},
		}}
		f := facts{reference: newReference(two, nil), schema: seen.Schema(), places: make(map[string][]int)}
		f.begin(0, seen.doc)
		f.edit(1, w.Patch.edits)
		t := f.tree(past{0: true, 1: true})
		if t == nil || !w.admits(t.Value()) {
			return nil
		}
		return t
	})
}

// lives is section 1 rule 2 in its other words: a put outside the past of all
// endings of its life keeps it alive.
func (r *reference) lives(p past, life Position) bool {
	for i := range p {
		if !r.isPut(i) || r.writes[i].Incarnation != life {
			continue
		}
		alive := true
		for e := range p {
			w := &r.writes[e]
			ends := r.writes[e].past[i] && (!r.isPut(e) || w.Incarnation != life)
			final := w.Kind == DeleteFinal && w.Incarnation == life && !r.seenByAfter(p, i, e)
			if ends || final {
				alive = false
			}
		}
		if alive {
			return true
		}
	}
	return false
}

// seenByAfter reports whether some head above the put i saw the final delete e.
func (r *reference) seenByAfter(p past, i, e int) bool {
	for j := range p {
		if (j == i || r.writes[j].past[i]) && r.writes[j].past[e] && slices.Contains(r.living(p, r.writes[i].Incarnation), j) {
			return true
		}
	}
	return false
}

// heads are the writes of p in the past of no other.
func (r *reference) heads(p past) []int {
	var heads []int
	for i := range p {
		head := true
		for j := range p {
			head = head && !r.writes[j].past[i]
		}
		if head {
			heads = append(heads, i)
		}
	}
	slices.SortFunc(heads, r.compare)
	return heads
}

func (r *reference) before(a, b int) bool { return r.writes[b].past[a] }
func (r *reference) compare(a, b int) int {
	return r.writes[a].Position.Compare(r.writes[b].Position)
}

// living is section 1 rule 2: the heads that keep a life alive.
func (r *reference) living(p past, life Position) []int {
	var living []int
	for _, i := range r.heads(p) {
		alive := r.isPut(i) && r.writes[i].Incarnation == life
		for f := range p {
			if r.writes[f].Kind == DeleteFinal && r.writes[f].Incarnation == life && !r.writes[i].past[f] {
				alive = false
			}
		}
		if alive {
			living = append(living, i)
		}
	}
	return living
}

// life is V of one life in p: section 2. The generation is that of its
// assignments, -1 where it is none's.
func (r *reference) life(p past, life Position) (*Tree, int) {
	living := r.living(p, life)
	if len(living) == 0 {
		return nil, -1
	}
	greatest := living[len(living)-1]
	gen := r.generation(greatest)
	if len(r.heads(p)) == 1 {
		return r.put(greatest), gen
	}
	for _, i := range living {
		if r.generation(i) != gen {
			return r.put(greatest), -1
		}
	}
	if t := r.facts(p, gen); t != nil {
		if tree := t.tree(p); tree != nil && r.writes[greatest].admits(tree.Value()) {
			return tree, gen
		}
	}
	return r.put(greatest), -1
}

// generation is the number of the write that began the generation of a put.
func (r *reference) generation(i int) int {
	return remember(r, fmt.Sprint("generation", i), func() int {
		w := &r.writes[i]
		seen, gen := r.life(r.pastOf(i), w.Incarnation)
		t := r.put(i)
		if seen == nil || gen < 0 || !seen.sameTerms(t) {
			return i
		}
		if w.Kind == Replace {
			if _, ok := diff(seen.doc, t.doc, t.schema, true); !ok {
				return i
			}
		}
		return gen
	})
}

// facts are the assignments of a generation in p; nil if its values are opaque.
func (r *reference) facts(p past, gen int) *facts {
	first := r.put(gen)
	if first.Opaque() {
		return nil
	}
	f := &facts{reference: r, schema: first.Schema(), places: make(map[string][]int)}
	var members []int
	for i := range p {
		if r.isPut(i) && r.writes[i].Incarnation == r.writes[gen].Incarnation && r.generation(i) == gen {
			members = append(members, i)
		}
	}
	slices.SortFunc(members, r.compare)
	for _, i := range members {
		if i == gen {
			f.begin(i, first.doc)
			continue
		}
		if r.writes[i].Kind == Patched {
			f.edit(i, r.writes[i].Patch.edits)
		} else {
			seen, _ := r.life(r.pastOf(i), r.writes[i].Incarnation)
			edits, _ := diff(seen.doc, r.put(i).doc, first.Schema(), true)
			f.edit(i, edits)
		}
		if layout := r.put(i).doc.get(styleKey); layout != nil { // every put assigns it
			f.set(i, []step{{mapping, styleKey}}, layout, []int{0})
		}
	}
	return f
}

// value is V: section 1 rule 3.
func (r *reference) value() string {
	p := make(past)
	lives := make(map[Position]bool)
	for i := range r.writes {
		if r.counts(i) {
			p[i] = true
			if r.isPut(i) {
				lives[r.writes[i].Incarnation] = true
			}
		}
	}
	var visible *Position
	for life := range lives {
		if alive := len(r.living(p, life)) > 0; alive != r.lives(p, life) {
			return fmt.Sprintf("the two definitions of living differ for %v", life)
		} else if alive && (visible == nil || visible.Compare(life) < 0) {
			visible = &life
		}
	}
	if visible == nil {
		return "absent"
	}
	t, _ := r.life(p, *visible)
	return show(Result{Tree: t, Incarnation: *visible})
}

// TestReference: the fast V is the definition.
func TestReference(t *testing.T) {
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, true)
		void := drawVoid(d, m)
		h, _ := m.history(m.some(d, func(i int) bool { return !void[i] }))
		if got, want := show(h.Value()), newReference(m, void).value(); got != want {
			t.Fatalf("V = %s\nwant %s\nvoid %v\n%v", got, want, void, m)
		}
	})
}
