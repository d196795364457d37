package crdt

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// display is the path of a place as conflicts show it, with * for every index.
func (f *facts) display(path []step) string {
	var out []string
	for i, s := range path {
		switch {
		case i == 0 && s.key == valueKey:
		case i == 0:
			out = append(out, "(style)")
		case s.k == sequence:
			out = append(out, "[*]")
		default:
			out = append(out, pathStep(s.k, s.key, f.context(path[:i])))
		}
	}
	return joined(out)
}

// joined writes a path as one text, with * for what may be an index.
func joined(path []string) string {
	path = slices.Clone(path)
	for i, s := range path {
		if len(s) > 2 && s[0] == '[' && strings.Trim(s[1:len(s)-1], "-0123456789") == "" {
			path[i] = "[*]"
		}
	}
	return strings.Join(path, " / ")
}

// listed reports whether the conflicts name a write at a place or around it.
func (f *facts) listed(conflicts []Conflict, path []step, w int) bool {
	pos := f.writes[w].Position
	for _, c := range conflicts {
		at, here := joined(c.Path), f.display(path)
		if here != at && !strings.HasPrefix(here, at+" / ") && at != "" {
			continue
		}
		if c.Shown.Writer == pos || slices.ContainsFunc(c.Lost, func(v Version) bool { return v.Writer == pos }) {
			return true
		}
	}
	return false
}

// TestNothingLost: what was written is in the value, or was overwritten or
// deleted by a write that saw it, or is listed.
func TestNothingLost(t *testing.T) {
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, false)
		void := drawVoid(d, m)
		h, _ := m.history(m.some(d, func(i int) bool { return !void[i] }))
		conflicts := h.Conflicts()
		r := newReference(m, void)
		p := make(past)
		for i := range m.writes {
			if r.counts(i) {
				p[i] = true
			}
		}
		v := h.Value()
		for _, i := range r.heads(p) {
			pos := m.writes[i].Position
			listed := slices.ContainsFunc(conflicts, func(c Conflict) bool {
				return c.Shown.Writer == pos || slices.ContainsFunc(c.Lost, func(v Version) bool { return v.Writer == pos })
			})
			if pos != v.Writer && !listed && !v.Merged && (v.Tree != nil || r.isPut(i)) {
				t.Fatalf("head %d is neither shown nor listed\n%+v\n%v", i, conflicts, m)
			}
		}
		var whole ConflictKind
		for _, c := range conflicts {
			if c.Kind >= FellBack && c.Kind <= DeleteUnmet && (whole == 0 || c.Kind < whole) {
				whole = c.Kind
			}
		}
		if v.Whole != whole {
			t.Fatalf("of whole writes %v is listed and %v said\n%v", whole, v.Whole, m)
		}
		if !v.Merged {
			return
		}
		_, gen := r.life(p, v.Incarnation)
		f := r.facts(p, gen)
		for id := range f.all {
			x := &f.all[id]
			if x.n == nil || x.n.kind != leaf || f.display(x.path) == "(style)" {
				continue
			}
			overwritten := false
			for n := range len(x.path) + 1 {
				for _, o := range f.at(x.path[:n], p) {
					overwritten = overwritten || f.before(x.w, f.all[o].w)
				}
			}
			if n := f.node(x.path, p); overwritten || n != nil && string(n.raw) == string(x.n.raw) {
				continue
			}
			if f.context(x.path).p.rule() == Counter && f.live(id, p) {
				continue // what it added is in the sum
			}
			if !f.listed(conflicts, x.path, x.w) {
				t.Fatalf("%q of write %d at %s is neither shown nor listed in %+v\nin %s\n%v", x.n.raw, x.w, f.display(x.path), conflicts, show(v), m)
			}
		}
	})
}

// TestBlame: the leaves that blame names are those of the value, in its order.
func TestBlame(t *testing.T) {
	forCorpora(t, func(t *rapid.T, co corpus) {
		d := newDrawer(t)
		m := drawMesh(d, co, true)
		h, _ := m.history(m.some(d, func(int) bool { return true }))
		r := h.Value()
		var want []string
		if r.Tree != nil {
			want = []string{string(r.Tree.Value())}
			if r.Tree.doc != nil {
				want = leaves(nil, r.Tree.doc.get(valueKey), context{p: documentOf(r.Tree.schema)}.child(mapping, valueKey))
			}
		}
		var got []string
		for _, b := range h.Blame() {
			if r.Tree.doc != nil && slices.Equal(b.Path, []string{"(style)"}) {
				continue // there may be more to it than the value shows
			}
			got = append(got, string(b.Value))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("blame names %q\nwant %q\n%v", got, want, m)
		}
	})
}

func leaves(out []string, n *node, c context) []string {
	if n.kind == leaf || len(n.kids) == 0 {
		return append(out, string(n.bytes(c)))
	}
	for _, k := range n.kids {
		out = leaves(out, k.n, c.child(n.kind, k.key))
	}
	return out
}
