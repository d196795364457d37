package leveldb

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// Storage is where a store keeps its files: goleveldb's storage, and the one
// thing it lacks. The store takes care of what must be synced and when; a
// Storage only does as it is told. It must be safe for concurrent use.
//
// [OpenDisk] is the one to use; package powertest has one that loses power.
type Storage interface {
	storage.Storage

	// SyncDir makes the creation, renaming and removal of files durable.
	SyncDir() error
}

// disk is a Storage in a directory of the file system: goleveldb's own, with
// journals preallocated and synced by fdatasync, and with a CURRENT file that
// must be sound.
type disk struct {
	storage.Storage
	dir string
}

// OpenDisk opens the directory, which it creates (mode 0700) if need be, and
// locks it. The error wraps [ErrLocked] if it is in use. The Storage is for
// [OpenStorage] and belongs to the caller, who closes it after the store.
func OpenDisk(dir string) (Storage, error) { return openDisk(dir, false) }

// openDisk is OpenDisk. If readOnly it creates and writes nothing, and the lock
// is shared; the error wraps [ErrMissing] if there is no such directory.
func openDisk(dir string, readOnly bool) (Storage, error) {
	if readOnly {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrMissing, dir)
		}
	} else if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("dag/leveldb: %w", err)
	}
	st, err := storage.OpenFile(dir, readOnly)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("dag/leveldb: %w", err)
	}
	return &disk{Storage: st, dir: dir}, nil
}

// makeDir creates dir and makes its entry in the parent durable.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

func (d *disk) SyncDir() error { return syncDir(d.dir) }

// syncDir fsyncs a directory. File systems that cannot (EINVAL) have nothing
// to be synced.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// GetMeta returns the manifest that CURRENT names. goleveldb falls back to
// CURRENT.bak, and thereby to an older state, where CURRENT is damaged or
// missing; here that is an error.
func (d *disk) GetMeta() (storage.FileDesc, error) {
	b, err := os.ReadFile(filepath.Join(d.dir, "CURRENT"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Join(d.dir, "CURRENT.bak")); err == nil {
			return storage.FileDesc{}, &storage.ErrCorrupted{Err: errors.New("CURRENT is missing")}
		}
	case err != nil:
		return storage.FileDesc{}, err
	default:
		name, whole := bytes.CutSuffix(b, []byte("\n"))
		if _, err := os.Stat(filepath.Join(d.dir, filepath.Base(string(name)))); !whole || !bytes.HasPrefix(name, []byte("MANIFEST-")) || err != nil {
			return storage.FileDesc{}, &storage.ErrCorrupted{Err: fmt.Errorf("CURRENT names no manifest: %q", b)}
		}
	}
	return d.Storage.GetMeta()
}

func (d *disk) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := d.Storage.Create(fd)
	if err != nil || fd.Type != storage.TypeJournal {
		return w, err
	}
	// goleveldb's writer is an *os.File underneath.
	conn, ok := w.(syscall.Conn)
	if !ok {
		return w, nil
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = preallocate(raw, preallocated)
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("preallocate %v: %w", fd, err)
	}
	return &journalFile{Writer: w, raw: raw}, nil
}

// journalFile syncs its data alone: its size was settled, as far as it was
// preallocated, and fdatasync writes a new size too where it must.
type journalFile struct {
	storage.Writer
	raw syscall.RawConn
}

func (f *journalFile) Sync() error { return datasync(f.raw, f.Writer) }
