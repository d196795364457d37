package crdt

import (
	"bytes"
	"testing"
)

// TestFits: a patch whose value does not fit does not count, and a merge that does not
// fit falls back to its greatest head.
func TestFits(t *testing.T) {
	base := Parse([]byte(`{"a":0,"b":0}`), nil)
	// No value may have both changed.
	fits := &Fit{Check: func(value []byte) bool { return bytes.Contains(value, []byte(":0")) }}
	patch := func(value string) *Patch {
		p, ok := Diff(base, Parse([]byte(value), nil))
		if !ok {
			t.Fatalf("no patch to %s", value)
		}
		return p
	}
	first := Position{Depth: 1}
	h := NewHistory()
	h.Add(Write{Position: first, Incarnation: first, Value: base.Value(), Fit: fits}, nil)
	add := func(op byte, value string, want bool) {
		t.Helper()
		w := Write{Position: Position{Depth: 2, Op: [32]byte{op}}, Kind: Patched, Incarnation: first, Patch: patch(value), Fit: fits}
		if _, counts := h.Add(w, func(n int) bool { return n == 0 }); counts != want {
			t.Errorf("a patch to %s counts: %v, want %v", value, counts, want)
		}
	}
	add(1, `{"a":1,"b":1}`, false)
	add(2, `{"a":1,"b":0}`, true)
	if r := h.Value(); string(r.Tree.Value()) != `{"a":1,"b":0}` {
		t.Errorf("the value is %s", r.Tree.Value())
	}
	add(3, `{"a":0,"b":1}`, true)
	if r := h.Value(); string(r.Tree.Value()) != `{"a":0,"b":1}` || r.Merged {
		t.Errorf("the value is %s, a merge: %v; want the greatest head's", r.Tree.Value(), r.Merged)
	}
}
