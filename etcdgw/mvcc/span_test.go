package mvcc

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSpanSet compares a set of spans with a list.
func TestSpanSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ss spanSet
		var all []span
		keys := rapid.StringMatching(`[a-d]{1,2}`)
		for range rapid.IntRange(0, 12).Draw(t, "spans") {
			s := span{key: keys.Draw(t, "key"), end: keys.Draw(t, "end")}
			if rapid.IntRange(0, 9).Draw(t, "open") == 0 {
				s.end, s.open = "", true
			}
			if !s.empty() {
				ss.add(s)
				all = append(all, s)
			}
		}
		for range 20 {
			k, want := keys.Draw(t, "probe"), false
			for _, s := range all {
				want = want || s.contains(k)
			}
			if got := ss.contains(k); got != want {
				t.Fatalf("contains(%q) = %v, want %v: %v", k, got, want, all)
			}
		}
		probe := span{key: keys.Draw(t, "from"), end: keys.Draw(t, "to")}
		if probe.open = rapid.Bool().Draw(t, "open probe"); !probe.empty() {
			var rest spanSet
			for _, g := range ss.gaps(probe) {
				if g.empty() {
					t.Fatalf("gaps(%v) has %v", probe, g)
				}
				rest.add(g)
			}
			for range 20 {
				k := keys.Draw(t, "probe")
				if got, want := rest.contains(k), probe.contains(k) && !ss.contains(k); got != want {
					t.Fatalf("%q is in the gaps of %v: %v, want %v: %v", k, probe, got, want, all)
				}
			}
		}
		end, open := "", false
		ss.each(func(s span) {
			if s.empty() || open || s.key <= end && end != "" {
				t.Fatalf("span %v after %q", s, end)
			}
			end, open = s.end, s.open
		})
	})
}
