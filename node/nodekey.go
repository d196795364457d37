package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/causeway-sync/causeway/identity"
)

// nodeKeys are the files of the node's key in a data directory (docs/node.md,
// "Rotation"): the key itself, and the one that a rotation under way leads to.
type nodeKeys struct{ dataDir string }

func (k nodeKeys) current() string { return filepath.Join(k.dataDir, NodeKeyFile) }
func (k nodeKeys) next() string    { return filepath.Join(k.dataDir, nextKeyFile) }

// read returns the node's key, made if there is none, and the next one, nil if
// there is none. A next key that cannot be read is as none: nothing names it
// before it is whole and durable.
func (k nodeKeys) read() (key, next *identity.PrivateKey, err error) {
	if key, err = nodeKey(k.dataDir); err != nil {
		return nil, nil, err
	}
	if next, err = identity.ReadKeyFile(k.next(), nil); err != nil {
		return key, nil, nil
	}
	return key, next, nil
}

// makeNext makes a new next key, durably. One that is there is replaced: the
// log does not name it.
func (k nodeKeys) makeNext() (*identity.PrivateKey, error) {
	if err := k.dropNext(); err != nil {
		return nil, err
	}
	key, err := identity.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, identity.WriteKeyFile(k.next(), key, "causeway node", nil)
}

// promote gives the next key the place of the node's key, durably. The old one is gone then.
func (k nodeKeys) promote() error {
	if err := os.Rename(k.next(), k.current()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return syncDir(k.dataDir)
}

// dropNext removes the next key, if there is one.
func (k nodeKeys) dropNext() error {
	if err := os.Remove(k.next()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
