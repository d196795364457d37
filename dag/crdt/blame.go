package crdt

import (
	"fmt"
	"slices"
)

// Blame names the write that set each leaf of the key's value, in the order of
// the value; nil if the key is absent. An opaque value is one leaf; the layout
// of a JSON text is the greatest head's and not named. Writes before the
// history's first are not told apart from it.
func (h *History) Blame() []Blame {
	v := h.l.all()
	r := h.Value()
	if r.Tree == nil {
		return nil
	}
	if _, gen := h.value(v, r.Incarnation); gen != nil && gen.state != nil {
		return gen.state.blame(v)
	}
	// The greatest living head put the value.
	i := slices.IndexFunc(h.l.lines, func(l line) bool { return l.pos == r.Writer })
	if st := h.writes[i].gen.state; st != nil {
		return st.blame(h.l.upTo(i))
	}
	return []Blame{{Writer: r.Writer, Value: r.Tree.Value()}}
}

func (st *state) blame(v view) []Blame {
	st.query++
	b := blamer{st: st, v: v}
	b.slot(st.root, st.context(), nil)
	return b.out
}

// A blamer collects who set the leaves of a state.
type blamer struct {
	st  *state
	v   view
	out []Blame
}

func (b *blamer) slot(sl *slot, c context, path []string) {
	s := b.st.show(sl, c, b.v)
	if s.kind == leaf {
		if s.leaf != nil {
			b.leaf(path, b.writer(&s), s.leaf, c)
		}
		return
	}
	if len(s.live) == 1 && len(s.last) == 1 && len(sl.kids) == 0 && len(sl.order) == 0 {
		b.node(s.live[0].n, c, path, s.live[0].write)
		return
	}
	kids := b.st.children(sl, &s, c, b.v)
	for i, k := range kids {
		if c.p.role == document && k.key == styleKey {
			continue
		}
		below := append(slices.Clip(path), b.step(s.kind, k.key, i, c)...)
		name := kidName{s.kind, k.key}
		kc := b.st.childContext(c, name, s.last, s.live)
		if ks := sl.kids[name]; ks != nil {
			b.slot(ks, kc, below)
		} else {
			b.node(k.n, kc, below, s.live[0].write)
		}
	}
	if len(kids) == 0 && len(s.live) > 0 {
		b.leaf(path, s.live[len(s.live)-1].write, newContainer(s.kind, nil), c)
	}
}

// writer returns the write of the leaf shown; where a rule made it, the greatest.
func (b *blamer) writer(s *shown) int {
	for _, e := range s.live {
		if e.n == s.leaf {
			return e.write
		}
	}
	return s.live[len(s.live)-1].write
}

// step returns the path's step to the i-th child; none to a document's value.
func (b *blamer) step(k kind, key string, i int, c context) []string {
	switch {
	case c.p.role == document:
		return nil
	case k == sequence:
		return []string{fmt.Sprintf("[%d]", i)}
	}
	return []string{pathStep(k, key, c)}
}

// node blames one write for all of a tree.
func (b *blamer) node(n *node, c context, path []string, write int) {
	if n.kind == leaf || len(n.list()) == 0 {
		b.leaf(path, write, n, c)
		return
	}
	for i, k := range n.list() {
		if c.p.role == document && k.key == styleKey {
			continue
		}
		b.node(k.n, c.child(n.kind, k.key), append(slices.Clip(path), b.step(n.kind, k.key, i, c)...), write)
	}
}

func (b *blamer) leaf(path []string, write int, n *node, c context) {
	b.out = append(b.out, Blame{path, b.st.l.lines[write].pos, n.bytes(c)})
}
