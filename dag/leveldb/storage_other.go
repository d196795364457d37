//go:build !linux

package leveldb

import (
	"syscall"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

func preallocate(syscall.RawConn, int64) error { return nil }

func datasync(_ syscall.RawConn, w storage.Syncer) error { return w.Sync() }
