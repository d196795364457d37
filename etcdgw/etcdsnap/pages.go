package etcdsnap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
)

// bbolt's file format: numbers are little-endian on every machine that etcd
// supports.
const (
	pageHeaderSize = 16 // id:8 flags:2 count:2 overflow:4
	elementSize    = 16 // branch: pos:4 ksize:4 page:8; leaf: flags:4 pos:4 ksize:4 vsize:4
	metaSize       = 64 // magic, version, page size, flags:4 each, root:8 sequence:8, freelist:8 pages:8 txid:8 checksum:8
	bucketSize     = 16 // root:8 sequence:8

	metaMagic   = 0xED0CDAED
	metaVersion = 2

	flagBranch = 0x01
	flagLeaf   = 0x02

	flagBucket = 0x01 // of a leaf's element: its value is a bucket
)

const (
	// minPageSize and maxPageSize bound the size of a page in bytes: a database's
	// is that of the machine it was made on.
	minPageSize, maxPageSize = 512, 64 << 10
	// maxNode bounds a page with its overflow, in bytes: a key-value
	// is in one piece. etcd's requests are far smaller.
	maxNode = 512 << 20
	// maxDepth bounds the levels of a bucket's tree: with two entries a page
	// the greatest file has fewer.
	maxDepth = 64
)

// database reads a bbolt database strictly. It is for one goroutine.
type database struct {
	r        io.ReaderAt
	pageSize uint64
	pages    uint64 // pages in use: all others have a lesser number
	root     uint64 // of the bucket of buckets
	visited  []uint64
}

// openDatabase reads the header of a database of size bytes.
func openDatabase(r io.ReaderAt, size int64) (*database, error) {
	best, found := meta{}, false
	m, err := readMeta(r, 0, size)
	switch {
	case err == nil:
		best, found = m, true
		if m, err := readMeta(r, int64(m.pageSize), size); err == nil && m.pageSize == best.pageSize && m.txid > best.txid {
			best = m
		}
	case !errors.Is(err, ErrCorrupt):
		return nil, err
	}
	// Where the first header is torn the second one counts; its place is the
	// size of a page, which only it knows.
	for p := int64(minPageSize); p <= maxPageSize && !found; p *= 2 {
		if m, err := readMeta(r, p, size); err == nil && int64(m.pageSize) == p {
			best, found = m, true
		}
	}
	if !found {
		return nil, err
	}
	if best.pages > uint64(size)/best.pageSize || best.root < 2 || best.root >= best.pages {
		return nil, fmt.Errorf("%w: it has been cut off: %d pages of %d bytes in %d bytes", ErrCorrupt, best.pages, best.pageSize, size)
	}
	return &database{
		r: r, pageSize: best.pageSize, pages: best.pages, root: best.root,
		visited: make([]uint64, (best.pages+63)/64),
	}, nil
}

// size returns the bytes in use.
func (d *database) size() int64 { return int64(d.pages * d.pageSize) }

type meta struct{ pageSize, root, pages, txid uint64 }

func readMeta(r io.ReaderAt, at, size int64) (meta, error) {
	if at+pageHeaderSize+metaSize > size {
		return meta{}, fmt.Errorf("%w: it is too short", ErrCorrupt)
	}
	b := make([]byte, metaSize)
	if _, err := r.ReadAt(b, at+pageHeaderSize); err != nil {
		return meta{}, err
	}
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	m := meta{
		pageSize: uint64(binary.LittleEndian.Uint32(b[8:])),
		root:     binary.LittleEndian.Uint64(b[16:]),
		pages:    binary.LittleEndian.Uint64(b[40:]),
		txid:     binary.LittleEndian.Uint64(b[48:]),
	}
	switch {
	case binary.LittleEndian.Uint32(b) != metaMagic:
		return meta{}, fmt.Errorf("%w: it does not begin as a database does", ErrCorrupt)
	case binary.LittleEndian.Uint32(b[4:]) != metaVersion:
		return meta{}, fmt.Errorf("%w: database version %d", ErrCorrupt, binary.LittleEndian.Uint32(b[4:]))
	case binary.LittleEndian.Uint64(b[56:]) != h.Sum64():
		return meta{}, fmt.Errorf("%w: its header is damaged", ErrCorrupt)
	case m.pageSize < minPageSize || m.pageSize > maxPageSize || bits.OnesCount64(m.pageSize) != 1:
		return meta{}, fmt.Errorf("%w: pages of %d bytes", ErrCorrupt, m.pageSize)
	}
	return m, nil
}

// node is a page with its overflow, or the page inside a small bucket.
type node struct {
	id     uint64 // 0 inside a bucket
	branch bool
	count  int
	b      []byte
}

func (n *node) corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrCorrupt, n.id, fmt.Sprintf(format, args...))
}

// read reads page id, which must not have been read since the last reset.
func (d *database) read(id uint64) (*node, error) {
	n := &node{id: id}
	if id < 2 || id >= d.pages {
		return nil, n.corrupt("there are %d", d.pages)
	}
	var header [pageHeaderSize]byte
	at := int64(id * d.pageSize)
	if _, err := d.r.ReadAt(header[:], at); err != nil {
		return nil, err
	}
	overflow := uint64(binary.LittleEndian.Uint32(header[12:]))
	if got := binary.LittleEndian.Uint64(header[:]); got != id {
		return nil, n.corrupt("it says that it is page %d", got)
	}
	if overflow >= d.pages-id {
		return nil, n.corrupt("it reaches beyond the end")
	}
	if overflow+1 > maxNode/d.pageSize {
		return nil, n.corrupt("it has more than %d bytes", maxNode)
	}
	for p := id; p <= id+overflow; p++ {
		if d.visited[p/64]&(1<<(p%64)) != 0 {
			return nil, n.corrupt("it is used twice")
		}
		d.visited[p/64] |= 1 << (p % 64)
	}
	n.b = make([]byte, (overflow+1)*d.pageSize)
	if _, err := d.r.ReadAt(n.b, at); err != nil {
		return nil, err
	}
	return n, n.open()
}

// open reads the header of a node's bytes.
func (n *node) open() error {
	if len(n.b) < pageHeaderSize {
		return n.corrupt("it is too short")
	}
	n.count = int(binary.LittleEndian.Uint16(n.b[10:]))
	switch flags := binary.LittleEndian.Uint16(n.b[8:]); flags {
	case flagBranch:
		n.branch = true
	case flagLeaf:
	default:
		return n.corrupt("flags %#x", flags)
	}
	if pageHeaderSize+n.count*elementSize > len(n.b) {
		return n.corrupt("it has no room for %d entries", n.count)
	}
	return nil
}

// slice returns size bytes of an element, pos from its beginning, and where
// they end. They must not begin before from: entries do not share bytes,
// so what a file makes us read is bounded by its size.
func (n *node) slice(element int, pos, size, from uint64) (b []byte, end uint64, err error) {
	begin := uint64(pageHeaderSize+element*elementSize) + pos
	end = begin + size
	if begin < from || end > uint64(len(n.b)) {
		return nil, 0, n.corrupt("entry %d lies outside", element)
	}
	return n.b[begin:end:end], end, nil
}

// entry is a key with its value in a bucket.
type entry struct {
	key, value []byte
	bucket     bool // the value is a bucket
}

// walk calls fn with the entries of the tree at page root, in order. Slices
// are fn's to keep, but hold their whole page in memory.
func (d *database) walk(root uint64, fn func(entry) error) error {
	w := walker{d: d, fn: fn}
	n, err := d.read(root)
	if err != nil {
		return err
	}
	return w.node(n, 0)
}

// walker is a pass over one bucket.
type walker struct {
	d    *database
	fn   func(entry) error
	last []byte // key of the entry before; empty before the first
}

func (w *walker) node(n *node, depth int) error {
	if depth > maxDepth {
		return n.corrupt("it is too deep")
	}
	if n.branch {
		return w.branch(n, depth)
	}
	from := uint64(pageHeaderSize + n.count*elementSize)
	for i := range n.count {
		e := n.b[pageHeaderSize+i*elementSize:]
		flags, pos := binary.LittleEndian.Uint32(e), uint64(binary.LittleEndian.Uint32(e[4:]))
		ksize, vsize := uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[12:]))
		both, end, err := n.slice(i, pos, ksize+vsize, from)
		if err != nil {
			return err
		}
		from = end
		key := both[:ksize:ksize]
		switch {
		case flags&^flagBucket != 0:
			return n.corrupt("entry %d has flags %#x", i, flags)
		case bytes.Compare(key, w.last) <= 0: // also an empty key
			return n.corrupt("entry %d is out of order", i)
		}
		w.last = key
		if err := w.fn(entry{key: key, value: both[ksize:], bucket: flags == flagBucket}); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) branch(n *node, depth int) error {
	if n.count == 0 {
		return n.corrupt("it has no entries")
	}
	for i := range n.count {
		child, err := w.d.read(binary.LittleEndian.Uint64(n.b[pageHeaderSize+i*elementSize+8:]))
		if err != nil {
			return err
		}
		if err := w.node(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// walkBucket calls fn with the entries of the bucket that value describes.
func (d *database) walkBucket(value []byte, fn func(entry) error) error {
	if len(value) < bucketSize {
		return fmt.Errorf("%w: a bucket of %d bytes", ErrCorrupt, len(value))
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return d.walk(root, fn)
	}
	n := &node{b: value[bucketSize:]}
	if err := n.open(); err != nil {
		return err
	}
	if n.branch {
		return n.corrupt("a branch inside a bucket")
	}
	w := walker{d: d, fn: fn}
	return w.node(n, 0)
}

// reset lets every page be read once more.
func (d *database) reset() { clear(d.visited) }
