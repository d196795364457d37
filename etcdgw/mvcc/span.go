package mvcc

import (
	"bytes"
	"strings"

	"github.com/tidwall/btree"
)

// span is a range of keys [key, end). open means that there is no upper bound.
type span struct {
	key, end string
	open     bool
}

// spanOf reads etcd's key and range_end: no end is the single key, "\0" is no
// upper bound.
func spanOf(key, end []byte) span {
	switch {
	case single(end):
		return span{key: text(key), end: text(key) + "\x00"}
	case bytes.Equal(end, openEnd):
		return span{key: text(key), open: true}
	default:
		return span{key: text(key), end: text(end)}
	}
}

// openEnd is etcd's range_end for no upper bound.
var openEnd = []byte{0}

// single reports whether etcd's range_end asks for one key.
func single(end []byte) bool { return len(end) == 0 }

// upper returns etcd's range_end as operations have it: empty for no upper bound.
func upper(end []byte) []byte {
	if bytes.Equal(end, openEnd) {
		return nil
	}
	return end
}

// below reports whether name is under the upper bound.
func (s span) below(name string) bool { return s.open || name < s.end }

func (s span) contains(name string) bool { return name >= s.key && s.below(name) }

func (s span) empty() bool { return !s.open && s.key >= s.end }

// clone returns s with its own memory.
func (s span) clone() span {
	return span{strings.Clone(s.key), strings.Clone(s.end), s.open}
}

// spanSet is a set of keys made of spans that neither overlap nor touch. The
// zero value is empty. An operation of another node may bring tens of thousands
// of ranges: each costs a logarithm, however they overlap.
type spanSet struct {
	tree *btree.BTreeG[span] // nil while empty
}

// add adds the keys of s, which is not empty.
func (ss *spanSet) add(s span) {
	if ss.tree == nil {
		ss.tree = btree.NewBTreeGOptions(func(a, b span) bool { return a.key < b.key }, btree.Options{NoLocks: true})
	}
	var merged []span
	ss.tree.Descend(s, func(x span) bool {
		if x.key < s.key && (x.open || x.end >= s.key) {
			merged = append(merged, x)
		}
		return x.key == s.key
	})
	ss.tree.Ascend(s, func(x span) bool {
		if !s.open && x.key > s.end {
			return false
		}
		merged = append(merged, x)
		return true
	})
	for _, x := range merged {
		ss.tree.Delete(x)
		s.key = min(s.key, x.key)
		if s.open = s.open || x.open; !s.open {
			s.end = max(s.end, x.end)
		}
	}
	ss.tree.Set(s)
}

// gaps returns the parts of s that are not in the set, in order.
func (ss *spanSet) gaps(s span) []span {
	if ss.tree == nil {
		return []span{s}
	}
	var out []span
	open := false // the set has all keys from s.key on
	skip := func(x span) { s.key, open = x.end, x.open }
	ss.tree.Descend(span{key: s.key}, func(x span) bool {
		if x.contains(s.key) {
			skip(x)
		}
		return false
	})
	if open {
		return nil
	}
	ss.tree.Ascend(span{key: s.key}, func(x span) bool {
		if !s.below(x.key) {
			return false
		}
		out = append(out, span{key: s.key, end: x.key})
		skip(x)
		return !open
	})
	if !open && !s.empty() {
		out = append(out, s)
	}
	return out
}

func (ss *spanSet) contains(name string) bool {
	found := false
	if ss.tree != nil {
		ss.tree.Descend(span{key: name}, func(x span) bool {
			found = x.contains(name)
			return false
		})
	}
	return found
}

// each calls fn with the spans in order.
func (ss *spanSet) each(fn func(span)) {
	if ss.tree != nil {
		ss.tree.Scan(func(x span) bool { fn(x); return true })
	}
}

// spans returns the spans in order.
func (ss *spanSet) spans() []span {
	var out []span
	ss.each(func(x span) { out = append(out, x) })
	return out
}
