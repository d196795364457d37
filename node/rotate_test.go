package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
)

// TestRotationCrash stops a node at each step of a rotation and opens its
// directory as a crash there leaves it (docs/node.md, "Rotation").
func TestRotationCrash(t *testing.T) {
	dir := t.TempDir()
	keys := nodeKeys{dir}
	public := func(path string) identity.PublicKey {
		t.Helper()
		k, err := identity.ReadKeyFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k.Public()
	}
	opened := func(step string, want identity.PublicKey) {
		t.Helper()
		n, err := Open(t.Context(), config(dir))
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if n.Key() != want || public(keys.current()) != want {
			t.Errorf("%s: the node's key is %s, the file holds %s; want %s", step, n.Key(), public(keys.current()), want)
		}
		if _, err := os.Lstat(keys.next()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s is there: %v", step, nextKeyFile, err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	old := public(keys.current())
	if err := os.WriteFile(keys.next(), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened("while the new key was written", old)
	if _, err := keys.makeNext(); err != nil {
		t.Fatal(err)
	}
	opened("before the append", old)

	n, err := Open(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	next, err := n.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if err := n.Err(); !errors.Is(err, ErrRotated) {
		t.Errorf("the node ended with %v, want ErrRotated", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if public(keys.current()) != old || public(keys.next()) != next {
		t.Fatal("the key was replaced before the node opened again")
	}
	aside := filepath.Join(t.TempDir(), nextKeyFile)
	if err := os.Rename(keys.next(), aside); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(dir)); !errors.Is(err, commit.ErrKey) {
		t.Errorf("Open without the key that the log names: %v, want ErrKey", err)
	}
	if err := os.Rename(aside, keys.next()); err != nil {
		t.Fatal(err)
	}
	opened("after the append", next)
	opened("once more", next)
}
