// Package powertest is a disk that loses power and fails, in memory, for tests of
// what is built on dag/leveldb.
//
//	disk := powertest.New(seed)
//	s, err := leveldb.OpenStorage(disk.Boot(), leveldb.Options{})
//	...                // write, sync, check
//	disk.PowerLoss()   // s is dead: every call on the old storage fails
//	s.Close()          // fails too, but ends goroutines
//	s, err = leveldb.OpenStorage(disk.Boot(), leveldb.Options{})
//
// A power loss keeps what was synced and leaves to the seed what becomes of the
// rest: of bytes that were not synced all, none, a prefix cut at any byte, or
// any of their sectors (the others read as zeros) survive; of files created,
// renamed or removed since the directory was synced, any. That is what POSIX
// allows and what journaling file systems do, except that nothing here shows
// bytes of other files.
//
// Faults are for single calls: [Disk.FailAt], [Disk.LosePowerAt] and
// [Disk.Full]. A failed sync behaves as Linux does: the bytes it was to sync are
// never made durable by a later sync that succeeds.
//
// The same seed and the same calls in the same order give the same losses.
package powertest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// ErrPowerLoss is what every call on a storage returns once its disk lost power.
var ErrPowerLoss = errors.New("powertest: power loss")

// sector is the unit, in bytes, that is written whole or not at all.
const sector = 512

// Op is a kind of call that changes the disk.
type Op int

// The calls that [Disk.FailAt] knows.
const (
	Create Op = iota
	Write
	Sync
	SyncDir
	SetMeta
	Rename
	Remove
	numOps
)

var opNames = [numOps]string{"create", "write", "sync", "sync directory", "set meta", "rename", "remove"}

// String returns the call's name.
func (o Op) String() string { return opNames[o] }

// Disk is the medium. It outlives the storages booted on it. Make one with
// [New]. It is safe for concurrent use.
type Disk struct {
	mu   sync.Mutex
	rand *rand.Rand
	boot *Storage // the one that has power

	files   map[storage.FileDesc]*file // as the running system sees them
	durable map[storage.FileDesc]*file // directory entries that are synced
	pending []change                   // to the directory, not synced
	meta    storage.FileDesc           // durable, as its contract asks
	hasMeta bool

	preallocate int
	full        bool
	capacity    int64 // bytes left, while full
	faults      [numOps]*fault
	changes     int // calls that changed the disk since it was made
	loseAt      int // changes at which the power goes; 0: never
}

// file is a file's content. Its first synced bytes are durable.
type file struct {
	data   []byte
	synced int
	lost   bool // a sync failed: no later one makes more durable
}

// change is a change to the directory: to is created, from removed, or both.
type change struct {
	from, to *storage.FileDesc
	file     *file
}

// fault fails the nth call from now.
type fault struct {
	nth int
	err error
}

// New returns an empty disk whose losses are drawn from seed.
func New(seed uint64) *Disk {
	return &Disk{
		rand:    rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		files:   map[storage.FileDesc]*file{},
		durable: map[storage.FileDesc]*file{},
	}
}

// Preallocate makes a power loss leave journals of n bytes, with zeros at the
// end, as a file system does that reserves their space. Zero, the default,
// turns it off.
func (d *Disk) Preallocate(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.preallocate = n
}

// Boot returns the disk's content as a storage for leveldb.OpenStorage. The
// one booted before loses power, without a loss of bytes: use it for what
// follows a clean shutdown or [Disk.PowerLoss].
func (d *Disk) Boot() *Storage {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loseAt = 0
	d.boot = &Storage{d: d}
	return d.boot
}

// PowerLoss takes the power off: the booted storage is dead from now on, and
// what was not synced is lost as the seed will have it.
func (d *Disk) PowerLoss() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.powerLoss()
}

// powerLoss is PowerLoss with mu held.
func (d *Disk) powerLoss() {
	if d.boot == nil {
		return
	}
	d.boot = nil
	for _, c := range d.pending {
		if d.rand.IntN(2) == 0 {
			c.apply(d.durable)
		}
	}
	d.pending = nil
	d.files = maps.Clone(d.durable)
	seen := map[*file]bool{}
	for _, fd := range d.sorted() {
		f := d.files[fd]
		if seen[f] {
			continue
		}
		seen[f] = true
		f.lose(d.rand)
		if fd.Type == storage.TypeJournal && len(f.data) < d.preallocate {
			f.data = append(f.data, make([]byte, d.preallocate-len(f.data))...)
		}
		f.synced, f.lost = len(f.data), false
	}
}

func (c change) apply(dir map[storage.FileDesc]*file) {
	if c.from != nil {
		delete(dir, *c.from)
	}
	if c.to != nil {
		dir[*c.to] = c.file
	}
}

// lose drops unsynced bytes.
func (f *file) lose(r *rand.Rand) {
	unsynced := len(f.data) - f.synced
	if unsynced == 0 {
		return
	}
	f.data = slices.Clone(f.data) // open readers keep the old bytes
	switch r.IntN(4) {
	case 0: // none survives
		f.data = f.data[:f.synced]
	case 1: // all survive
	case 2: // a prefix survives
		f.data = f.data[:f.synced+r.IntN(unsynced)]
	case 3: // some sectors survive, those at the end by the file's size
		f.data = f.data[:f.synced+1+r.IntN(unsynced)]
		for from := f.synced; from < len(f.data); {
			to := min((from/sector+1)*sector, len(f.data))
			if r.IntN(2) == 0 {
				clear(f.data[from:to])
			}
			from = to
		}
	}
}

// sorted returns the files in a fixed order.
func (d *Disk) sorted() []storage.FileDesc {
	return slices.SortedFunc(maps.Keys(d.files), func(a, b storage.FileDesc) int {
		if a.Type != b.Type {
			return int(a.Type) - int(b.Type)
		}
		return int(a.Num - b.Num)
	})
}

// FailAt makes the nth call of op from now, counted from 1, fail with err, and
// only that one. A write that fails has written half of its bytes. A nil err
// takes a fault back that did not happen yet.
func (d *Disk) FailAt(op Op, nth int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[op] = nil
	if err != nil {
		d.faults[op] = &fault{nth: nth, err: err}
	}
}

// Full lets n more bytes be written; then writes are cut short with ENOSPC,
// until Full is called with a negative n.
func (d *Disk) Full(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.capacity = n >= 0, n
}

// LosePowerAt takes the power off at the nth changing call from now, counted
// from 1: that call may or may not have taken effect. [Disk.Boot] takes it back.
func (d *Disk) LosePowerAt(nth int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loseAt = d.changes + nth
}

// Changes returns how many calls have changed the disk so far, to bound
// [Disk.LosePowerAt] by.
func (d *Disk) Changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// HasPower reports whether the storage booted last still runs.
func (d *Disk) HasPower() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.boot != nil
}

// Files returns the files of the given types, sorted by type and number.
func (d *Disk) Files(types storage.FileType) []storage.FileDesc {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(d.sorted(), func(fd storage.FileDesc) bool { return fd.Type&types == 0 })
}

// Content returns a copy of a file's bytes, nil if it does not exist.
func (d *Disk) Content(fd storage.FileDesc) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[fd]; f != nil {
		return append([]byte{}, f.data...)
	}
	return nil
}

// Tamper replaces a file's bytes, durably, as bit rot or a careless hand would;
// nil removes the file. Nothing may have it open.
func (d *Disk) Tamper(fd storage.FileDesc, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if data == nil {
		delete(d.files, fd)
		delete(d.durable, fd)
		return
	}
	f := &file{data: slices.Clone(data), synced: len(data)}
	d.files[fd], d.durable[fd] = f, f
}

// Clone returns a disk of the same content, with power off and no faults, and
// its own seed.
func (d *Disk) Clone(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := New(seed)
	for fd, f := range d.files {
		g := &file{data: slices.Clone(f.data), synced: len(f.data)}
		c.files[fd], c.durable[fd] = g, g
	}
	c.meta, c.hasMeta = d.meta, d.hasMeta
	return c
}

// change accounts for a changing call of st, and says whether it is to take
// effect and what it returns. mu is held.
func (d *Disk) change(st *Storage, op Op) (effect bool, err error) {
	if d.boot != st {
		return false, ErrPowerLoss
	}
	if st.closed {
		return false, storage.ErrClosed
	}
	d.changes++
	if d.loseAt != 0 && d.changes >= d.loseAt {
		return d.rand.IntN(2) == 0, ErrPowerLoss
	}
	if f := d.faults[op]; f != nil {
		if f.nth--; f.nth == 0 {
			d.faults[op] = nil
			return false, fmt.Errorf("%v: %w", op, f.err)
		}
	}
	return true, nil
}

// settle ends a changing call: it takes the power off if that was its lot.
func (d *Disk) settle(err error) error {
	if err == ErrPowerLoss {
		d.powerLoss()
	}
	return err
}

// fits returns how many of n bytes still fit on the disk.
func (d *Disk) fits(n int) (int, error) {
	if !d.full {
		return n, nil
	}
	if int64(n) <= d.capacity {
		d.capacity -= int64(n)
		return n, nil
	}
	n = int(d.capacity)
	d.capacity = 0
	return n, syscall.ENOSPC
}
