package leveldb

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// inspect reads the manifest and the journals before goleveldb does. It
// decides what goleveldb cannot: whether the end of a file is torn, which is
// what a power loss may do to bytes that were never synced, or damaged. A torn
// file is from now on read up to its last whole record; a damaged one is a
// *dag.CorruptError. The files themselves are left as they are. empty says that there is no
// store yet.
func (g *guard) inspect() (empty bool, err error) {
	manifest, err := g.Storage.GetMeta()
	if errors.Is(err, os.ErrNotExist) {
		return g.inspectNew()
	}
	if err != nil {
		return false, asCorrupt("CURRENT", err)
	}
	if err := g.inspectManifest(manifest); err != nil {
		return false, err
	}
	journals, err := g.Storage.List(storage.TypeJournal)
	if err != nil {
		return false, err
	}
	slices.SortFunc(journals, func(a, b storage.FileDesc) int { return cmp.Compare(a.Num, b.Num) })
	newer := 0 // records in newer journals
	g.ending.Closed = true
	for _, fd := range slices.Backward(journals) {
		lone := true // the last batch holds a mark and nothing else, or there is none
		last := func(record []byte) { lone = len(record) == loneMark }
		st, err := g.inspectFile(fd, true, last, func(batch []byte) (int64, uint64) { return batchClaim(batch, fd.Num) })
		if err != nil {
			return false, err
		}
		// A journal is synced to its end before the next one gets a record.
		if st.damaged && (!st.torn || newer > 0) {
			return false, corruptAt(fd.String(), st.at, errors.New(st.reason))
		}
		if st.damaged {
			g.ending = Ending{Torn: fd.String(), At: st.at}
		}
		if newer == 0 && !lone {
			g.ending.Closed = false
		}
		newer += st.records
	}
	return false, nil
}

// inspectManifest judges the current manifest, and checks that the journal from
// which it says to replay exists.
func (g *guard) inspectManifest(fd storage.FileDesc) error {
	var journal int64
	var malformed error
	visit := func(record []byte) {
		if malformed == nil {
			journal, malformed = manifestJournal(record, journal)
		}
	}
	// An entry is synced before the next is written, so a whole one behind
	// the damage says that the damaged one was synced.
	st, err := g.inspectFile(fd, false, visit, func([]byte) (int64, uint64) { return math.MaxInt64, 0 })
	switch {
	case err != nil:
		return err
	case st.damaged && !st.torn:
		return corruptAt(fd.String(), st.at, errors.New(st.reason))
	case malformed != nil:
		return corruptAt(fd.String(), -1, malformed)
	case journal == 0: // the store was created just before a crash
		return nil
	}
	need := storage.FileDesc{Type: storage.TypeJournal, Num: journal}
	g.mu.Lock()
	_, exists := g.sizes[need]
	g.mu.Unlock()
	if !exists {
		return corruptAt(need.String(), -1, os.ErrNotExist)
	}
	return nil
}

func (g *guard) inspectFile(fd storage.FileDesc, zeroFree bool, visit func([]byte), claim claimFunc) (journalState, error) {
	r, err := g.Storage.Open(fd)
	if err != nil {
		return journalState{}, asCorrupt(fd.String(), err)
	}
	b, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return journalState{}, fmt.Errorf("dag/leveldb: read %v: %w", fd, err)
	}
	st := inspectJournal(b, zeroFree, visit, claim)
	g.mu.Lock()
	g.clip[fd] = st.clean
	g.mu.Unlock()
	if st.damaged && st.torn {
		g.Log(fmt.Sprintf("causeway@open %v torn at %d (%s): reading %d bytes of %d", fd, st.at, st.reason, st.clean, len(b)))
	}
	return st, nil
}

// inspectNew handles a storage without a current manifest: it holds nothing,
// or the very first manifest of a creation that was cut short, which is
// removed. Anything else was a store and is damaged.
func (g *guard) inspectNew() (empty bool, err error) {
	fds, err := g.Storage.List(storage.TypeAll)
	if err != nil {
		return false, err
	}
	first := storage.FileDesc{Type: storage.TypeManifest, Num: 0}
	for _, fd := range fds {
		if fd != first {
			return false, corruptAt("CURRENT", -1, fmt.Errorf("missing, though there is %v", fd))
		}
	}
	for _, fd := range fds {
		if err := g.Remove(fd); err != nil {
			return false, err
		}
	}
	return true, nil
}
