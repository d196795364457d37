package leveldb

import (
	"fmt"
	"io"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// guard stands between goleveldb and a Storage. It gives what goleveldb
// does not (docs/store.md section 5):
//
//   - a file is entered durably in the directory before anything relies on it;
//   - a journal is synced before the next one begins, so that a synced write
//     vouches for everything before it and only the newest journal can be torn;
//   - the first failed write, sync, creation or switch of the manifest ends
//     all writing for good: nothing is retried, nothing removed;
//   - files found torn at open are read up to where they are whole.
type guard struct {
	Storage

	mu      sync.Mutex
	err     error // the first failure
	journal *guardedFile
	clip    map[storage.FileDesc]int64
	sizes   map[storage.FileDesc]int64

	ending Ending // set by inspect
}

func newGuard(st Storage) (*guard, error) {
	g := &guard{Storage: st, clip: map[storage.FileDesc]int64{}, sizes: map[storage.FileDesc]int64{}}
	fds, err := st.List(storage.TypeAll)
	if err != nil {
		return nil, err
	}
	for _, fd := range fds {
		r, err := st.Open(fd)
		if err != nil {
			return nil, err
		}
		n, err := r.Seek(0, io.SeekEnd)
		r.Close()
		if err != nil {
			return nil, err
		}
		g.sizes[fd] = n
	}
	return g, nil
}

// failed returns the first failure, nil if there was none.
func (g *guard) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// fail records the first failure and returns err with what failed.
func (g *guard) fail(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	return err
}

// size returns the bytes written to the files that exist.
func (g *guard) size() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	var n int64
	for _, s := range g.sizes {
		n += s
	}
	return n
}

// durable returns the current journal's number and how many bytes of it are synced.
func (g *guard) durable() (journal, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.journal == nil {
		return -1, 0
	}
	return g.journal.fd.Num, g.journal.synced
}

// syncJournal makes everything written so far durable. The store calls it
// with no write under way.
func (g *guard) syncJournal() error {
	g.mu.Lock()
	j := g.journal
	g.mu.Unlock()
	if j == nil || !j.dirty() {
		return g.failed()
	}
	return j.Sync()
}

func (g *guard) SyncDir() error {
	if err := g.failed(); err != nil {
		return err
	}
	if err := g.Storage.SyncDir(); err != nil {
		return g.fail("sync directory", err)
	}
	return nil
}

func (g *guard) Create(fd storage.FileDesc) (storage.Writer, error) {
	if err := g.failed(); err != nil {
		return nil, err
	}
	if fd.Type == storage.TypeJournal {
		if err := g.syncJournal(); err != nil {
			return nil, err
		}
	}
	w, err := g.Storage.Create(fd)
	if err != nil {
		return nil, g.fail(fmt.Sprintf("create %v", fd), err)
	}
	f := &guardedFile{g: g, fd: fd, w: w, unentered: true}
	g.mu.Lock()
	g.sizes[fd] = 0
	delete(g.clip, fd)
	g.mu.Unlock()
	if fd.Type == storage.TypeJournal {
		// Now, not at the first sync, so that a later journal that exists
		// after a power loss implies this one.
		if err := f.enter(); err != nil {
			w.Close()
			return nil, err
		}
		g.mu.Lock()
		g.journal = f
		g.mu.Unlock()
	}
	return f, nil
}

func (g *guard) Open(fd storage.FileDesc) (storage.Reader, error) {
	r, err := g.Storage.Open(fd)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	n, clipped := g.clip[fd]
	g.mu.Unlock()
	if !clipped {
		return r, nil
	}
	return &clippedReader{SectionReader: io.NewSectionReader(r, 0, n), Closer: r}, nil
}

func (g *guard) Remove(fd storage.FileDesc) error {
	if err := g.failed(); err != nil {
		return err
	}
	err := g.Storage.Remove(fd)
	if err == nil {
		g.mu.Lock()
		delete(g.sizes, fd)
		g.mu.Unlock()
	}
	return err
}

func (g *guard) Rename(from, to storage.FileDesc) error {
	if err := g.failed(); err != nil {
		return err
	}
	if err := g.Storage.Rename(from, to); err != nil {
		return g.fail(fmt.Sprintf("rename %v to %v", from, to), err)
	}
	g.mu.Lock()
	g.sizes[to] = g.sizes[from]
	delete(g.sizes, from)
	g.mu.Unlock()
	return g.SyncDir()
}

func (g *guard) SetMeta(fd storage.FileDesc) error {
	if err := g.failed(); err != nil {
		return err
	}
	if err := g.Storage.SetMeta(fd); err != nil {
		return g.fail(fmt.Sprintf("switch to %v", fd), err)
	}
	return nil
}

// clippedReader is a storage.Reader of a file's first bytes.
type clippedReader struct {
	*io.SectionReader
	io.Closer
}

// guardedFile is a file being written. goleveldb writes a file from one
// goroutine at a time; written and synced are under the guard's mutex as
// durable reads them.
type guardedFile struct {
	g         *guard
	fd        storage.FileDesc
	w         storage.Writer
	unentered bool // its directory entry is not known to be durable

	written, synced int64
}

func (f *guardedFile) dirty() bool {
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	return f.synced < f.written
}

func (f *guardedFile) Write(p []byte) (int, error) {
	if err := f.g.failed(); err != nil {
		return 0, err
	}
	n, err := f.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	f.g.mu.Lock()
	f.written += int64(n)
	f.g.sizes[f.fd] += int64(n)
	f.g.mu.Unlock()
	if err != nil {
		return n, f.g.fail(fmt.Sprintf("write %v", f.fd), err)
	}
	return n, nil
}

func (f *guardedFile) Sync() error {
	if err := f.g.failed(); err != nil {
		return err
	}
	f.g.mu.Lock()
	written := f.written
	f.g.mu.Unlock()
	if err := f.w.Sync(); err != nil {
		return f.g.fail(fmt.Sprintf("sync %v", f.fd), err)
	}
	if err := f.enter(); err != nil {
		return err
	}
	f.g.mu.Lock()
	f.synced = written
	f.g.mu.Unlock()
	return nil
}

// enter makes the file's directory entry durable.
func (f *guardedFile) enter() error {
	if !f.unentered {
		return nil
	}
	if err := f.g.SyncDir(); err != nil {
		return err
	}
	f.unentered = false
	return nil
}

func (f *guardedFile) Close() error {
	var err error
	if f.fd.Type == storage.TypeJournal && f.dirty() {
		err = f.Sync()
	}
	if cerr := f.w.Close(); cerr != nil && err == nil {
		err = f.g.fail(fmt.Sprintf("close %v", f.fd), cerr)
	}
	return err
}
