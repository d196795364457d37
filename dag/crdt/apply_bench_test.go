package crdt

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// A benched is a kind of value with small patches of it, applied one after the other.
type benched struct {
	name   string
	schema *Schema
	value  func(n int) []byte // of n members
	most   int                // members of the largest, about 256 KB or 16,384 nodes
	edits  map[string]func(i, n int) edit
}

func text(format string, from, to int, between string) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		if i > from {
			b.WriteString(between)
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func object(indent bool) func(n int) []byte {
	return func(n int) []byte {
		if indent {
			return []byte("{\n  " + text(`"m%05d": 1`, 0, n, ",\n  ") + "\n}\n")
		}
		return []byte("{" + text(`"m%05d":1`, 0, n, ",") + "}")
	}
}

// memberEdits are edits of an object: its members set, new ones put in and taken out again, and all put in order.
var memberEdits = map[string]func(i, n int) edit{
	"put": func(i, n int) edit {
		return edit{op: opSet, key: fmt.Sprintf("m%05d", i*7919%n), value: fmt.Append(nil, i)}
	},
	"insert": func(i, n int) edit {
		return edit{op: op(1 - i%2), key: fmt.Sprintf("m%05dx", i/2*7919%n), value: []byte("1")}
	},
	"reorder": func(i, n int) edit { return edit{op: opReorder, keys: []string{fmt.Sprintf("m%05d", i*7919%n)}} },
}

func messages() (s *Schema, value func(n int) []byte, set func(i, n int) edit) {
	s = mustSchema(Protobuf, "", Type{Kind: Record, Fields: []Field{{"1", 2}}}, Type{Kind: Map, Elem: 3}, Type{Kind: Record})
	key := func(i int) string { return fmt.Sprintf("m%05d", i) }
	return s, func(n int) []byte {
			var b []byte
			for i := range n {
				b = appendDelimited(b, 1, func(b []byte) []byte {
					b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), key(i))
					return append(b, 0x12, 2, 8, 1)
				})
			}
			return b
		}, func(i, n int) edit {
			return edit{op: opSet, key: key(i * 7919 % n), value: []byte{0x12, 2, 8, byte(i & 127)}}
		}
}

func benches() []benched {
	keyed := mustSchema(JSON, "", Type{Kind: List, Keys: []string{"n"}, Elem: 2}, Type{Kind: Record})
	message, messageValue, messageSet := messages()
	item := func(i int) string { k := fmt.Append(nil, i); return string(append([]byte{byte(len(k) + 1)}, k...)) }
	insideItem := func(i, n int) edit {
		return edit{op: opInside, key: item(10000 + i*7919%n), edits: []edit{{op: opSet, key: "v", value: fmt.Append(nil, i)}}}
	}
	newItem := func(i, n int) edit {
		k := 20000 + i/2
		return edit{op: op(2 - i%2*2), key: item(k), value: fmt.Appendf(nil, `{"n":%d,"v":0}`, k), after: item(10000 + i*7919%n)}
	}
	one := (&node{raw: []byte("1")}).sum()
	return []benched{
		{"compact", nil, object(false), 16000, memberEdits},
		{"indented", nil, object(true), 14000, memberEdits},
		{"unordered", nil, func(n int) []byte { return []byte(`{"z":0,` + text(`"m%05d":1`, 1, n, ",") + "}") }, 16000, memberEdits},
		{"list", keyed, func(n int) []byte { return []byte("[" + text(`{"n":%d,"v":0}`, 10000, 10000+n, ",") + "]") }, 5400,
			map[string]func(i, n int) edit{"put": insideItem, "insert": newItem}},
		{"sequence", nil, func(n int) []byte { return []byte("[" + strings.Repeat("1,", n-1) + "1]") }, 16000, map[string]func(i, n int) edit{
			"insert": func(i, n int) edit {
				at := i / 2 * 7919 % n
				if i%2 == 0 {
					return edit{op: opInsert, index: at, values: [][]byte{[]byte("1")}}
				}
				return edit{op: opCut, index: at, count: 1, sum: one}
			},
		}},
		{"protobuf", message, messageValue, 8000, map[string]func(i, n int) edit{
			"put": func(i, n int) edit { return edit{op: opInside, key: "1", edits: []edit{messageSet(i, n)}} },
		}},
	}
}

// encodedApply is what Apply would cost if it encoded and parsed the value.
func encodedApply(old *Tree, p *Patch) (*Tree, error) {
	t := treeOf(applyEdits(old.doc, old.schema, p.edits), old.schema)
	if t == nil {
		return nil, ErrApply
	}
	return t, nil
}

// BenchmarkPatches applies chains of small patches to values of four sizes, by
// Apply and by encoding and parsing each.
func BenchmarkPatches(b *testing.B) {
	for _, k := range benches() {
		for _, size := range []int{128, 16, 4, 1} {
			n := k.most / size
			first := Parse(k.value(n), k.schema)
			if first.Opaque() {
				b.Fatalf("%s of %d members is opaque", k.name, n)
			}
			for name, e := range k.edits {
				patches := make([]*Patch, 512)
				for i := range patches {
					var err error
					if patches[i], err = DecodePatch(newPatch([]edit{{op: opInside, key: valueKey, edits: []edit{e(i, n)}}}).encoding); err != nil {
						b.Fatal(err)
					}
				}
				for _, way := range []struct {
					name  string
					apply func(*Tree, *Patch) (*Tree, error)
				}{{"patch", Apply}, {"encoded", encodedApply}} {
					b.Run(fmt.Sprintf("%s/%s/%dKB/%s", k.name, name, len(first.Value())>>10, way.name), func(b *testing.B) {
						t := first
						b.ReportAllocs()
						for i := 0; b.Loop(); i++ {
							made, err := way.apply(t, patches[i%len(patches)])
							if err != nil {
								b.Fatal(err)
							}
							t = made
						}
					})
				}
			}
		}
	}
}

// BenchmarkSums is what patches cost that compare checksums of nearly all of a
// value: inside sequences in sequences, and a cut of what is not there.
func BenchmarkSums(b *testing.B) {
	deep := func(levels, n int, last string) string {
		text := last
		for range levels {
			text = "[" + text + strings.Repeat(",1", n) + "]"
		}
		return text
	}
	for _, k := range []struct {
		name   string
		value  string
		levels int
	}{
		{"one level", deep(2, 0, "1"+strings.Repeat(",1", MaxNodes-10)), 1},
		{"all levels", deep(98, 160, "1"), 97},
		{"at the bottom", deep(98, 0, "1"+strings.Repeat(",1", MaxNodes-200)), 97},
		{"one cut", "[1" + strings.Repeat(",1", MaxNodes-10) + "]", 0},
	} {
		for _, way := range []struct {
			name  string
			apply func(*Tree, *Patch) (*Tree, error)
		}{{"patch", Apply}, {"encoded", encodedApply}} {
			b.Run(k.name+"/"+way.name, func(b *testing.B) {
				t := Parse([]byte(k.value), nil)
				if t.Opaque() {
					b.Fatal("opaque")
				}
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					n := t.doc.get(valueKey)
					var sums []uint32
					for range k.levels {
						n = n.list()[0].n
						sums = append(sums, plainSum(sumStart, n))
					}
					e := edit{op: opItem, sum: plainSum(sumStart, n.list()[0].n), value: fmt.Append(nil, i)}
					if k.levels == 0 {
						e = edit{op: opCut, count: len(n.list()) - 1, sum: 1}
					}
					for l := k.levels - 1; l >= 0; l-- {
						e = edit{op: opIn, sum: sums[l], edits: []edit{e}}
					}
					p, err := DecodePatch(newPatch([]edit{{op: opInside, key: valueKey, edits: []edit{e}}}).encoding)
					if err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					if t, err = way.apply(t, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
