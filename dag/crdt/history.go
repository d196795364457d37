package crdt

import "slices"

// A History computes the value of one key from a set of its writes
// (docs/merge.md sections 1 and 2). Writes are added each after its past, in
// any such order; the value depends on the set alone. Use it from one goroutine.
type History struct {
	l       lineage
	writes  []historyWrite     // by number in the lineage
	numbers []int              // the caller's, by number in the lineage
	added   int                // the caller's next number
	finals  map[Position][]int // final deletes by the life they end
	recent  []int              // writes whose tree is kept, the last used last
}

// keptTrees is how many values a history keeps beside the assignments that
// they can be made of again: of the heads that are written on, mostly.
const keptTrees = 16

// A historyWrite is a write that counts, with what is known of it.
type historyWrite struct {
	put         bool
	incarnation Position
	gen         *generation // of a put
	tree        *Tree       // the value that the author of a put put; kept for recent ones
	ignored     int         // edits that meant nothing
	fit         *Fit
}

// A generation is the part of a life in which values merge: it begins with a
// write that cannot merge with what its author saw.
type generation struct {
	first *Tree
	state *state // nil if the first value is opaque, and so the only one
}

// NewHistory returns the history of a key without writes.
func NewHistory() *History { return &History{finals: make(map[Position][]int)} }

// Add adds a write and returns its number, counted from 0, and whether it
// counts: a patch does not if it names a life that had ended for its author,
// or makes a value that is not mergeable or does not fit. What is void is not added.
//
// The write's past are the earlier writes for whose numbers inPast is true.
// inPast must be true for the past of whatever it is true for. The first write
// may stand for all that its author saw: a Replace with the position, the
// incarnation and the value of a write that every other one of the set has in
// its past, or is in the past of (docs/merge.md section 8).
func (h *History) Add(w Write, inPast func(number int) bool) (number int, counts bool) {
	number = h.added
	h.added++
	at := h.l.line(w.Position, func(i int) bool { return inPast(h.numbers[i]) })
	past := at.past(len(h.l.chains))
	hw := historyWrite{incarnation: w.Incarnation, fit: w.Fit}
	var seen *Tree
	if w.Kind == Replace || w.Kind == Patched {
		hw.put = true
		seen, hw.gen = h.value(past, w.Incarnation)
	}
	switch w.Kind {
	case Replace:
		hw.tree = Parse(w.Value, w.Schema)
	case Patched:
		if seen == nil {
			return number, false
		}
		var err error
		if hw.tree, err = Apply(seen, w.Patch); err != nil || !w.Fit.Fits(hw.tree) {
			return number, false
		}
	}
	i := h.l.add(at)
	h.numbers = append(h.numbers, number)
	if w.Kind == DeleteFinal {
		h.finals[w.Incarnation] = append(h.finals[w.Incarnation], i)
	}
	if hw.put {
		h.assign(i, &hw, &w, seen)
	}
	h.writes = append(h.writes, hw)
	if hw.put {
		h.keep(i)
	}
	return number, true
}

// keep notes that the tree of a put has just been used, and drops another.
func (h *History) keep(i int) {
	if k := slices.Index(h.recent, i); k >= 0 {
		h.recent = append(slices.Delete(h.recent, k, k+1), i)
		return
	}
	if h.recent = append(h.recent, i); len(h.recent) > keptTrees {
		h.writes[h.recent[0]].tree = nil
		h.recent = slices.Delete(h.recent, 0, 1)
	}
}

// assign adds the assignments of a put, number i, to the generation of what
// its author saw, or begins one.
func (h *History) assign(i int, hw *historyWrite, w *Write, seen *Tree) {
	if hw.gen != nil && seen.sameTerms(hw.tree) {
		edits, ok := []edit(nil), true
		if w.Kind == Patched {
			edits = w.Patch.edits
		} else {
			edits, ok = diff(seen.doc, hw.tree.doc, seen.schema, true)
		}
		if ok {
			hw.ignored = hw.gen.state.assign(i, edits)
			hw.gen.state.layOut(i, hw.tree)
			return
		}
	}
	hw.gen = &generation{first: hw.tree}
	if !hw.tree.Opaque() {
		hw.gen.state = newState(&h.l, hw.tree.schema, i, hw.tree.doc)
	}
}

// living returns the heads of v that keep a life alive, least first: puts of
// it that no write of v has in its past, and of which every final delete of
// the life is in the past.
func (h *History) living(heads []int, v view, incarnation Position) []int {
	var living []int
	for _, i := range heads {
		if w := &h.writes[i]; w.put && w.incarnation == incarnation && !h.ended(i, v) {
			living = append(living, i)
		}
	}
	slices.SortFunc(living, h.l.compare)
	return living
}

// ended reports whether a final delete of v ends the put i.
func (h *History) ended(i int, v view) bool {
	return slices.ContainsFunc(h.finals[h.writes[i].incarnation], func(f int) bool {
		return h.l.has(v, f) && !h.l.before(f, i)
	})
}

// value returns the value of a life in v, nil if it does not live there. The
// generation is nil if what is concurrent does not merge, so that the value is
// the greatest head's: then the next write begins a generation.
func (h *History) value(v view, incarnation Position) (*Tree, *generation) {
	heads := h.l.heads(v)
	living := h.living(heads, v, incarnation)
	if len(living) == 0 {
		return nil, nil
	}
	greatest := living[len(living)-1]
	gen := h.writes[greatest].gen
	if len(heads) == 1 {
		return h.put(greatest), gen
	}
	if gen.state != nil && !slices.ContainsFunc(living, func(i int) bool { return h.writes[i].gen != gen }) {
		if t := gen.state.value(v); t != nil {
			if h.writes[greatest].fit.Fits(t) {
				return t, gen
			}
		}
	}
	return h.put(greatest), nil
}

// put returns the value that the author of the put i put.
func (h *History) put(i int) *Tree {
	w := &h.writes[i]
	if w.gen.state == nil {
		return w.gen.first
	}
	if w.tree == nil {
		w.tree = w.gen.state.value(h.l.upTo(i))
	}
	h.keep(i)
	return w.tree
}

// value returns the tree of a view, nil if it is not mergeable.
func (st *state) value(v view) *Tree {
	st.query++
	doc := st.tree(st.root, st.context(), v)
	if doc == nil {
		return nil
	}
	return treeOf(doc, st.schema)
}

// A Result is the value of a key.
type Result struct {
	Tree        *Tree    // nil if the key is absent
	Incarnation Position // the visible life
	Writer      Position // the greatest write that the value is made of
	Heads       []int    // numbers of the writes that are in the past of no other, deletes too; ascending by position
	Merged      bool     // the value is a merge of several heads
	// Whole says of heads that are not in the value why: the least of FellBack, HiddenLife,
	// EndedLife and DeleteUnmet that Conflicts lists; 0 if it lists none of them.
	Whole ConflictKind
}

// Settled reports whether one write saw all others: then a history that begins
// with its value is as good as this one.
func (r *Result) Settled() bool { return len(r.Heads) == 1 }

// Value returns the value of the key.
func (h *History) Value() Result {
	v := h.l.all()
	heads := h.l.heads(v)
	slices.SortFunc(heads, h.l.compare)
	r := Result{Heads: make([]int, len(heads))}
	found := false
	for k, i := range heads {
		r.Heads[k] = h.numbers[i]
		w := &h.writes[i]
		if w.put && !h.ended(i, v) && (!found || w.incarnation.Compare(r.Incarnation) >= 0) {
			found, r.Incarnation, r.Writer = true, w.incarnation, h.l.lines[i].pos
		}
	}
	var gen *generation
	if found {
		r.Tree, gen = h.value(v, r.Incarnation)
		r.Merged = gen != nil && len(h.living(heads, v, r.Incarnation)) > 1
	}
	for _, i := range heads {
		if k := h.lost(i, v, &r, gen); k != 0 && (r.Whole == 0 || k < r.Whole) {
			r.Whole = k
		}
	}
	return r
}

// lost says why head i of v is not in the value r, which is made of gen; 0 if it is.
func (h *History) lost(i int, v view, r *Result, gen *generation) ConflictKind {
	switch w := &h.writes[i]; {
	case !w.put && r.Tree != nil:
		return DeleteUnmet
	case !w.put:
		return 0
	case h.ended(i, v):
		return EndedLife
	case w.incarnation != r.Incarnation:
		return HiddenLife
	case gen == nil && h.l.lines[i].pos != r.Writer:
		return FellBack
	}
	return 0
}
