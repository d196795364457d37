package auth

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
)

// openEnd is the range end that means "no upper bound".
var openEnd = []byte{0}

// span is the keys k with begin <= k, and k < end unless it is open.
type span struct {
	begin, end string
	open       bool
}

// newSpan returns the span of a key and a range end as etcd writes them: no end
// is the one key, "\x00" every key from key on.
func newSpan(key, end []byte) span {
	switch {
	case len(end) == 0:
		return span{begin: string(key), end: string(key) + "\x00"}
	case bytes.Equal(end, openEnd):
		return span{begin: string(key), open: true}
	default:
		return span{begin: string(key), end: string(end)}
	}
}

// validSpan reports whether a permission may be given for the key and end.
func validSpan(key, end []byte) bool {
	return len(key) > 0 && (len(end) == 0 || bytes.Equal(end, openEnd) || bytes.Compare(key, end) < 0)
}

// spans is disjoint and ascending, and no two of it touch.
type spans []span

// mergeSpans returns the union of s, which it sorts.
func mergeSpans(s []span) spans {
	slices.SortFunc(s, func(a, b span) int { return strings.Compare(a.begin, b.begin) })
	var out spans
	for _, next := range s {
		if len(out) == 0 {
			out = append(out, next)
			continue
		}
		last := &out[len(out)-1]
		switch {
		case last.open:
		case next.begin > last.end:
			out = append(out, next)
		case next.open:
			last.open, last.end = true, ""
		default:
			last.end = max(last.end, next.end)
		}
	}
	return out
}

// contain reports whether all of want lies in s. As in etcd a range that ends
// before it begins, and so is empty, needs the permission for its begin.
func (s spans) contain(want span) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].begin > want.begin }) - 1
	if i < 0 {
		return false
	}
	if s[i].open {
		return true
	}
	return want.begin < s[i].end && !want.open && want.end <= s[i].end
}

// grants are what the roles of a user allow together.
type grants struct{ read, write spans }

func newGrants(permissions []*authpb.Permission) grants {
	var read, write []span
	for _, p := range permissions {
		sp := newSpan(p.Key, p.RangeEnd)
		if p.PermType == authpb.Permission_READ || p.PermType == authpb.Permission_READWRITE {
			read = append(read, sp)
		}
		if p.PermType == authpb.Permission_WRITE || p.PermType == authpb.Permission_READWRITE {
			write = append(write, sp)
		}
	}
	return grants{mergeSpans(read), mergeSpans(write)}
}
