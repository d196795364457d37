package profile

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/identity"
)

// TestMeet checks that a meet matches what both patterns match, and nothing else.
func TestMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segments := func(from ...string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(from), 1, 4).Draw(t, "segments"), "/")
		}
		pattern := func() identity.Pattern {
			p := segments("", "a", "b", `\*`, "*")
			if rapid.Bool().Draw(t, "open") {
				p += "/**"
			}
			if p == "" {
				return "**"
			}
			return identity.Pattern(p)
		}
		a, b := pattern(), pattern()
		both, ok := meet(a, b)
		if ok {
			if _, err := identity.ParsePattern([]byte(both)); err != nil {
				t.Fatalf("meet(%q, %q): %v", a, b, err)
			}
		}
		key := []byte(segments("", "a", "b", "*", "c"))
		want := a.Match(key) && b.Match(key)
		if got := ok && both.Match(key); got != want && len(key) > 0 {
			t.Fatalf("meet(%q, %q) = %q, %v: matches %q: %v, want %v", a, b, both, ok, key, got, want)
		}
	})
}
