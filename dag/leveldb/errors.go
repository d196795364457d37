package leveldb

import (
	"errors"
	"fmt"
	"io"
	"os"

	lerrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/journal"
	"github.com/syndtr/goleveldb/leveldb/table"

	"github.com/causeway-sync/causeway/dag"
)

// Errors of [Open] and [OpenStorage], beside those of package dag.
var (
	// ErrLocked says that another process, or another Store of this one, has
	// the directory open.
	ErrLocked = errors.New("dag/leveldb: store is in use by another process")
	// ErrFormat says that the directory holds a store of another format
	// version.
	ErrFormat = errors.New("dag/leveldb: unknown store format")
	// ErrMissing says that there is no store, though Options.MustExist was set.
	ErrMissing = errors.New("dag/leveldb: no store")
)

// Reasons inside a [dag.CorruptError].
var (
	errGap       = errors.New("record is missing")
	errChain     = errors.New("chained hash does not follow from the record before")
	errHash      = errors.New("chained hash does not match the record")
	errMoved     = errors.New("record of another index")
	errMalformed = errors.New("malformed value")
	errChecksum  = errors.New("checksum mismatch")
	errMark      = errors.New("last record is not the one that the mark names")
	errNoMark    = errors.New("mark is missing")
	errOpIndex   = errors.New("record does not name this op")
	errUnindexed = errors.New("op of a record is not indexed")
)

// corruptAt returns a *dag.CorruptError.
func corruptAt(key string, offset int64, reason error) error {
	return &dag.CorruptError{Key: key, Offset: offset, Err: reason}
}

// asCorrupt turns an error of goleveldb met while reading key into a
// *dag.CorruptError if it means damaged or missing bytes, and wraps it
// otherwise.
func asCorrupt(key string, err error) error {
	var already *dag.CorruptError
	if errors.As(err, &already) {
		return err
	}
	offset := int64(-1)
	if lc, ok := err.(*lerrors.ErrCorrupted); ok {
		switch e := lc.Err.(type) {
		case *table.ErrCorrupted:
			offset = e.Pos
		case *lerrors.ErrMissingFiles:
			err = fmt.Errorf("%w: %v", err, e.Fds)
		case *journal.ErrCorrupted:
		}
		return corruptAt(key, offset, err)
	}
	// A file shorter than the manifest says, or gone, is damage as well.
	if lerrors.IsCorrupted(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist) {
		return corruptAt(key, offset, err)
	}
	return fmt.Errorf("dag/leveldb: read %s: %w", key, err)
}
