package crdt

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

// A corpus draws values of one schema and changes of them.
type corpus struct {
	name   string
	schema *Schema
	styles []string // of JSON
}

func mustSchema(format Format, prefix string, types ...Type) *Schema {
	s, err := NewSchema(format, []byte(prefix), types)
	if err != nil {
		panic(err)
	}
	return s
}

// corpora are the schemas of the property tests: none, one with every kind and
// rule in JSON, and one in protobuf in an envelope like Kubernetes'.
var corpora = []corpus{
	{name: "json", styles: []string{"|||", "|||\n", "  || |", "\t|||\n", "| | |"}},
	{name: "schema", schema: mustSchema(JSON, "",
		Type{Kind: Record, Fields: []Field{
			{"a", 2}, {"c", 3}, {"l", 7}, {"ll", 13}, {"m", 8}, {"mm", 9}, {"o", 10}, {"p", 6}, {"q", 11}, {"s", 12}, {"w", 4}, {"x", 5},
		}},
		Type{Kind: Leaf},
		Type{Kind: Leaf, Rule: Counter},
		Type{Kind: Leaf, Rule: WriteOnce},
		Type{Kind: Leaf, Rule: Max},
		Type{Kind: Leaf, Rule: Pin},
		Type{Kind: List, Keys: []string{"n", "k"}, Elem: 10},
		Type{Kind: Map, Elem: 2},
		Type{Kind: Map, Elem: 8},
		Type{Kind: Record, Fields: []Field{{"k", 2}, {"m", 8}, {"n", 2}, {"x", 2}, {"y", 10}}},
		Type{Kind: Sequence, Elem: 10},
		Type{Kind: Set},
		Type{Kind: List, Keys: []string{"n", "k"}, Elem: 2},
	), styles: []string{"|||", "|||\n"}},
	{name: "protobuf", schema: mustSchema(Protobuf, "k8s\x00",
		Type{Kind: Record, Fields: []Field{{"1", 6}, {"2", 13}, {"3", 2}}},
		Type{Kind: Leaf},
		Type{Kind: Leaf, Rule: Counter},
		Type{Kind: Leaf, Rule: WriteOnce},
		Type{Kind: Leaf, Rule: Max},
		Type{Kind: Leaf, Rule: Pin},
		Type{Kind: List, Keys: []string{"1"}, Elem: 10},
		Type{Kind: Map, Elem: 2},
		Type{Kind: Map, Elem: 10},
		Type{Kind: Record, Fields: []Field{{"1", 2}, {"2", 8}, {"3", 10}, {"4", 2}}},
		Type{Kind: Sequence, Elem: 10},
		Type{Kind: Set},
		Type{Kind: Record, Fields: []Field{
			{"1", 2}, {"10", 14}, {"11", 5}, {"13", 16}, {"2", 3}, {"3", 7}, {"4", 8}, {"5", 9}, {"6", 10}, {"7", 11}, {"8", 12}, {"9", 4},
		}},
		Type{Kind: JSONInBytes, Elem: 15},
		Type{Kind: Map, Elem: 15},
		Type{Kind: List, Keys: []string{"1"}, Elem: 2},
	)},
}

// A drawer draws parts of values. It draws evenly, which rapid's own integers
// are not: from a seed that rapid draws, prints and replays.
type drawer struct {
	t *rapid.T
	r *rand.Rand
}

func newDrawer(t *rapid.T) drawer {
	return drawer{t, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
}

// likely is the chance in percent that a member is there.
const likely = 65

func (d drawer) n(most int) int          { return d.r.IntN(most + 1) }
func (d drawer) chance(percent int) bool { return d.n(99) < percent }

func pick[T any](d drawer, from []T) T { return from[d.n(len(from)-1)] }

// value draws a node for a place; nil where none fits.
func (d drawer) value(c context, depth int) *node {
	t := c.p.inner().typ()
	json := c.p.inner().json
	if c.p.role == plain {
		return d.leaf(c, false)
	}
	if t == nil {
		if !json || depth > 3 {
			return d.leaf(c, false)
		}
		switch d.n(3) {
		case 0:
			return d.members(c, []string{"a", "b", "c", "d", "e"}, depth)
		case 1:
			return d.items(sequence, c, depth)
		}
		return d.leaf(c, false)
	}
	if d.chance(4) {
		if json {
			return d.leaf(c, false) // of another shape than the schema says
		}
	}
	if depth > 5 && t.Kind != Leaf { // a type may hold itself
		kinds := [...]kind{Record: mapping, Map: mapping, List: list, Set: set, Sequence: sequence, JSONInBytes: leaf}
		if n := newContainer(kinds[t.Kind], []kid{}); n.kind != leaf {
			return n
		}
		return d.leaf(c, false)
	}
	switch t.Kind {
	case Leaf:
		return d.leaf(c, t.Rule == Counter || t.Rule == Max)
	case Record:
		names := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			names[i] = f.Name
		}
		if json {
			names = append(names, "u")
		} else {
			names = append(names, "12")
		}
		return d.members(c, names, depth)
	case Map:
		if t.Elem == c.p.inner().ref && depth > 3 {
			return newContainer(mapping, []kid{})
		}
		return d.members(c, []string{"f", "g", "h", "i", "a<b"}, depth)
	case JSONInBytes:
		if n := d.value(context{p: c.p.inner()}, depth+1); n.kind != leaf {
			return n
		}
		return d.leaf(c, false)
	case List:
		return d.items(list, c, depth)
	case Set:
		return d.items(set, c, depth)
	}
	return d.items(sequence, c, depth)
}

// leaf draws a scalar.
func (d drawer) leaf(c context, number bool) *node {
	if !c.p.json {
		b := protowire.AppendTag(nil, c.num, protowire.VarintType)
		if number || d.chance(50) {
			return &node{raw: protowire.AppendVarint(b, uint64(d.n(5)))}
		}
		b = protowire.AppendTag(nil, c.num, protowire.BytesType)
		return &node{raw: protowire.AppendString(b, pick(d, []string{"", "v", "w"}))}
	}
	if number {
		return &node{raw: fmt.Append(nil, d.n(9))}
	}
	return &node{raw: []byte(pick(d, []string{"1", "2", "3", "4.50", `"s"`, `"\u003c"`, "true", "null"}))}
}

// members draws a container with named children.
func (d drawer) members(c context, names []string, depth int) *node {
	kids := []kid{}
	for _, name := range names {
		if d.chance(likely) {
			kids = append(kids, d.member(c, name, depth))
		}
	}
	return d.ordered(c, mapping, kids)
}

func (d drawer) member(c context, name string, depth int) kid {
	n := *d.single(d.value(c.child(mapping, name), depth+1), c)
	if name == "a<b" && c.child(mapping, name).p.json && d.chance(50) {
		n.name = []byte(`a\u003cb`)
	}
	return kid{name, &n}
}

// single keeps one child of n, a collection in a collection: what protobuf can tell apart.
func (d drawer) single(n *node, c context) *node {
	if c.p.inner().json || c.p.isRecord() || c.p.child("").isRecord() || len(n.kids) < 2 || d.chance(10) {
		return n
	}
	return newContainer(n.kind, n.kids[:1])
}

// ordered makes a container of kids in an order that the place allows.
func (d drawer) ordered(c context, k kind, kids []kid) *node {
	switch {
	case k != mapping || c.p.inner().json:
		if k == mapping && d.chance(60) {
			slices.SortFunc(kids, func(a, b kid) int { return strings.Compare(a.key, b.key) })
		} else if len(kids) > 1 && d.chance(30) {
			d.r.Shuffle(len(kids), func(i, j int) { kids[i], kids[j] = kids[j], kids[i] })
		}
	case c.p.isRecord():
		slices.SortFunc(kids, func(a, b kid) int { return compareFields(a.key, b.key) })
	default:
		slices.SortFunc(kids, func(a, b kid) int { return strings.Compare(a.key, b.key) })
	}
	return newContainer(k, kids)
}

// items draws a list, a set or a sequence.
func (d drawer) items(k kind, c context, depth int) *node {
	kids := []kid{}
	for range d.n(4) {
		if item, ok := d.item(k, c, depth); ok && !slices.ContainsFunc(kids, func(o kid) bool { return k != sequence && o.key == item.key }) {
			kids = append(kids, item)
		}
	}
	return newContainer(k, kids)
}

func (d drawer) item(k kind, c context, depth int) (kid, bool) {
	kc := c.child(k, "")
	n := d.single(d.value(kc, depth+1), c)
	switch k {
	case list:
		if t := kc.p.typ(); t != nil && t.Kind == Leaf { // a record as one leaf
			rc := kc
			rc.p.ref = 10
			n = &node{raw: d.value(rc, 4).bytes(rc)}
		}
		key, ok := itemKey(n, c.p)
		return kid{key, n}, ok
	case set:
		return kid{string(n.raw), n}, true
	}
	return kid{"", n}, true
}

// change draws a changed copy of n.
func (d drawer) change(n *node, c context, depth int) *node {
	if c.p.rule() == Pin && d.chance(90) {
		return n
	}
	if n.kind == leaf || depth > 0 && d.chance(6) {
		m := *d.value(c, depth)
		m.name = n.name
		return &m
	}
	kids := slices.Clone(n.kids)
	for range 1 + d.n(2) {
		switch what := d.n(9); {
		case what < 5 && len(kids) > 0: // inside a child
			i := d.n(len(kids) - 1)
			kc := c.child(n.kind, kids[i].key)
			if n.kind == list && kids[i].n.kind == leaf {
				if item, ok := d.item(list, c, depth); ok {
					kids[i] = item
				}
				continue
			}
			kids[i] = kid{kids[i].key, d.change(kids[i].n, kc, depth+1)}
		case what < 7: // a new one
			var k kid
			ok := true
			if n.kind == mapping {
				all := d.value(c, depth)
				if all == nil || all.kind != mapping || len(all.kids) == 0 {
					continue
				}
				if k = pick(d, all.kids); c.child(n.kind, k.key).p.rule() == Pin {
					continue
				}
			} else if k, ok = d.item(n.kind, c, depth); !ok {
				continue
			}
			kids = slices.Insert(kids, d.n(len(kids)), k)
		case what < 8 && len(kids) > 0:
			i := d.n(len(kids) - 1)
			if c.child(n.kind, kids[i].key).p.rule() == Pin {
				continue
			}
			kids = slices.Delete(kids, i, i+1)
		case len(kids) > 1 && n.kind != sequence:
			d.r.Shuffle(len(kids), func(i, j int) { kids[i], kids[j] = kids[j], kids[i] })
		}
	}
	// Names may have changed with what is inside, or be there twice.
	seen := make(map[string]bool)
	kept := []kid{}
	for _, k := range kids {
		switch n.kind {
		case list:
			var ok bool
			if k.key, ok = itemKey(k.n, c.p); !ok {
				continue
			}
		case set:
			k.key = string(k.n.raw)
		}
		if n.kind == sequence || !seen[k.key] {
			seen[k.key] = true
			kept = append(kept, k)
		}
	}
	out := newContainer(n.kind, kept)
	if n.kind == mapping && !c.p.inner().json {
		out = d.ordered(c, n.kind, kept)
	}
	out.name = n.name
	return out
}

// document draws the bytes of a value.
func (d drawer) document(co corpus) []byte {
	c := context{p: documentOf(co.schema)}.child(mapping, valueKey)
	var n *node
	for n == nil || n.kind == leaf || len(n.kids) < 2 {
		n = d.value(c, 0)
	}
	return d.encode(n, co, "")
}

func (d drawer) encode(root *node, co corpus, style string) []byte {
	kids := []kid{{valueKey, root}}
	if len(co.styles) > 0 {
		if style == "" {
			style = co.styles[0]
			if d.chance(20) {
				style = pick(d, co.styles)
			}
		}
		kids = slices.Insert(kids, 0, kid{styleKey, &node{raw: []byte(style)}})
	}
	b, ok := encode(newContainer(mapping, kids), co.schema)
	if !ok {
		d.t.Fatalf("the drawn value is too long")
	}
	return b
}

// changed draws the bytes of a changed value.
func (d drawer) changed(t *Tree, co corpus) []byte {
	if t.Opaque() || d.chance(1) {
		return d.document(co)
	}
	style := ""
	if s := t.doc.get(styleKey); s != nil && d.chance(95) {
		style = string(s.raw)
	}
	c := context{p: documentOf(co.schema)}.child(mapping, valueKey)
	n := d.change(t.doc.get(valueKey), c, 0)
	for n.kind == leaf {
		n = d.value(c, 0)
	}
	return d.encode(n, co, style)
}
