package crdt

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// first is the write that all others saw.
const first = -2

// tens is a causality in which writes 0…9 are one chain, 10…19 another,
// and so on, which saw nothing of each other.
type tens struct{}

func (tens) before(a, b int) bool { return a < b && a/10 == b/10 }
func (tens) compare(a, b int) int { return a%10*100 + a/10 - (b%10*100 + b/10) }

// TestRunsDoNotInterleave: what each site writes at one place, forwards or
// backwards, in one write or in many, stays together.
func TestRunsDoNotInterleave(t *testing.T) {
	base := orderEvent{write: first, front: true, keys: []string{"<", ">"}}
	forwards := func(site int, keys string) (events []orderEvent) {
		after := "<"
		for i := range len(keys) {
			events = append(events, orderEvent{write: site*10 + i, after: after, keys: []string{keys[i : i+1]}})
			after = keys[i : i+1]
		}
		return events
	}
	backwards := func(site int, keys string) (events []orderEvent) {
		for i := range len(keys) {
			events = append(events, orderEvent{write: site*10 + i, after: "<", keys: []string{keys[len(keys)-1-i:][:1]}})
		}
		return events
	}
	whole := func(site int, keys string) []orderEvent {
		return []orderEvent{{write: site * 10, after: "<", keys: strings.Split(keys, "")}}
	}
	ways := []func(int, string) []orderEvent{forwards, backwards, whole}
	for i, a := range ways {
		for j, b := range ways {
			events := append(append([]orderEvent{base}, a(1, "abc")...), b(2, "xyz")...)
			got := strings.Join(arrange(events, nil, withBase{tens{}}), "")
			if !strings.Contains(got, "abc") || !strings.Contains(got, "xyz") || got[0] != '<' || got[len(got)-1] != '>' {
				t.Errorf("ways %d and %d: %s", i, j, got)
			}
		}
	}
}

// withBase adds the write before all others to a causality.
type withBase struct{ tens }

func (c withBase) before(a, b int) bool {
	return a == first && b != a || a >= 0 && c.tens.before(a, b)
}
func (c withBase) compare(a, b int) int {
	if a == first || b == first {
		return a - b
	}
	return c.tens.compare(a, b)
}

// TestOrder: the order is a function of the set of events, holds every child
// once, and a single author gets what it wrote.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDrawer(t)
		events := []orderEvent{{write: first, front: true, keys: []string{"a", "b", "c"}}}
		seen := map[int][]string{}
		for site := range 3 {
			list := []string{"a", "b", "c"}
			for i := range d.n(4) {
				key := string(rune('A' + site*10 + i))
				at := d.n(len(list))
				o := orderEvent{write: site*10 + i, keys: []string{key}, front: at == 0}
				if at > 0 {
					o.after = list[at-1]
				}
				list = slices.Insert(list, at, key)
				events = append(events, o)
			}
			seen[site] = list
		}
		want := arrange(slices.Clone(events), nil, withBase{tens{}})
		d.r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		if got := arrange(events, nil, withBase{tens{}}); !slices.Equal(got, want) {
			t.Fatalf("in another order: %q, want %q", got, want)
		}
		for site, list := range seen {
			// What one site wrote stands in the order that it saw.
			var got []string
			for _, key := range want {
				if slices.Contains(list, key) {
					got = append(got, key)
				}
			}
			if !slices.Equal(got, list) {
				t.Fatalf("site %d wrote %q, and %q of it is in %q", site, list, got, want)
			}
		}
	})
}
