package crdt

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A ConflictKind says why a conflict is listed.
type ConflictKind uint8

// Kinds of conflicts.
const (
	Concurrent  ConflictKind = iota + 1 // several assigned one place; Rule chose or combined
	Orphaned                            // assigned inside what another deleted or replaced
	Unread                              // edits that meant nothing to what the author could see; Value is empty
	FellBack                            // a whole value that was not merged: other terms, or too large
	HiddenLife                          // the value of a life that a greater one hides
	EndedLife                           // a value put concurrently with the final delete of its life
	DeleteUnmet                         // a delete concurrent with a put that keeps the life alive
	Reordered                           // several put children into another order; Value names them, for people
)

// String returns the kind's name.
func (k ConflictKind) String() string {
	names := [...]string{"", "concurrent", "orphaned", "unread", "fell-back", "hidden-life", "ended-life", "delete-unmet", "reordered"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("conflict-%d", uint8(k))
}

// A Version is what a write assigned.
type Version struct {
	Writer Position
	Value  []byte // JSON text or protobuf records, or a whole value; nil: deleted, or nothing
}

// A Conflict is one place where not everything written concurrently is in the
// value, or several writes were combined.
type Conflict struct {
	Kind  ConflictKind
	Path  []string // empty for the whole value; see [Blame]
	Rule  Rule     // of Concurrent, at a leaf
	Shown Version  // what the value has there
	Lost  []Version
}

// A Blame names the write that set a leaf, or an empty container.
type Blame struct {
	// Path leads to the leaf: names of members, numbers of protobuf fields, keys
	// of maps, members of sets; of items their key fields in brackets, [index]
	// in a sequence.
	Path   []string
	Writer Position
	Value  []byte // as in [Version]
}

// Conflicts lists the conflicts of the key, by path.
func (h *History) Conflicts() []Conflict {
	v := h.l.all()
	heads := h.l.heads(v)
	slices.SortFunc(heads, h.l.compare)
	r := h.Value()
	shown := Version{Writer: r.Writer}
	if r.Tree != nil {
		shown.Value = r.Tree.Value()
	}
	var out []Conflict
	whole := func(k ConflictKind, s Version, lost Version) {
		out = append(out, Conflict{Kind: k, Shown: s, Lost: []Version{lost}})
	}
	var gen *generation
	if r.Tree != nil {
		_, gen = h.value(v, r.Incarnation)
	}
	for _, i := range heads {
		pos := h.l.lines[i].pos
		switch k := h.lost(i, v, &r, gen); k {
		case DeleteUnmet:
			whole(k, shown, Version{Writer: pos})
		case EndedLife:
			for _, f := range h.finals[h.writes[i].incarnation] {
				if !h.l.before(f, i) {
					whole(k, Version{Writer: h.l.lines[f].pos}, Version{pos, h.put(i).Value()})
					break
				}
			}
		case HiddenLife, FellBack:
			whole(k, shown, Version{pos, h.put(i).Value()})
		}
	}
	if gen == nil || gen.state == nil {
		return out
	}
	for i := range h.writes {
		if w := &h.writes[i]; w.gen == gen && w.ignored > 0 {
			whole(Unread, shown, Version{Writer: h.l.lines[i].pos})
		}
	}
	gen.state.query++
	rep := reporter{st: gen.state, v: v}
	rep.slot(gen.state.root, gen.state.context(), nil, nil, false)
	slices.SortFunc(rep.found, func(a, b Conflict) int {
		return cmp.Or(slices.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind), a.Lost[0].Writer.Compare(b.Lost[0].Writer))
	})
	return append(out, rep.found...)
}

// A reporter finds the conflicts of a state.
type reporter struct {
	st    *state
	v     view
	found []Conflict
}

// slot reports on a slot and what is below. Writes of ends replaced or deleted
// what is around it; hidden says that it is not shown.
func (r *reporter) slot(sl *slot, c context, path []string, ends []int, hidden bool) {
	last, live := r.st.resolve(sl, c, r.v)
	s := r.st.show(sl, c, r.v)
	r.concurrent(&s, live, c, path, ends, hidden)
	r.orphans(last, c, path, ends)
	if !hidden {
		r.orders(sl, s.kind, c, path)
	}
	for _, e := range last {
		ends = append(slices.Clip(ends), e.write)
	}
	if len(sl.kids) == 0 {
		return
	}
	index := map[string]int{}
	if s.kind == sequence {
		for i, k := range r.st.children(sl, &s, c, r.v) {
			index[k.key] = i
		}
	}
	for name, k := range sl.kids {
		step := pathStep(name.kind, name.key, c)
		if name.kind == sequence {
			step = "[-]"
			if i, ok := index[name.key]; ok && s.kind == sequence {
				step = fmt.Sprintf("[%d]", i)
			}
		}
		below := append(slices.Clip(path), step)
		if c.p.role == document {
			if below = nil; name.key == styleKey {
				continue // the layout is the greatest head's
			}
		}
		kc := r.st.childContext(c, name, s.last, s.live)
		r.slot(k, kc, below, ends, hidden || name.kind != s.kind)
	}
}

// concurrent reports several live assignments of a place, or live ones that
// something around them hides and that it did not know.
func (r *reporter) concurrent(s *shown, live []*event, c context, path []string, ends []int, hidden bool) {
	x := Conflict{Kind: Concurrent, Path: path, Rule: c.p.rule()}
	if hidden {
		x.Kind = Orphaned
		for _, e := range live {
			if !r.known(e, ends) {
				x.Lost = append(x.Lost, r.version(e, c))
			}
		}
	} else if len(live) > 1 {
		g := s.live[len(s.live)-1]
		for _, e := range live {
			if s.leaf != nil && e.n == s.leaf {
				g = e
			}
		}
		x.Shown = r.version(g, c)
		if s.leaf != nil {
			x.Shown.Value = s.leaf.bytes(c)
		}
		for _, e := range live {
			if e != g && (e.n.kind == leaf || s.kind == leaf || e.n.kind != s.kind) && !e.n.equal(g.n) {
				x.Lost = append(x.Lost, r.version(e, c))
			}
		}
	}
	if len(x.Lost) > 0 {
		r.found = append(r.found, x)
	}
}

// orphans reports what was written into a record that others ended without
// having seen it.
func (r *reporter) orphans(last []*event, c context, path []string, ends []int) {
	x := Conflict{Kind: Orphaned, Path: path}
	for i, e := range last {
		replaced := slices.ContainsFunc(last, func(o *event) bool { return r.st.l.before(e.write, o.write) })
		own := slices.ContainsFunc(e.through, func(t *event) bool { return t.write == e.write })
		if e.n != nil && !replaced && !own && !r.st.survives(last[i], c) && !r.known(e, ends) {
			x.Lost = append(x.Lost, r.version(e, c))
		}
	}
	if len(x.Lost) > 0 {
		r.found = append(r.found, x)
	}
}

// orders reports several concurrent reorders.
func (r *reporter) orders(sl *slot, k kind, c context, path []string) {
	var last []orderEvent // of those that no other saw
	for _, o := range sl.order {
		if o.how == reorder && o.kind == k && !slices.ContainsFunc(sl.order, func(p orderEvent) bool {
			return p.how == reorder && p.kind == k && r.st.l.before(o.write, p.write)
		}) {
			last = append(last, o)
		}
	}
	if len(last) < 2 {
		return
	}
	slices.SortFunc(last, func(a, b orderEvent) int { return -r.st.l.compare(a.write, b.write) })
	x := Conflict{Kind: Reordered, Path: path}
	for i, o := range last {
		var keys []string
		for _, key := range o.keys {
			keys = append(keys, pathStep(k, key, c))
		}
		v := Version{r.st.l.lines[o.write].pos, []byte(strings.Join(keys, ", "))}
		if i == 0 {
			x.Shown = v
		} else {
			x.Lost = append(x.Lost, v)
		}
	}
	r.found = append(r.found, x)
}

// known reports whether one of ends saw e.
func (r *reporter) known(e *event, ends []int) bool {
	return slices.ContainsFunc(ends, func(w int) bool { return w == e.write || r.st.l.before(e.write, w) })
}

func (r *reporter) version(e *event, c context) Version {
	return Version{r.st.l.lines[e.write].pos, e.n.bytes(c)}
}

// pathStep shows the name of a child of a container with context c.
func pathStep(k kind, key string, c context) string {
	if k == list {
		var fields []string
		for range c.p.keys() {
			var field string
			field, key = cutField(key)
			fields = append(fields, readable(field, c.p.inner().json))
		}
		return "[" + strings.Join(fields, " ") + "]"
	}
	if k == set {
		return "[" + readable(key, c.p.inner().json) + "]"
	}
	return key
}

// cutField takes the first field off an item's key, which may be a liar's.
func cutField(key string) (field, rest string) {
	n, k := binary.Uvarint([]byte(key[:min(len(key), binary.MaxVarintLen64)]))
	switch {
	case k <= 0 || n > uint64(len(key)-k)+1:
		return key, ""
	case n == 0:
		return "-", key[k:]
	}
	return key[k : k+int(n)-1], key[k+int(n)-1:]
}

// readable shows JSON text or a protobuf record.
func readable(raw string, json bool) string {
	if json {
		return raw
	}
	r, ok := nextRecord([]byte(raw))
	switch {
	case !ok:
		return raw
	case r.payload != nil && utf8.Valid(r.payload):
		return string(r.payload)
	}
	if n, ok := (&node{raw: []byte(raw)}).integer(); ok {
		return fmt.Sprint(n)
	}
	return hex.EncodeToString([]byte(raw))
}
