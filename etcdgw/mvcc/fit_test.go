package mvcc

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/identity"
)

// aspects are what drawObject varies, each with what it may be.
var aspects = [][]string{
	{"Pod", "Pod", "Job", ""}, {"v1", "v1", "v2"}, {"n", "n", "m"}, {"s", "", "other"},
	{"", "", "metadata", "members", "encoding", "type"}, {"a", "b", "c", "d", "e"},
}

// drawObject draws a value that is like the last one but for an aspect: a Kubernetes object named n in
// namespace s, or nearly one.
func drawObject(t *rapid.T, last *[6]string, protobuf bool) []byte {
	i := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 5, 5, 5}).Draw(t, "aspect")
	last[i] = rapid.SampledFrom(aspects[i]).Draw(t, "value")
	kind, version, name, space, odd, other := last[0], last[1], last[2], last[3], last[4], last[5]
	if !protobuf {
		metadata := fmt.Sprintf(`{"name":%q,"namespace":%q,"labels":{"l":%q}}`, name, space, other)
		switch odd {
		case "metadata":
			metadata = `"text"`
		case "members":
			metadata = `{}`
		}
		return fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":%s,"spec":{"x":%q},"1":{"1":%q}}`, kind, version, metadata, other, other)
	}
	field := func(b []byte, n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	metadata := field(field(field(nil, 1, name), 3, space), 5, other)
	object := field(field(nil, 1, string(metadata)), 2, string(field(nil, 10, other)))
	switch odd {
	case "metadata":
		object = field(nil, 2, other)
	case "members":
		object = []byte("no message")
	}
	u := field(field(nil, 1, string(field(field(nil, 1, version), 2, kind))), 2, string(object))
	switch odd {
	case "encoding":
		u = field(u, 3, "gzip")
	case "type":
		u = field(u, 4, other)
	default:
		u = field(field(u, 3, ""), 4, "")
	}
	return append([]byte("k8s\x00"), u...)
}

// TestFit: in a chain of patches a Fit that looks at the parts of each value says what looking at
// all of it says.
func TestFit(t *testing.T) {
	form, key := &identity.Form{Kind: "Pod", Versions: []string{"v1"}}, []byte("/registry/pods/s/n")
	looked := 0
	fit := &crdt.Fit{Parts: dag.FormParts, Check: func(value []byte) bool {
		looked += len(value)
		return dag.CheckForm(form, key, value) == nil
	}}
	values, good, bytesMade := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		protobuf := rapid.Bool().Draw(t, "protobuf")
		last := [6]string{"Pod", "v1", "n", "s", "", "a"}
		value := drawObject(t, &last, protobuf)
		schema := KubeValues{}.SchemaFor(nil, value)
		tree := crdt.Parse(value, schema)
		for range rapid.IntRange(1, 12).Draw(t, "values") {
			want := dag.CheckForm(form, key, tree.Value()) == nil
			if got := fit.Fits(tree); got != want {
				t.Fatalf("Fits(%q) = %v, want %v", tree.Value(), got, want)
			}
			values++
			bytesMade += len(tree.Value())
			if want {
				good++
			}
			next := crdt.Parse(drawObject(t, &last, protobuf), schema)
			p, ok := crdt.Diff(tree, next)
			if !ok {
				tree = next
				continue
			}
			applied, err := crdt.Apply(tree, p)
			if err != nil || !bytes.Equal(applied.Value(), next.Value()) {
				t.Fatalf("Apply made %q of %q, want %q: %v", applied.Value(), tree.Value(), next.Value(), err)
			}
			tree = applied
		}
	})
	t.Logf("%d of %d values fit; %d of %d bytes were looked at", good, values, looked, bytesMade)
	if looked >= bytesMade || good == 0 || good == values {
		t.Errorf("whole values were looked at, or all or none of them fit")
	}
}
