package crdt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// slowApply is the definition of [Apply]: the value that the edits make,
// encoded and parsed.
func slowApply(old *Tree, p *Patch) (*Tree, error) {
	old = Parse(old.Value(), old.schema)
	if old.Opaque() {
		return nil, ErrApply
	}
	value, ok := encode(applyEdits(old.doc, old.schema, p.edits), old.schema)
	if !ok {
		return nil, ErrApply
	}
	t := Parse(value, old.schema)
	if t.Opaque() {
		return nil, ErrApply
	}
	return t, nil
}

// sameNode says how a node that Apply made differs from the one parsed.
func sameNode(got, want *node) error {
	if got.kind != want.kind || got.ascending != want.ascending || string(got.raw) != string(want.raw) || string(got.name) != string(want.name) || (got.name == nil) != (want.name == nil) {
		return fmt.Errorf("kind %d, %q, name %q, ascending %v; want %d, %q, %q, %v", got.kind, got.raw, got.name, got.ascending, want.kind, want.raw, want.name, want.ascending)
	}
	if got.extent() != want.extent() {
		return fmt.Errorf("extent %+v, want %+v", got.extent(), want.extent())
	}
	a, b := got.list(), want.list()
	if len(a) != len(b) {
		return fmt.Errorf("%d children, want %d", len(a), len(b))
	}
	for i := range a {
		if a[i].key != b[i].key {
			return fmt.Errorf("child %q, want %q", a[i].key, b[i].key)
		}
		if err := sameNode(a[i].n, b[i].n); err != nil {
			return fmt.Errorf("%q: %w", a[i].key, err)
		}
		if at := got.find(a[i].key); got.kind != sequence && at != i {
			return fmt.Errorf("%q is found at %d, want %d", a[i].key, at, i)
		}
	}
	return nil
}

// plainSum is the definition of a sum.
func plainSum(h uint32, n *node) uint32 {
	b := append([]byte{byte(n.kind)}, n.raw...)
	sum := func() {
		for _, c := range b {
			h = (h ^ uint32(c)) * sumPrime
		}
		b = b[:0]
	}
	for _, k := range n.list() {
		b = append(append(b, k.key...), 0xff)
		sum()
		h = plainSum(h, k.n)
	}
	b = append(b, 0xfe)
	sum()
	return h
}

// sameSums says where sums of n are not what they should be, from whatever they go on.
func sameSums(n *node) error {
	for _, h := range []uint32{sumStart, 0, 0xffffffff, sumStart} {
		c := checksum{h: h, times: 1}
		if c.item(n); c.h != plainSum(h, n) {
			return fmt.Errorf("sum %x, want %x", c.h, plainSum(h, n))
		}
	}
	kids := n.list()
	for from := range min(len(kids), 3) {
		for to := from + 1; to <= len(kids); to++ {
			want := uint32(sumStart)
			for _, k := range kids[from:to] {
				want = plainSum(want, k.n)
			}
			for range 2 {
				if got := n.chunks(context{}).sum(from, to); n.kids == nil && got != want || sumOf(kids[from:to]) != want {
					return fmt.Errorf("sum %x of the children %d to %d, want %x", got, from, to, want)
				}
			}
		}
	}
	for _, k := range kids {
		if err := sameSums(k.n); err != nil {
			return err
		}
	}
	return nil
}

// sameTree says how a tree that Apply made differs from the one parsed.
func sameTree(got, want *Tree) error {
	if got.Size() != len(want.Value()) {
		return fmt.Errorf("size %d, want %d", got.Size(), len(want.Value()))
	}
	if got.pinned() != want.pinned() {
		return fmt.Errorf("pins %q, want %q", got.pinned(), want.pinned())
	}
	a, b := *got.doc, *want.doc
	if a.m, b.m = nil, nil; len(a.kids) != len(b.kids) {
		return fmt.Errorf("%d members of the document, want %d", len(a.kids), len(b.kids))
	}
	return sameNode(&a, &b)
}

// checkApply holds Apply to its definition, and returns what both make of old:
// the tree that Apply made, and the one parsed.
func checkApply(fast, slow *Tree, p *Patch) (*Tree, *Tree, error) {
	got, err := Apply(fast, p)
	want, wantErr := slowApply(slow, p)
	if (err == nil) != (wantErr == nil) {
		return nil, nil, fmt.Errorf("%v of %q: %v, want %v", p, slow.Value(), err, wantErr)
	}
	if err != nil {
		return fast, slow, nil
	}
	if err := sameTree(got, want); err != nil {
		return nil, nil, fmt.Errorf("%v of %q\nis %q: %w", p, slow.Value(), want.Value(), err)
	}
	return got, want, nil
}

// odd are schemas that nobody would write but a liar: collections in
// collections, which protobuf cannot tell apart, and types without an end.
var odd = []corpus{
	{name: "odd protobuf", schema: mustSchema(Protobuf, "",
		Type{Kind: Record, Fields: []Field{{"1", 3}, {"10", 13}, {"11", 14}, {"13", 15}, {"2", 4}, {"3", 5}, {"4", 6}, {"5", 7}, {"6", 8}, {"7", 9}, {"8", 10}, {"9", 1}}},
		Type{Kind: Leaf, Rule: Pin},
		Type{Kind: Map, Elem: 11},
		Type{Kind: Sequence, Elem: 11},
		Type{Kind: Map, Elem: 3},
		Type{Kind: Sequence, Elem: 3},
		Type{Kind: Sequence, Elem: 12},
		Type{Kind: Map, Elem: 12},
		Type{Kind: Sequence, Elem: 6},
		Type{Kind: Map, Elem: 4},
		Type{Kind: Sequence, Elem: 1},
		Type{Kind: Set},
		Type{Kind: List, Keys: []string{"9", "2"}, Elem: 1},
		Type{Kind: JSONInBytes, Elem: 3},
		Type{Kind: Sequence, Elem: 14},
	)},
	{name: "odd JSON", schema: mustSchema(JSON, "",
		Type{Kind: Record, Fields: []Field{{"a", 3}, {"b", 4}, {"c", 5}, {"d", 6}, {"e", 7}, {"f", 1}, {"g", 2}}},
		Type{Kind: Leaf, Rule: Pin},
		Type{Kind: Map, Elem: 4},
		Type{Kind: Sequence, Elem: 3},
		Type{Kind: Map, Elem: 6},
		Type{Kind: Set},
		Type{Kind: List, Keys: []string{"g", "u"}, Elem: 1},
	), styles: []string{"|||", "  || |", "|| |\n", " |||", "| ||"}},
}

// anyEdits draws edits of n, the container with context c, that may mean something.
func (d drawer) anyEdits(n *node, in kind, c context, depth int) []edit {
	if in == sequence {
		return d.anyItems(n, c, depth)
	}
	names := []string{"a", "b", "c", "d", "e", "f", "g", "1", "2", "3", "9", "10", "11", "12", "a<b", `q"`, "\n", "é"}
	if n != nil {
		for _, k := range n.list() {
			names = append(names, k.key, k.key)
		}
	}
	if in == list || in == set {
		for range 3 {
			if k, ok := d.item(in, c, 2); ok {
				names = append(names, k.key)
			}
		}
	}
	byKey := make(map[string]edit)
	for range d.n(3) {
		e := edit{op: op(d.n(3)), key: pick(d, names)}
		kc := c.child(in, e.key)
		var old *node
		if n != nil {
			old = n.get(e.key)
		}
		switch e.op {
		case opPlace:
			e.front, e.after = d.chance(15), pick(d, names)
			fallthrough
		case opSet:
			e.value = d.anyValue(in, e.key, c, kc, depth)
		case opInside:
			k, ok := kc.p.collection()
			if old != nil {
				k = old.kind
			} else if !ok && d.chance(90) {
				continue
			}
			if k != leaf && depth < 8 {
				e.edits = d.anyEdits(old, k, kc, depth+1)
			}
		}
		if e.front {
			e.after = ""
		}
		byKey[e.key] = e
	}
	var edits []edit
	for _, e := range byKey {
		edits = append(edits, e)
	}
	slices.SortFunc(edits, func(a, b edit) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	if d.chance(10) {
		e := edit{op: opReorder}
		for range d.n(4) {
			e.keys = append(e.keys, pick(d, names))
		}
		edits = append(edits, e)
	}
	return edits
}

// anyValue draws a value for the child of that name, in one of its spellings.
func (d drawer) anyValue(in kind, key string, c, kc context, depth int) []byte {
	switch {
	case in == set:
		return nil
	case in == list:
		for range 8 {
			if k, ok := d.item(in, c, depth); ok && k.key == key {
				return k.n.bytes(kc)
			}
		}
	}
	b := d.value(kc, depth).bytes(kc)
	if kc.p.json && in == mapping {
		switch d.n(9) {
		case 0:
			b = append(append(appendEscaped([]byte{'"'}, key), '"', ':'), b...)
		case 1:
			b = append(fmt.Appendf(nil, `"\u%04x%s":`, key[0], appendEscaped(nil, key[1:])), b...)
		case 2:
			b = []byte(`{"a":1,"a":[]}`)
		}
	}
	return b
}

// anyItems draws edits of a sequence.
func (d drawer) anyItems(n *node, c context, depth int) []edit {
	var edits []edit
	var kids []kid
	if n != nil {
		kids = n.list()
	}
	kc := c.child(sequence, "")
	item := func() []byte { return d.value(kc, depth+1).bytes(kc) }
	for i := 0; i <= len(kids); i++ {
		if d.chance(20) {
			e := edit{op: opInsert, index: i}
			for range 1 + d.n(2) {
				e.values = append(e.values, item())
			}
			edits = append(edits, e)
		}
		if i == len(kids) {
			break
		}
		sum := kids[i].n.sum()
		switch d.n(7) {
		case 0:
			count := 1 + d.n(len(kids)-i-1)
			edits = append(edits, edit{op: opCut, index: i, count: count, sum: sumOf(kids[i : i+count])})
			i += count - 1
		case 1:
			edits = append(edits, edit{op: opItem, index: i, sum: sum, value: item()})
		case 2:
			if k := kids[i].n.kind; k != leaf && depth < 8 {
				edits = append(edits, edit{op: opIn, index: i, sum: sum, edits: d.anyEdits(kids[i].n, k, kc, depth+1)})
			}
		}
	}
	return edits
}

// anyPatch draws a patch of a value: honest, a lie, or edits that may mean something.
func (d drawer) anyPatch(co corpus, t *Tree) *Patch {
	switch d.n(3) {
	case 0:
		if p, ok := Diff(t, Parse(d.changed(t, co), co.schema)); ok {
			return p
		}
	case 1:
		return (&mesh{co: co}).lie(d, t)
	}
	c := context{p: documentOf(co.schema)}
	root := t.doc.get(valueKey)
	kc := c.child(mapping, valueKey)
	edits := []edit{{op: opInside, key: valueKey, edits: d.anyEdits(root, root.kind, kc, 0)}}
	if root.kind == leaf || d.chance(3) {
		edits = []edit{{op: opSet, key: valueKey, value: d.anyValue(mapping, valueKey, c, kc, 0)}}
	}
	if d.chance(10) && len(co.styles) > 0 {
		edits = slices.Insert(edits, 0, edit{op: opSet, key: styleKey, value: []byte(pick(d, append(co.styles, "\t|| |", " |||\n", "| ||", "|| |", "x", "| | |\n")))})
	}
	p, err := DecodePatch(newPatch(edits).encoding)
	if err != nil {
		d.t.Fatalf("a drawn patch %v: %v", edits, err)
	}
	return p
}

// TestApply: what patches make, one after the other without encoding in
// between, is what their definition makes, in every respect.
func TestApply(t *testing.T) {
	defer func(n, m int) { chunkMax, sumMin = n, m }(chunkMax, sumMin)
	for _, co := range append(slices.Clone(corpora), odd...) {
		t.Run(co.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				d := newDrawer(t)
				chunkMax, sumMin = pick(d, []int{1, 2, 3, 128}), pick(d, []int{1, 20, 256})
				fast := Parse(d.document(co), co.schema)
				slow := fast
				for range 8 {
					p := d.anyPatch(co, slow)
					var err error
					if fast, slow, err = checkApply(fast, slow, p); err != nil {
						t.Fatal(err)
					}
				}
				if string(fast.Value()) != string(slow.Value()) {
					t.Fatalf("%q, want %q", fast.Value(), slow.Value())
				}
				if err := sameSums(fast.doc.get(valueKey)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// FuzzApply: Apply is its definition, of every value and two patches one after
// the other and again.
func FuzzApply(f *testing.F) {
	n, m := chunkMax, sumMin
	f.Cleanup(func() { chunkMax, sumMin = n, m })
	chunkMax, sumMin = 2, 8 // inputs are short
	var schemas []*Schema
	for _, co := range append(slices.Clone(corpora), odd...) {
		schemas = append(schemas, co.schema)
	}
	for _, v := range goldenVectors(f) {
		s := schemaOf(f, v)
		which := slices.IndexFunc(schemas, func(t *Schema) bool { return t.ID() == s.ID() })
		if which < 0 {
			which = len(schemas)
			schemas = append(schemas, s)
		}
		for i := range v.Patches {
			f.Add(byte(which), []byte(v.Base), unhex(f, v.Patches[i]), unhex(f, v.Patches[len(v.Patches)-1-i]))
		}
	}
	d := drawer{r: rand.New(rand.NewPCG(1, 2))}
	for which, co := range append(slices.Clone(corpora), odd...) {
		for range 4 {
			old := Parse(d.document(co), co.schema)
			f.Add(byte(which), old.Value(), d.anyPatch(co, old).Encoding(), d.anyPatch(co, old).Encoding())
		}
	}
	f.Fuzz(func(t *testing.T, which byte, value, p, q []byte) {
		fast := Parse(value, schemas[int(which)%len(schemas)])
		slow := fast
		for _, b := range [][]byte{p, q, p, q} {
			patch, err := DecodePatch(b)
			if err != nil || fast.Opaque() {
				return
			}
			if fast, slow, err = checkApply(fast, slow, patch); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(fast.Value(), slow.Value()) {
			t.Fatalf("%q, want %q", fast.Value(), slow.Value())
		}
	})
}

// TestApplyConcurrent: goroutines that share a tree make the same of it.
func TestApplyConcurrent(t *testing.T) {
	defer func(n, m int) { chunkMax, sumMin = n, m }(chunkMax, sumMin)
	chunkMax, sumMin = 2, 1
	value := `{"z":[[1,2,3,[4,5,6]],[7,8],9],"b":1,"a":{"p":1,"o":2,"n":3}}`
	z := func() *node { return Parse([]byte(value), nil).doc.get(valueKey).get("z") }
	first := inValue(t, nil, edit{op: opPlace, key: "c", value: []byte("1"), front: true}, edit{op: opReorder, keys: []string{"b"}})
	patches := []*Patch{
		inValue(t, []string{"z"}, edit{op: opIn, sum: z().kids[0].n.sum(), edits: []edit{{op: opInsert, index: 1, values: [][]byte{[]byte("0")}}}}),
		inValue(t, []string{"z"}, edit{op: opCut, count: 2, sum: sumOf(z().kids[:2])}),
		inValue(t, nil, edit{op: opSet, key: "y", value: []byte("1")}, edit{op: opReorder, keys: []string{"z", "y"}}),
		inValue(t, []string{"a"}, edit{op: opSet, key: "m", value: []byte("1")}),
		inValue(t, nil, edit{op: opDelete, key: "a"}),
	}
	for range 50 {
		shared, err := Apply(Parse([]byte(value), nil), first)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := range 2 * len(patches) {
			group.Go(func() {
				p := patches[i%len(patches)]
				got, err := Apply(shared, p)
				want, wantErr := slowApply(shared, p)
				if err != nil || wantErr != nil || string(got.Value()) != string(want.Value()) || got.pinned() != want.pinned() {
					t.Errorf("%v: %v, %v", p, err, wantErr)
				}
			})
		}
		group.Wait()
	}
}
