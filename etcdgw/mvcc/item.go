package mvcc

import (
	"unsafe"

	"github.com/tidwall/btree"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// item is one key: its versions, newest first, and what decides which value it
// shows. A key has two namespaces (docs/view.md, "Local keys"): it shows one,
// and other is the value of the other one.
type item struct {
	name string // never changes
	// newest is the latest version; nil only while none has been added.
	newest *version
	// front is the writer of the replicated value, shown or not; zero while there is none.
	front write
	// schema is how the replicated value merges; nil is plain JSON.
	schema *crdt.Schema
	// other is the value that is not shown; nil if there is none.
	other *aside
	trail trail
	// stamp counts the remote transaction that touched the key last, and touch
	// is its index among the keys touched.
	stamp uint64
	touch int32
	// patches is how many patches made the replicated value since the log holds all of it.
	patches uint16
	// unsettled says that the replicated value is not what one write left that
	// saw all others: it may be a merge, and a hidden life may be below it.
	unsettled bool
	// local says that the local namespace is shown, if anything is.
	local bool
	// kept says that the newest version, a tombstone, is no longer in history: the item
	// is there for other.
	kept bool
}

// key returns the item's name as the bytes that all its versions share.
func (it *item) key() []byte { return unsafe.Slice(unsafe.StringData(it.name), len(it.name)) }

// version is one version of one key. Once it is in history, only prev is ever
// changed, to cut that.
type version struct {
	kv    mvccpb.KeyValue // Version 0: a tombstone, with key and mod revision only
	item  *item
	prev  *version // the version before, nil if none or compacted
	sub   uint32   // which one of its revision, from 0
	local bool     // of the local namespace
	// remote says that another node's operation made it, or a change of the roster.
	remote bool
}

func (x *version) tombstone() bool { return x.kv.Version == 0 }

// present returns x if it is a value, nil if it is nil or a tombstone.
func (x *version) present() *version {
	if x == nil || x.tombstone() {
		return nil
	}
	return x
}

// before returns the value the key had before the revision of x, nil if none.
func (x *version) before() *version {
	rev := x.kv.ModRevision
	p := x.prev
	for p != nil && p.kv.ModRevision == rev {
		p = p.prev
	}
	return p.present()
}

// creates reports whether x, whose prev is not cut, ended the absence of its key.
func (x *version) creates() bool { return !x.tombstone() && x.prev.present() == nil }

// at returns the value at rev, nil if the key was absent.
func (it *item) at(rev int64) *version {
	x := it.newest
	for x != nil && x.kv.ModRevision > rev {
		x = x.prev
	}
	return x.present()
}

// visible returns the value at the head, nil if the key is absent.
func (it *item) visible() *version { return it.newest.present() }

// origin is a transaction: the one that a set of writes came with. All writes
// of a transaction share it.
type origin struct {
	number uint64  // the change's number, if it was made here
	op     *dag.Op // nil while the change is not sealed
	tx     uint32
}

// write names a write.
type write struct {
	origin *origin
	index  uint32
	birth  incarnation // the write that created the key's life
}

// is reports whether w and x name the same write, or none.
func (w *write) is(x *write) bool {
	a, b := w.origin, x.origin
	if a == b || a == nil || b == nil {
		return a == b && w.index == x.index
	}
	return a.number == b.number && a.op == b.op && a.tx == b.tx && w.index == x.index
}

// incarnation names the write that created a key's life. The zero value names none.
type incarnation struct {
	origin *origin
	index  uint32
}

// same reports whether i and j name the same write, or none.
func (i incarnation) same(j incarnation) bool {
	a, b := i.origin, j.origin
	switch {
	case a == b:
		return i.index == j.index
	case a == nil || b == nil || i.index != j.index:
		return false
	}
	return a.op != nil && a.op == b.op && a.tx == b.tx || a.number != 0 && a.number == b.number
}

// entry is an item in an ordered tree.
type entry struct {
	name string
	item *item
}

func newTree() *btree.BTreeG[entry] {
	return btree.NewBTreeGOptions(func(a, b entry) bool { return a.name < b.name }, btree.Options{NoLocks: true})
}

// text views b, which must never change, as a string.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
