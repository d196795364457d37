package failover

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// regularFiles is a directory without what cannot be copied, such as sockets.
type regularFiles struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (r regularFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(r.FS, name)
	var kept []fs.DirEntry
	for _, e := range all {
		if e.IsDir() || e.Type().IsRegular() {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// makePrivate gives a copy the permissions that a node demands of its directory.
func makePrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.Chmod(path, 0o700)
		default:
			return os.Chmod(path, 0o600)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
