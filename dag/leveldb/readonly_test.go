package leveldb_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
)

// snapshotDir returns every file of dir with its bytes, in order of names.
func snapshotDir(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		files = append(files, fmt.Sprintf("%s %x", p, b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestReadOnly: a store opened to be read gives what it holds and changes no byte.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := leveldb.Open(dir, leveldb.Options{ReadOnly: true}); !errors.Is(err, leveldb.ErrMissing) {
		t.Errorf("Open of nothing = %v, want ErrMissing", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("Open made the directory")
	}
	w, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		rec := dag.Record{Kind: 1, Payload: fmt.Append(nil, "payload ", i), Ops: []dag.ID{{byte(i), 1}}}
		if _, err := w.Append([]dag.Record{rec}, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := leveldb.Open(dir, leveldb.Options{ReadOnly: true}); !errors.Is(err, leveldb.ErrLocked) {
		t.Errorf("Open beside the writer = %v, want ErrLocked", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	before := snapshotDir(t, dir)
	a, err := leveldb.Open(dir, leveldb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := leveldb.Open(dir, leveldb.Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("second reader: %v", err)
	}
	if _, err := leveldb.Open(dir, leveldb.Options{}); !errors.Is(err, leveldb.ErrLocked) {
		t.Errorf("a writer beside readers = %v, want ErrLocked", err)
	}
	if err := a.Check(); err != nil || a.Last() != 100 {
		t.Errorf("Check = %v, Last = %d", err, a.Last())
	}
	if e := a.Ending(); e != (leveldb.Ending{Closed: true}) {
		t.Errorf("Ending() = %+v, want closed", e)
	}
	if _, err := b.Append([]dag.Record{{Kind: 1}}, true); err == nil {
		t.Error("Append succeeded")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	b.Close() // it has failed
	if !slices.Equal(snapshotDir(t, dir), before) {
		t.Error("reading changed the directory")
	}
}

// TestEnding: a log that lost its end, at whatever byte, does not look closed.
func TestEnding(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	w, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := w.Append([]dag.Record{{Kind: 1, Payload: fmt.Append(nil, "payload ", i)}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("journals: %v, %v", logs, err)
	}
	whole, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	end := len(whole)
	for end > 0 && whole[end-1] == 0 {
		end--
	}
	torn, between := 0, 0
	for n := range end {
		if err := os.WriteFile(logs[0], whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := leveldb.Open(dir, leveldb.Options{ReadOnly: true})
		if err != nil {
			continue // cut so far that there is no store
		}
		e := s.Ending()
		switch {
		case e.Closed:
			t.Errorf("cut at %d of %d: closed", n, end)
		case e.Torn != "":
			torn++
		default:
			between++
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if torn == 0 || between < 4 {
		t.Errorf("%d cuts within a batch, %d between two", torn, between)
	}
}
