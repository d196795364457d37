package main

import (
	"bytes"
	"flag"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/identity"
)

var (
	objects = flag.Int("objects", 20, "objects drawn for each kind and encoding")
	seed    = flag.Int64("seed", 1, "seed of what is drawn")
	only    = flag.String("kind", "", "only this kind")
)

// An encoding is one that the API server stores in.
type encoding struct {
	name string
	runtime.Serializer
	extend func(value []byte, t reflect.Type) []byte // adds fields of a later version at every level
}

func encodings(s *runtime.Scheme) []encoding {
	return []encoding{
		{"protobuf", protobuf.NewSerializer(s, s), func(value []byte, t reflect.Type) []byte {
			var u runtime.Unknown
			if err := u.Unmarshal(value[4:]); err != nil {
				panic(err)
			}
			u.Raw = unknownFields(u.Raw, t)
			b, err := u.Marshal()
			if err != nil {
				panic(err)
			}
			return append(bytes.Clone(value[:4]), b...)
		}},
		{"json", kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, s, s, kjson.SerializerOptions{}), unknownMembers},
	}
}

// value returns the bytes that the API server would store.
func (e encoding) value(t *testing.T, obj runtime.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Encode(obj, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestObjects: of every kind, in both encodings, with and without fields of a
// later version at every level: the value is one for which the well-formed
// policy lets it pass, it is not opaque, a patch makes another value of it
// byte for byte, and a merge of two edits can be decoded and has lost nothing.
func TestObjects(t *testing.T) {
	s, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	types, err := applyTypes(s, storedKinds(s))
	if err != nil {
		t.Fatal(err)
	}
	var sum counts
	for i, k := range storedKinds(s) {
		if *only != "" && k.Kind != *only {
			continue
		}
		for _, e := range encodings(s) {
			t.Run(strings.ReplaceAll(k.GroupVersion().String(), "/", ".")+"."+k.Kind+"."+e.name, func(t *testing.T) {
				d := newDrawer(*seed + int64(i)<<32)
				for n := range *objects {
					c := objectTest{T: t, kind: k, encoding: e, drawer: d, counts: &sum}
					_, c.merged = types[k.typ]
					c.run(n%2 == 1)
					if t.Failed() {
						t.Fatalf("object %d; replay with -seed %d -objects %d -kind %s", n, *seed, n+1, k.Kind)
					}
				}
			})
		}
	}
	t.Logf("%d objects: %d of kinds without schema, %d opaque, %d edits, %d of %d merges with a conflict",
		sum.objects, sum.unknown, sum.opaque, sum.edits, sum.conflicts, sum.merges)
	if sum.opaque > 0 {
		t.Errorf("%d objects are opaque", sum.opaque)
	}
}

// counts are of all objects.
type counts struct{ objects, unknown, opaque, edits, merges, conflicts int }

// An objectTest looks at one object and two edits of it.
type objectTest struct {
	*testing.T
	kind
	encoding
	*drawer
	*counts
	merged bool // the kind has a schema
}

// run draws an object and two edits, with fields of a later version or without.
func (c *objectTest) run(later bool) {
	base := c.object(c.kind)
	store := func(obj runtime.Object) []byte {
		v := c.value(c.T, obj)
		if later {
			v = c.extend(v, c.typ)
		}
		return v
	}
	value := store(base)
	c.objects++
	form := &identity.Form{Kind: c.Kind, Versions: []string{c.GroupVersion().String()}}
	key := []byte("/registry/things/" + objectNamespace + "/" + objectName)
	if err := dag.CheckForm(form, key, value); err != nil {
		c.Errorf("%q is not well formed: %v", value, err)
	}
	schema, ok := kube.SchemaFor(value)
	if ok != c.merged {
		c.Fatalf("SchemaFor = %v, want %v", ok, c.merged)
	}
	if !ok {
		c.unknown++
		return
	}
	a := crdt.Parse(value, schema)
	b, d := crdt.Parse(store(c.edited(base, c.kind)), schema), crdt.Parse(store(c.edited(base, c.kind)), schema)
	if a.Opaque() || b.Opaque() || d.Opaque() {
		c.opaque++
		c.Logf("opaque: %q", value)
		return
	}
	c.merge(a, write(1, c.patch(a, b)), write(2, c.patch(a, d)))
}

// patch returns the patch from one value to another.
func (c *objectTest) patch(from, to *crdt.Tree) *crdt.Patch {
	c.edits++
	p, ok := crdt.Diff(from, to)
	if !ok {
		c.Fatalf("no patch from %q to %q", from.Value(), to.Value())
	}
	made, err := crdt.Apply(from, p)
	if err != nil {
		c.Fatalf("Apply: %v", err)
	}
	if !bytes.Equal(made.Value(), to.Value()) {
		c.Fatalf("the patch makes %q, want %q", made.Value(), to.Value())
	}
	return p
}

// history returns a history of a value and concurrent edits of it.
func history(base *crdt.Tree, edits ...crdt.Write) *crdt.History {
	h := crdt.NewHistory()
	first := crdt.Position{Depth: 1}
	h.Add(crdt.Write{Position: first, Incarnation: first, Value: base.Value(), Schema: base.Schema()}, nil)
	for _, w := range edits {
		h.Add(w, func(i int) bool { return i == 0 })
	}
	return h
}

// write is an edit by a site.
func write(site byte, p *crdt.Patch) crdt.Write {
	return crdt.Write{
		Position: crdt.Position{Depth: 2, Op: [32]byte{site}}, Incarnation: crdt.Position{Depth: 1},
		Kind: crdt.Patched, Patch: p,
	}
}

// merge checks the merge of two edits.
func (c *objectTest) merge(base *crdt.Tree, one, other crdt.Write) {
	c.merges++
	h := history(base, one, other)
	merged := h.Value()
	if got := history(base, other, one).Value(); !bytes.Equal(got.Tree.Value(), merged.Tree.Value()) {
		c.Fatalf("%q in one order, %q in the other", merged.Tree.Value(), got.Tree.Value())
	}
	if !merged.Merged {
		c.Fatalf("%q is not a merge but one of the values", merged.Tree.Value())
	}
	if _, _, err := c.Decode(merged.Tree.Value(), nil, nil); err != nil {
		c.Fatalf("the merge %q does not decode: %v", merged.Tree.Value(), err)
	}
	if s, ok := kube.SchemaFor(merged.Tree.Value()); !ok || s != base.Schema() {
		c.Fatalf("the merge %q has another schema", merged.Tree.Value())
	}
	conflicts := h.Conflicts()
	if len(conflicts) > 0 {
		c.conflicts++
	}
	has := leaves(h)
	left, right, origin := leaves(history(base, one)), leaves(history(base, other)), leaves(history(base))
	for _, sides := range [][2]map[leafValue]bool{{left, right}, {right, left}} {
		for l := range sides[0] {
			deleted := origin[l] && (!sides[1][l] || strings.Contains(l.path, "[]")) // of two equal items, each may have deleted another
			if has[l] || deleted || listed(conflicts, l.path) {
				continue
			}
			// What is empty here may have been filled by the other; what was emptied was no assignment.
			if !filled(has, l.path) && !filled(origin, l.path) {
				c.Fatalf("%q = %s is lost from %q; conflicts %v", l.path, l.value, merged.Tree.Value(), conflicts)
			}
		}
	}
}

// A leafValue is a leaf at its path, indexes of sequences (- for an item that is gone) left out.
type leafValue struct{ path, value string }

var index = regexp.MustCompile(`^\[(\d+|-)\]$`)

// spelled makes one text of a path.
func spelled(path []string) string {
	path = slices.Clone(path)
	for i := range path {
		if index.MatchString(path[i]) {
			path[i] = "[]"
		}
	}
	return strings.Join(path, "\x00")
}

// leaves returns the leaves of a history's value.
func leaves(h *crdt.History) map[leafValue]bool {
	found := make(map[leafValue]bool)
	for _, b := range h.Blame() {
		found[leafValue{spelled(b.Path), fmt.Sprintf("%x", b.Value)}] = true
	}
	return found
}

// filled reports whether what was empty at a path is not any more.
func filled(leaves map[leafValue]bool, path string) bool {
	for l := range leaves {
		if strings.HasPrefix(l.path, path+"\x00") {
			return true
		}
	}
	return false
}

// listed reports whether one of the conflicts is at a path, above or below.
func listed(conflicts []crdt.Conflict, path string) bool {
	return slices.ContainsFunc(conflicts, func(c crdt.Conflict) bool {
		at := spelled(c.Path)
		return at == "" || at == path || strings.HasPrefix(path, at+"\x00") || strings.HasPrefix(at, path+"\x00")
	})
}
