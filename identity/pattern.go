package identity

import (
	"bytes"
	"fmt"
	"strings"
)

// A Pattern matches keys (docs/op.md, section 7): segments parted by "/", where
// "*" matches one whole segment, a last "**" matches the rest, and "\*" and
// "\\" stand for the plain bytes. Make it with [ParsePattern]; the methods of
// any other string are safe but mean nothing. The zero value matches no key.
type Pattern string

const (
	anySegment = "*"
	anyRest    = "**"
)

// ParsePattern checks that b is a well-formed pattern of 1 to [MaxPatternSize]
// bytes, not necessarily UTF-8, and returns [ErrPattern] if not.
func ParsePattern(b []byte) (Pattern, error) {
	if len(b) == 0 || len(b) > MaxPatternSize {
		return "", fmt.Errorf("%w: length %d is not in 1..%d", ErrPattern, len(b), MaxPatternSize)
	}
	p := Pattern(b)
	for rest, more := string(p), true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		if seg == anySegment || seg == anyRest && !more {
			continue
		}
		for i := 0; i < len(seg); i++ {
			switch seg[i] {
			case '*':
				return "", fmt.Errorf("%w: %q: * within segment %q, or ** before the last", ErrPattern, p, seg)
			case '\\':
				i++
				if i == len(seg) || seg[i] != '*' && seg[i] != '\\' {
					return "", fmt.Errorf("%w: %q: \\ before neither * nor \\", ErrPattern, p)
				}
			}
		}
	}
	return p, nil
}

// LiteralPattern returns the pattern that matches the given key alone. It
// returns [ErrPattern] if the key is empty or its pattern too long.
func LiteralPattern(key []byte) (Pattern, error) {
	var b []byte
	for _, c := range key {
		if c == '*' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return ParsePattern(b)
}

// Match reports whether the pattern matches key. It takes time linear in the
// shorter of the two and allocates nothing.
func (p Pattern) Match(key []byte) bool {
	for rest := string(p); rest != anyRest; {
		seg, restOfPattern, morePattern := strings.Cut(rest, "/")
		restOfKey, moreKey, ok := matchSegment(seg, key)
		if !ok || morePattern != moreKey {
			return false
		}
		if !morePattern {
			return p != ""
		}
		rest, key = restOfPattern, restOfKey
	}
	return true
}

// matchSegment reports whether key begins with a segment that the pattern's
// segment seg (not "**") matches, what follows that segment and its slash,
// and whether there was a slash.
func matchSegment(seg string, key []byte) (rest []byte, slash, ok bool) {
	if seg == anySegment {
		i := bytes.IndexByte(key, '/')
		if i < 0 {
			return nil, false, true
		}
		return key[i+1:], true, true
	}
	n := 0
	for i := 0; i < len(seg); i++ {
		if seg[i] == '\\' && i+1 < len(seg) {
			i++
		}
		if n == len(key) || key[n] != seg[i] {
			return nil, false, false
		}
		n++
	}
	switch {
	case n == len(key):
		return nil, false, true
	case key[n] == '/':
		return key[n+1:], true, true
	}
	return nil, false, false
}

// MatchRange reports whether the pattern matches every key k with
// key ≤ k < end, as far as the common prefix of the range proves it; an empty
// end means no upper bound. A range that is empty is within every pattern's
// range of its key: the caller refuses it. It allocates nothing.
func (p Pattern) MatchRange(key, end []byte) bool {
	if oneKey(key, end) {
		return p.Match(key)
	}
	return p.matchAllWithPrefix(rangePrefix(key, end))
}

// oneKey reports whether no key but the first lies in [key, end).
func oneKey(key, end []byte) bool {
	return len(end) == len(key)+1 && end[len(key)] == 0 && bytes.HasPrefix(end, key)
}

// rangePrefix returns the longest string with which every key of the range
// begins. It is a prefix of key.
func rangePrefix(key, end []byte) []byte {
	c := 0
	if len(end) > 0 {
		for c < len(key) && c < len(end) && key[c] == end[c] {
			c++
		}
		// Up to the common prefix, all of [key, end) has it. It goes on past
		// that only if end is the very successor of a longer prefix of key: of
		// the next byte, and then of as many 0xff as follow it.
		if c == len(key) || len(end) != c+1 || end[c] != key[c]+1 {
			return key[:c]
		}
		c++
	}
	for c < len(key) && key[c] == 0xff {
		c++
	}
	return key[:c]
}

// matchAllWithPrefix reports whether every string that begins with prefix matches.
func (p Pattern) matchAllWithPrefix(prefix []byte) bool {
	for rest := string(p); rest != anyRest; {
		seg, restOfPattern, more := strings.Cut(rest, "/")
		restOfPrefix, slash, ok := matchSegment(seg, prefix)
		if !ok || !slash || !more {
			return false
		}
		rest, prefix = restOfPattern, restOfPrefix
	}
	return true
}

// Contains reports whether p matches every key that b matches.
func (p Pattern) Contains(b Pattern) bool {
	restP, restB := string(p), string(b)
	for restP != anyRest {
		if restB == anyRest {
			return false
		}
		segP, nextP, moreP := strings.Cut(restP, "/")
		segB, nextB, moreB := strings.Cut(restB, "/")
		if segP != anySegment && segP != segB || moreP != moreB {
			return false
		}
		if !moreP {
			return true
		}
		restP, restB = nextP, nextB
	}
	return true
}

// containsAll reports whether each pattern of bs is contained in a single pattern of as.
func containsAll(as, bs []Pattern) bool {
next:
	for _, b := range bs {
		for _, a := range as {
			if a.Contains(b) {
				continue next
			}
		}
		return false
	}
	return true
}
