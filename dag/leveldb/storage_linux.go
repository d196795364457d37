package leveldb

import (
	"errors"
	"os"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb/storage"
	"golang.org/x/sys/unix"
)

// preallocate reserves n bytes for a file and extends it to that size with
// zeros. Where the file system cannot, it does nothing.
func preallocate(raw syscall.RawConn, n int64) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = retryInterrupted(func() error { return unix.Fallocate(int(fd), 0, 0, n) })
	}); cerr != nil {
		return cerr
	}
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return os.NewSyscallError("fallocate", err)
}

func datasync(raw syscall.RawConn, _ storage.Syncer) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = retryInterrupted(func() error { return unix.Fdatasync(int(fd)) })
	}); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("fdatasync", err)
}

// retryInterrupted repeats a call that a signal interrupted, as package os
// does. No other error is ever tried again.
func retryInterrupted(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
