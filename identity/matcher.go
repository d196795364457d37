package identity

import (
	"bytes"
	"slices"
	"strings"
)

// A matcher finds which of many patterns match a key. It is a trie of
// segments: a node is reached by the segments before it, and a key visits no
// more nodes than patterns begin as it does, whatever the number of patterns.
type matcher struct {
	name  string              // an unescaped segment,
	named *matcher            // where it leads; most nodes have no other, and a map takes four times their size
	other map[string]*matcher // by unescaped segment
	star  *matcher            // any one segment
	end   uint64              // of a pattern whose last segment leads here
	rest  uint64              // of a pattern that goes on with **
	least uint64              // of all below and here that are not 0; see settle
}

// slot returns where the value of a pattern is kept: 0 at first.
func (m *matcher) slot(p Pattern) *uint64 {
	for rest, more := string(p), true; more; {
		if rest == anyRest {
			return &m.rest
		}
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		m = m.next(seg)
	}
	return &m.end
}

func (m *matcher) next(seg string) *matcher {
	if seg == anySegment {
		if m.star == nil {
			m.star = &matcher{}
		}
		return m.star
	}
	seg = unescape(seg)
	kid := m.literal([]byte(seg))
	if kid != nil {
		return kid
	}
	kid = &matcher{}
	switch {
	case m.named == nil:
		m.name, m.named = seg, kid
	case m.other == nil:
		m.other = map[string]*matcher{seg: kid}
	default:
		m.other[seg] = kid
	}
	return kid
}

// literal returns where an unescaped segment leads, nil if nowhere.
func (m *matcher) literal(seg []byte) *matcher {
	if m.named != nil && m.name == string(seg) {
		return m.named
	}
	return m.other[string(seg)]
}

func unescape(seg string) string {
	if strings.IndexByte(seg, '\\') < 0 {
		return seg
	}
	b := make([]byte, 0, len(seg))
	for i := 0; i < len(seg); i++ {
		if seg[i] == '\\' && i+1 < len(seg) {
			i++
		}
		b = append(b, seg[i])
	}
	return string(b)
}

// settle computes the least values, for [matcher.first].
func (m *matcher) settle() uint64 {
	m.least = leastOf(m.end, m.rest)
	if m.named != nil {
		m.least = leastOf(m.least, m.named.settle())
	}
	for _, kid := range m.other {
		m.least = leastOf(m.least, kid.settle())
	}
	if m.star != nil {
		m.least = leastOf(m.least, m.star.settle())
	}
	return m.least
}

// leastOf returns the lesser of two values of which 0 is none.
func leastOf(a, b uint64) uint64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// first returns the least value of the patterns that match key, or best if
// that is less and not 0.
func (m *matcher) first(key []byte, best uint64) uint64 {
	if leastOf(best, m.least) == best {
		return best
	}
	best = leastOf(best, m.rest)
	seg, rest, more := cutSegment(key)
	for _, kid := range [2]*matcher{m.literal(seg), m.star} {
		switch {
		case kid == nil:
		case more:
			best = kid.first(rest, best)
		default:
			best = leastOf(best, kid.end)
		}
	}
	return best
}

// all returns the values of all patterns that match key, or-ed. It may stop
// once it has every bit of enough.
func (m *matcher) all(key []byte, enough uint64) uint64 {
	v := m.rest
	if v == enough {
		return v
	}
	seg, rest, more := cutSegment(key)
	for _, kid := range [2]*matcher{m.literal(seg), m.star} {
		switch {
		case kid == nil:
		case more:
			v |= kid.all(rest, enough)
		default:
			v |= kid.end
		}
	}
	return v
}

// covering returns the values, or-ed, of all patterns that match every string
// that begins with prefix.
func (m *matcher) covering(prefix []byte) uint64 {
	v := m.rest
	seg, rest, more := cutSegment(prefix)
	if !more {
		return v
	}
	if kid := m.literal(seg); kid != nil {
		v |= kid.covering(rest)
	}
	if m.star != nil {
		v |= m.star.covering(rest)
	}
	return v
}

func cutSegment(key []byte) (seg, rest []byte, more bool) {
	if i := bytes.IndexByte(key, '/'); i >= 0 {
		return key[:i], key[i+1:], true
	}
	return key, nil, false
}

// A grants is a list of pattern sets of which a key must match one pattern
// each. The zero value has none, and lets every key pass.
type grants []grantTrie

// A grantTrie holds up to 64 sets: bit i of a value is for the i-th.
type grantTrie struct {
	root *matcher
	sets uint64
}

// newGrants compiles sets, which must be folded.
func newGrants(sets [][]Pattern) (g grants) {
	for len(sets) > 0 {
		n := min(64, len(sets))
		t := grantTrie{root: &matcher{}}
		for i, set := range sets[:n] {
			t.sets |= 1 << i
			for _, p := range set {
				*t.root.slot(p) |= 1 << i
			}
		}
		g, sets = append(g, t), sets[n:]
	}
	return g
}

func (g grants) match(key []byte) bool {
	for i := range g {
		if g[i].root.all(key, g[i].sets) != g[i].sets {
			return false
		}
	}
	return true
}

func (g grants) matchRange(key, end []byte) bool {
	if oneKey(key, end) {
		return g.match(key)
	}
	prefix := rangePrefix(key, end)
	for i := range g {
		if g[i].root.covering(prefix) != g[i].sets {
			return false
		}
	}
	return true
}

// maxFold is with how many sets each is compared: folding takes that many
// comparisons of a set, and more that differ are a sponsor's own doing.
const maxFold = 64

// fold leaves out the sets that another implies: of which it contains every pattern.
func fold(sets [][]Pattern) (folded [][]Pattern) {
	for _, set := range sets {
		first := folded[:min(len(folded), maxFold)]
		if slices.ContainsFunc(first, func(f []Pattern) bool { return containsAll(set, f) }) {
			continue
		}
		if len(folded) <= maxFold {
			folded = slices.DeleteFunc(folded, func(f []Pattern) bool { return containsAll(f, set) })
		}
		folded = append(folded, set)
	}
	return folded
}
