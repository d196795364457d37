package powertest_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/causeway-sync/causeway/dag/leveldb/powertest"
)

var journal = storage.FileDesc{Type: storage.TypeJournal, Num: 1}

func create(t *testing.T, st *powertest.Storage, fd storage.FileDesc) storage.Writer {
	t.Helper()
	w, err := st.Create(fd)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// survivors plays the same losses for many seeds and returns what was left of
// the journal each time, nil for no file.
func survivors(t *testing.T, play func(st *powertest.Storage)) [][]byte {
	t.Helper()
	var left [][]byte
	for seed := range uint64(200) {
		d := powertest.New(seed)
		st := d.Boot()
		play(st)
		d.PowerLoss()
		if _, err := st.List(storage.TypeAll); !errors.Is(err, powertest.ErrPowerLoss) {
			t.Fatalf("List after the loss = %v, want ErrPowerLoss", err)
		}
		var b []byte
		if r, err := d.Boot().Open(journal); err == nil {
			b, err = io.ReadAll(r)
			must(t, err)
			b = append([]byte{}, b...)
		}
		left = append(left, b)
	}
	return left
}

func TestLoss(t *testing.T) {
	synced, rest := bytes.Repeat([]byte("s"), 700), bytes.Repeat([]byte("u"), 2000)
	var none, all, some, zeros int
	for _, b := range survivors(t, func(st *powertest.Storage) {
		w := create(t, st, journal)
		must(t, st.SyncDir())
		_, err := w.Write(synced)
		must(t, err)
		must(t, w.Sync())
		_, err = w.Write(rest)
		must(t, err)
	}) {
		if !bytes.HasPrefix(b, synced) {
			t.Fatalf("synced bytes are lost: %d left", len(b))
		}
		switch tail := b[len(synced):]; {
		case len(tail) == 0:
			none++
		case bytes.Equal(tail, rest):
			all++
		case bytes.IndexByte(tail, 0) >= 0:
			zeros++
		default:
			some++
		}
	}
	if none == 0 || all == 0 || some == 0 || zeros == 0 {
		t.Errorf("none %d, all %d, a prefix %d, sectors %d: want some of each", none, all, some, zeros)
	}
}

func TestDirectoryNotSynced(t *testing.T) {
	gone := 0
	for _, b := range survivors(t, func(st *powertest.Storage) {
		w := create(t, st, journal)
		_, err := w.Write([]byte("x"))
		must(t, err)
		must(t, w.Sync())
	}) {
		if b == nil {
			gone++
		}
	}
	if gone == 0 || gone == 200 {
		t.Errorf("the file is gone in %d of 200 losses, want in some", gone)
	}
}

func TestFailedSyncIsForGood(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		d := powertest.New(seed)
		st := d.Boot()
		w := create(t, st, journal)
		must(t, st.SyncDir())
		_, err := w.Write([]byte("x"))
		must(t, err)
		eio := errors.New("input/output error")
		d.FailAt(powertest.Sync, 1, eio)
		if err := w.Sync(); !errors.Is(err, eio) {
			t.Fatalf("Sync = %v, want the fault", err)
		}
		must(t, w.Sync())
		d.PowerLoss()
		if len(d.Content(journal)) == 0 {
			lost++
		}
	}
	if lost == 0 {
		t.Error("a second sync made durable what the first had lost")
	}
}

func TestSameSeedSameLoss(t *testing.T) {
	play := func(st *powertest.Storage) {
		_, err := create(t, st, journal).Write(make([]byte, 5000))
		must(t, err)
	}
	a, b := survivors(t, play), survivors(t, play)
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("seed %d loses differently the second time", i)
		}
	}
}
