package mvcc

import (
	"fmt"
)

// foreign reports whether rev is of another window than current
// (docs/view.md, "Windows").
func foreign(rev, current int64) bool { return rev>>windowBits != current>>windowBits }

// fromEmpty returns the revision from which a watch that asks for start is
// served. An etcd begins at revision 1 without keys, so to start at 1 or 2 is to
// ask for all that ever happened. A window that began without keys and is not
// compacted has that, from its first revision on.
func fromEmpty(start, current, compacted int64) int64 {
	base := current &^ (1<<windowBits - 1)
	if base > 0 && (start == 1 || start == 2) && compacted <= base {
		return base + 1
	}
	return start
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
	v.head, v.headCompacted = rev, rev
	v.renumbered = true
}

// renumber gives the visible value of it revision rev. Called with mu held.
func (v *View) renumber(it *item, rev int64) {
	old := it.visible()
	x := &version{item: it, prev: it.newest, local: it.local}
	x.kv.Key, x.kv.Value, x.kv.Lease = it.key(), old.kv.Value, old.kv.Lease
	x.kv.CreateRevision, x.kv.ModRevision, x.kv.Version = rev, rev, 1
	it.newest = x
	v.history.append(x)
}
