package powertest

import (
	"bytes"
	"os"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// Storage is a [Disk] under power: a goleveldb storage with SyncDir, which
// leveldb.OpenStorage takes. Get one from [Disk.Boot]. It is safe for
// concurrent use.
type Storage struct {
	d      *Disk
	locked bool // guarded by d.mu, as closed
	closed bool
}

var _ storage.Storage = (*Storage)(nil)

// Lock implements storage.Storage.
func (s *Storage) Lock() (storage.Locker, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.locked {
		return nil, storage.ErrLocked
	}
	s.locked = true
	return (*lock)(s), nil
}

type lock Storage

func (l *lock) Unlock() {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.locked = false
}

func (s *Storage) alive() error {
	if s.d.boot != s {
		return ErrPowerLoss
	}
	if s.closed {
		return storage.ErrClosed
	}
	return nil
}

// Log implements storage.Storage; it drops the text.
func (s *Storage) Log(string) {}

// SetMeta implements storage.Storage: atomic and durable.
func (s *Storage) SetMeta(fd storage.FileDesc) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	effect, err := s.d.change(s, SetMeta)
	if effect {
		s.d.meta, s.d.hasMeta = fd, true
		s.d.syncDir()
	}
	return s.d.settle(err)
}

// GetMeta implements storage.Storage.
func (s *Storage) GetMeta() (storage.FileDesc, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if err := s.alive(); err != nil {
		return storage.FileDesc{}, err
	}
	if !s.d.hasMeta || s.d.files[s.d.meta] == nil {
		return storage.FileDesc{}, os.ErrNotExist
	}
	return s.d.meta, nil
}

// List implements storage.Storage.
func (s *Storage) List(types storage.FileType) ([]storage.FileDesc, error) {
	s.d.mu.Lock()
	err := s.alive()
	s.d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.d.Files(types), nil
}

// Open implements storage.Storage. The reader sees the file as it is now.
func (s *Storage) Open(fd storage.FileDesc) (storage.Reader, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if err := s.alive(); err != nil {
		return nil, err
	}
	f := s.d.files[fd]
	if f == nil {
		return nil, os.ErrNotExist
	}
	return reader{bytes.NewReader(f.data[:len(f.data):len(f.data)])}, nil
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

// Create implements storage.Storage.
func (s *Storage) Create(fd storage.FileDesc) (storage.Writer, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	effect, err := s.d.change(s, Create)
	f := &file{}
	if effect {
		s.d.pend(change{to: &fd, file: f})
	}
	if err != nil {
		return nil, s.d.settle(err)
	}
	return &writer{s: s, f: f}, nil
}

// pend makes a change to the directory that is not durable yet.
func (d *Disk) pend(c change) {
	c.apply(d.files)
	d.pending = append(d.pending, c)
}

// Remove implements storage.Storage.
func (s *Storage) Remove(fd storage.FileDesc) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.files[fd] == nil {
		return os.ErrNotExist
	}
	effect, err := s.d.change(s, Remove)
	if effect {
		s.d.pend(change{from: &fd})
	}
	return s.d.settle(err)
}

// Rename implements storage.Storage.
func (s *Storage) Rename(from, to storage.FileDesc) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	f := s.d.files[from]
	if f == nil {
		return os.ErrNotExist
	}
	effect, err := s.d.change(s, Rename)
	if effect {
		s.d.pend(change{from: &from, to: &to, file: f})
	}
	return s.d.settle(err)
}

// SyncDir makes every change to the directory durable.
func (s *Storage) SyncDir() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	effect, err := s.d.change(s, SyncDir)
	if effect {
		s.d.syncDir()
	}
	return s.d.settle(err)
}

func (d *Disk) syncDir() {
	for _, c := range d.pending {
		c.apply(d.durable)
	}
	d.pending = nil
}

// Close implements storage.Storage. It syncs nothing.
func (s *Storage) Close() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.closed = true
	return nil
}

// writer appends to a file.
type writer struct {
	s *Storage
	f *file
}

func (w *writer) Write(p []byte) (int, error) {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	effect, err := w.s.d.change(w.s, Write)
	n := len(p)
	switch {
	case err == nil:
		n, err = w.s.d.fits(n)
	case !effect:
		n /= 2
	}
	if w.s.d.boot == w.s {
		w.f.data = append(w.f.data, p[:n]...)
	}
	return n, w.s.d.settle(err)
}

func (w *writer) Sync() error {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	effect, err := w.s.d.change(w.s, Sync)
	switch {
	case effect && !w.f.lost:
		w.f.synced = len(w.f.data)
	case err != nil && err != ErrPowerLoss:
		w.f.lost = true
	}
	return w.s.d.settle(err)
}

func (w *writer) Close() error {
	w.s.d.mu.Lock()
	defer w.s.d.mu.Unlock()
	return w.s.alive()
}
