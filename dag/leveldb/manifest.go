package leveldb

import (
	"encoding/binary"
	"errors"
)

// Tags of the fields of a LevelDB manifest's records.
const (
	tagComparer    = 1
	tagJournal     = 2
	tagNextFile    = 3
	tagSequence    = 4
	tagCompaction  = 5
	tagDeleted     = 6
	tagAdded       = 7
	tagPrevJournal = 9
)

var errManifest = errors.New("malformed manifest record")

// manifestJournal returns the journal number that a manifest's record sets,
// or was if it sets none. goleveldb replays the journals from that number on,
// and does not notice when that one is missing.
func manifestJournal(record []byte, was int64) (int64, error) {
	ok := true
	number := func() uint64 {
		v, n := binary.Uvarint(record)
		if n <= 0 {
			ok = false
			return 0
		}
		record = record[n:]
		return v
	}
	text := func() {
		n := number()
		if n > uint64(len(record)) {
			ok = false
			return
		}
		record = record[n:]
	}
	for ok && len(record) > 0 {
		switch number() {
		case tagComparer:
			text()
		case tagJournal:
			was = int64(number())
		case tagNextFile, tagSequence, tagPrevJournal:
			number()
		case tagCompaction: // level, key
			number()
			text()
		case tagDeleted: // level, file
			number()
			number()
		case tagAdded: // level, file, size, first and last key
			number()
			number()
			number()
			text()
			text()
		default:
			ok = false
		}
	}
	if !ok {
		return 0, errManifest
	}
	return was, nil
}
