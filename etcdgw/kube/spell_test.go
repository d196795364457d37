package kube_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// message encodes fields, given as number and content in turn.
func message(parts ...any) string {
	var b []byte
	for i := 0; i < len(parts); i += 2 {
		n := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
		}
	}
	return string(b)
}

// TestSpell blames the fields of a Pod, of which each is spelled as people know it.
func TestSpell(t *testing.T) {
	metadata := message(1, "a", 5, "1", 7, 3, 8, message(1, 1700000000), 11, message(1, "app", 2, "web"), 14, "keep",
		17, message(1, "m", 2, "Update", 6, "FieldsV1", 7, message(1, `{"f:spec":{}}`)))
	spec := message(2, message(1, "web", 2, "web:1", 6, message(1, "http", 3, 80)), 4, 0, 99, "later")
	value := "k8s\x00" + message(1, message(1, "v1", 2, "Pod"), 2, message(1, metadata, 2, spec))
	s := builtin(t, value)
	h := crdt.NewHistory()
	first := crdt.Position{Depth: 1}
	h.Add(crdt.Write{Position: first, Incarnation: first, Value: []byte(value), Schema: s}, nil)
	var got []string
	for _, b := range h.Blame() {
		path, text, ok := kube.Spell([]byte(value), b.Path, b.Value)
		if !ok {
			t.Fatalf("%q is not spelled", b.Path)
		}
		got = append(got, strings.Join(path, ".")+" = "+string(text))
	}
	want := []string{
		`typeMeta = "CgJ2MRIDUG9k"`,
		`metadata.name = "a"`,
		`metadata.uid = "1"`,
		`metadata.generation = 3`,
		`metadata.creationTimestamp = "2023-11-14T22:13:20Z"`,
		`metadata.labels.app = "web"`,
		`metadata.finalizers.[keep] = "keep"`,
		`metadata.managedFields.[m Update - -].manager = "m"`,
		`metadata.managedFields.[m Update - -].operation = "Update"`,
		`metadata.managedFields.[m Update - -].fieldsType = "FieldsV1"`,
		`metadata.managedFields.[m Update - -].fieldsV1.f:spec = {}`,
		`spec.containers.[web].name = "web"`,
		`spec.containers.[web].image = "web:1"`,
		`spec.containers.[web].ports.[80 -].name = "http"`,
		`spec.containers.[web].ports.[80 -].containerPort = 80`,
		`spec.terminationGracePeriodSeconds = 0`,
		`spec.field 99 = "bGF0ZXI="`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("spelled\n%s\nwant\n%s", g, w)
	}
	if _, text, ok := kube.Spell([]byte(value), nil, []byte(value)); !ok || !strings.HasPrefix(string(text), `{"kind":"Pod"`) {
		t.Errorf("the whole is %s", text)
	}
	if _, _, ok := kube.Spell([]byte(`{}`), []string{"a"}, []byte("1")); ok {
		t.Error("JSON is spelled")
	}
}

// FuzzSpell: no path and no bytes panic.
func FuzzSpell(f *testing.F) {
	f.Add([]byte(enveloped("v1", "Pod", "1")), "2 1 17 [m] 7 1 x", []byte("x"))
	f.Add([]byte(enveloped("v1", "Secret", "1")), "2 2 a", []byte{0x12, 1, 'x'})
	f.Fuzz(func(t *testing.T, value []byte, path string, there []byte) {
		kube.Spell(value, strings.Fields(path), there)
	})
}
