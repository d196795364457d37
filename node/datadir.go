package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
)

// Names in the data directory (docs/node.md, "Data directory").
const (
	NodeKeyFile     = "node.key"      // the node's own key, never encrypted: a node must start unattended
	OperatorKeyFile = "operator.key"  // the operator's; may be encrypted, and kept elsewhere
	nextKeyFile     = "node.key.next" // the key that a rotation under way leads to
	storeDir        = "store"
)

// Names of values in the store.
const metaMesh = "node/mesh" // the founding op's ID, 32 bytes; noted by a join, before the log holds it

// openStore creates the directory if need be and opens its store, which locks
// it. Where there is a node's key there must be its store: a lost one is not
// taken for a new node.
func openStore(dataDir string) (*leveldb.Store, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	_, err := os.Lstat(filepath.Join(dataDir, NodeKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return leveldb.Open(filepath.Join(dataDir, storeDir), leveldb.Options{MustExist: err == nil})
}

// readMesh returns the mesh that the store belongs to, and whether it does to
// one: by its log, which begins with the founding op, or by what a join noted.
func readMesh(store dag.Store) (dag.ID, bool, error) {
	if store.Last() > 0 {
		first, err := store.Read(1)
		if err != nil {
			return dag.ID{}, false, err
		}
		if len(first.Ops) == 1 {
			return first.Ops[0], true, nil
		}
	}
	b, err := store.GetMeta(metaMesh)
	if errors.Is(err, dag.ErrNotFound) {
		return dag.ID{}, false, nil
	}
	if err != nil {
		return dag.ID{}, false, err
	}
	if len(b) != len(dag.ID{}) {
		return dag.ID{}, false, &dag.CorruptError{Key: "meta " + metaMesh, Offset: -1, Err: errors.New("not an op ID")}
	}
	return dag.ID(b), true, nil
}

// nodeKey reads the node's key, or makes it.
func nodeKey(dataDir string) (*identity.PrivateKey, error) {
	return keyFile(filepath.Join(dataDir, NodeKeyFile), "causeway node", nil)
}

// keyFile reads a key file, or writes a new key to it, unencrypted.
func keyFile(path, comment string, passphrase func() ([]byte, error)) (*identity.PrivateKey, error) {
	k, err := identity.ReadKeyFile(path, passphrase)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = identity.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	return k, identity.WriteKeyFile(path, k, comment, nil)
}
