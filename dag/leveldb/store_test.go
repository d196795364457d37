package leveldb_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/dag/storetest"
)

func TestMain(m *testing.M) {
	// goleveldb's memory pool outlives Close by up to a second.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) storetest.Open {
		dir := filepath.Join(tb.TempDir(), "store")
		return func() (dag.Store, error) { return leveldb.Open(dir, leveldb.Options{}) }
	})
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = leveldb.Open(dir, leveldb.Options{})
	if !errors.Is(err, leveldb.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second Open = %v, want ErrLocked and the directory", err)
	}
}

func TestMustExist(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := leveldb.Open(dir, leveldb.Options{MustExist: true}); !errors.Is(err, leveldb.ErrMissing) {
		t.Errorf("Open of nothing = %v, want ErrMissing", err)
	}
	s, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = leveldb.Open(dir, leveldb.Options{MustExist: true}); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestDirectoryMode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := leveldb.Open(dir, leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fi, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode().Perm(); got != 0o700 {
		t.Errorf("mode = %o, want 700", got)
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := leveldb.Open(path, leveldb.Options{}); err == nil {
		t.Error("Open of a file succeeded")
	}
}

// TestCurrent damages CURRENT, where goleveldb would fall back to an older state.
func TestCurrent(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"removed": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"altered": func(path string) error { return os.WriteFile(path, []byte("MANIFEST-000099\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for range 2 { // the second time leaves a CURRENT.bak
				s, err := leveldb.Open(dir, leveldb.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := damage(filepath.Join(dir, "CURRENT")); err != nil {
				t.Fatal(err)
			}
			_, err := leveldb.Open(dir, leveldb.Options{})
			var ce *dag.CorruptError
			if !errors.As(err, &ce) || ce.Key != "CURRENT" {
				t.Errorf("Open = %v, want a CorruptError of CURRENT", err)
			}
		})
	}
}
