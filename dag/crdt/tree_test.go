package crdt

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func forCorpora(t *testing.T, f func(t *rapid.T, co corpus)) {
	for _, co := range corpora {
		t.Run(co.name, func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { f(t, co) }) })
	}
}

// TestRoundTrip: every drawn value is mergeable, and its tree encodes back.
func TestRoundTrip(t *testing.T) {
	forCorpora(t, func(t *rapid.T, co corpus) {
		value := newDrawer(t).document(co)
		tree := Parse(value, co.schema)
		if tree.Opaque() {
			t.Fatalf("%q is opaque", value)
		}
		if got, ok := encode(tree.doc, co.schema); !ok || !bytes.Equal(got, value) {
			t.Fatalf("%q encodes as %q", value, got)
		}
	})
}

// TestDiffApply: a patch makes the new value byte for byte, and nearly every change is one.
func TestDiffApply(t *testing.T) {
	for _, co := range corpora {
		t.Run(co.name, func(t *testing.T) {
			patched, all := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				d := newDrawer(t)
				old := Parse(d.document(co), co.schema)
				new := Parse(d.changed(old, co), co.schema)
				if !old.sameTerms(new) {
					return
				}
				p, ok := Diff(old, new)
				all++
				if !ok {
					t.Logf("no patch from %q to %q", old.Value(), new.Value())
					return
				}
				patched++
				back, err := DecodePatch(p.Encoding())
				if err != nil {
					t.Fatal(err)
				}
				if got := newPatch(back.edits).encoding; !bytes.Equal(got, p.Encoding()) {
					t.Fatalf("%q encodes as %q", p.Encoding(), got)
				}
				made, err := Apply(old, back)
				if err != nil || !bytes.Equal(made.Value(), new.Value()) {
					t.Fatalf("%q and %q make %q, %v; want %q", old.Value(), p.Encoding(), made.Value(), err, new.Value())
				}
			})
			if patched*100 < all*95 {
				t.Errorf("%d of %d changes on the same terms are patches", patched, all)
			}
		})
	}
}
