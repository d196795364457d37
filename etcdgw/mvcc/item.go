package mvcc

import (
	"unsafe"

	"github.com/tidwall/btree"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/causeway-sync/causeway/dag"
)

// item is one key: its versions, newest first, and the replicated puts that
// make its newest visible value.
type item struct {
	key  []byte // never changes; kv.Key of all versions
	name string // the same bytes
	// newest is the latest version; nil only before the first is added.
	newest *version
	// front is the writer of the visible value; meaningless while absent.
	front write
	// hidden are the other live puts, concurrent with front and less than it.
	hidden []livePut
	// stamp counts the remote transaction that touched the key last, and touch
	// is its index among the keys touched.
	stamp uint64
	touch int
}

// version is one version of one key. Only prev is ever changed, to cut history.
type version struct {
	kv   mvccpb.KeyValue // Version 0: a tombstone, with key and mod revision only
	item *item
	prev *version // the version before, nil if none or compacted
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
	// past names the operation instead of op where only its ID is known.
	past *dag.ID
}

// write names a write.
type write struct {
	origin *origin
	index  uint32
	birth  incarnation // the write that created the key's life
}

// incarnation names the write that created a key's life.
type incarnation struct {
	origin *origin
	index  uint32
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
