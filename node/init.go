package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
)

// InitOptions says who founds a mesh.
type InitOptions struct {
	// Name is the founding operator's name, for people. Default "founder".
	Name string
	// Operator signs the founding statements. Default: the key in
	// OperatorKeyFile, made if it is not there.
	Operator identity.StatementSigner
	// Founders are further founders, of whom Threshold together with the operator
	// act as the root of the mesh (docs/roster.md). 0 means 1: any of them.
	Founders  []identity.PublicKey
	Threshold uint64
}

// Init founds a mesh of one node in a directory that holds none, and returns
// the mesh's ID. Errors: ErrNotEmpty, leveldb.ErrLocked, those of key files.
func Init(dataDir string, o InitOptions) (mesh dag.ID, err error) {
	store, err := openStore(dataDir)
	if err != nil {
		return dag.ID{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return found(store, dataDir, o, 0)
}

// found founds a mesh whose revisions begin in the window of epoch.
func found(store dag.Store, dataDir string, o InitOptions, epoch uint64) (dag.ID, error) {
	if _, ok, err := readMesh(store); err != nil || ok {
		return dag.ID{}, errors.Join(err, notEmptyIf(ok, dataDir))
	}
	key, err := nodeKey(dataDir)
	if err != nil {
		return dag.ID{}, err
	}
	if o.Operator == nil {
		if o.Operator, err = keyFile(filepath.Join(dataDir, OperatorKeyFile), "causeway operator", nil); err != nil {
			return dag.ID{}, err
		}
	}
	if o.Name == "" {
		o.Name = "founder"
	}
	f := commit.Founding{Node: key, Operator: o.Operator, Name: o.Name, Founders: o.Founders, Threshold: o.Threshold, Epoch: epoch, Now: time.Now()}
	rand.Read(f.Nonce[:]) // never fails, see crypto/rand
	return commit.Found(store, f)
}

func notEmptyIf(ok bool, dataDir string) error {
	if !ok {
		return nil
	}
	return fmt.Errorf("%s: %w", dataDir, ErrNotEmpty)
}
