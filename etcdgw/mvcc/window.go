package mvcc

import (
	"fmt"
)

// beginning is the revision of a keyspace that never had a key. It is etcd's, and
// the same at every node: what a client learned there it may take to any other.
const beginning = 1

// window says which revisions are a view's own (docs/view.md, "Windows").
type window struct {
	// base is where it begins: its revisions are those from base on, less those
	// that are compacted.
	base int64
	// whole says that the view had no key before: it was at revision 1, and the
	// one after that is base+1.
	whole bool
}

// has reports whether rev is a revision of the window, be it of the past or of
// the future, compacted or not.
func (w window) has(rev int64) bool {
	return rev >= w.base && rev>>windowBits == w.base>>windowBits || w.whole && rev == beginning
}

// from returns the revision from which on everything is asked for, or kept, that
// is from start on. Revision 2 is the first change of any keyspace, whatever it is
// called here. What the keyspace holds then is another matter: to read at 2 is to name
// another node's revision.
func (w window) from(start int64) int64 {
	if w.whole && start == beginning+1 {
		return w.base + 1
	}
	return start
}

// next returns the revision that the next change makes.
func (v *View) next() int64 {
	if v.Unborn() {
		return v.headWindow.base + 1
	}
	return v.head + 1
}

// Unborn reports whether no key was ever visible at the head. Only the writer
// may call it.
func (v *View) Unborn() bool { return v.head == beginning }

// BeginWindow moves a view that is unborn into another revision window. It stays
// at revision 1 until its first change, which is base+1. Watches end as compacted
// with the next Publish, since they may wait for revisions of another window. base must be at least the window's; to begin
// the window where the view is changes nothing.
func (v *View) BeginWindow(base int64) {
	switch {
	case !v.Unborn() || base < v.headWindow.base:
		panic(fmt.Sprintf("mvcc: window %d begun at revision %d of window %d", base, v.head, v.headWindow.base))
	case base > v.headWindow.base:
		v.headWindow.base, v.renumbered = base, true
	}
}

// OpenWindow begins another revision window: the keys visible at the head get
// the revisions base+1, base+2, … in the order of the keys, each as if created
// with it, and everything before the last of them is compacted. Watches end as
// compacted with the next Publish. base must be at least the head; opening a
// window where the empty view already is changes nothing.
func (v *View) OpenWindow(base int64) {
	switch {
	case base < v.head:
		panic(fmt.Sprintf("mvcc: window %d opened at revision %d", base, v.head))
	case base == v.head && v.live.Len() == 0:
		return
	}
	items := make([]*item, 0, v.live.Len())
	v.live.Scan(func(x entry) bool {
		items = append(items, x.item)
		return true
	})
	rev := base
	for len(items) > 0 {
		n := min(len(items), chunkKeys)
		v.mu.Lock()
		for _, it := range items[:n] {
			rev++
			v.renumber(it, rev)
		}
		v.mu.Unlock()
		items = items[n:]
	}
	v.head, v.headCompacted, v.headWindow = rev, rev, window{base: base}
	v.compactAsked = rev
	v.renumbered = true
}

// renumber gives the visible value of it revision rev. Called with mu held.
func (v *View) renumber(it *item, rev int64) {
	old := it.visible()
	x := &version{item: it, prev: it.newest, local: it.local, remote: old.remote}
	x.kv.Key, x.kv.Value, x.kv.Lease = it.key(), old.kv.Value, old.kv.Lease
	x.kv.CreateRevision, x.kv.ModRevision, x.kv.Version = rev, rev, 1
	it.newest = x
	v.history.append(x)
}
