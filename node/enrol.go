package node

import (
	"errors"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// RequestEnrolment makes the key of a directory that holds no node yet, if it is
// not there, and returns the text by which an operator can enrol it in that slot.
// Errors: ErrNotEmpty, those of key files, leveldb.ErrLocked.
func RequestEnrolment(dataDir string, mesh dag.ID, operator identity.StatementID, slot uint64) (text string, err error) {
	key, store, err := openEmpty(dataDir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return p2p.NewRequest(mesh, operator, slot, key).Text(), nil
}

// JoinWithPass makes a directory that holds no node yet one of the mesh in which
// an operator enrolled its key. Nobody needs to be reachable: the node finds the
// mesh when it starts. Errors: ErrNotEmpty, those that wrap p2p.ErrPass, those of
// key files, leveldb.ErrLocked.
func JoinWithPass(dataDir, text string) (_ *p2p.Pass, err error) {
	pass, err := p2p.ParsePass(text)
	if err != nil {
		return nil, err
	}
	key, store, err := openEmpty(dataDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	joined, err := pass.Joined(key.Public())
	if err != nil {
		return nil, err
	}
	if err := p2p.SaveJoined(store, joined); err != nil {
		return nil, err
	}
	return pass, store.PutMeta(metaMesh, joined.Mesh[:])
}

// openEmpty opens a directory that holds no mesh, and its key, made if need be.
func openEmpty(dataDir string) (_ *identity.PrivateKey, _ dag.Store, err error) {
	store, err := openStore(dataDir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	if _, ok, err := readMesh(store); err != nil || ok {
		return nil, nil, errors.Join(err, notEmptyIf(ok, dataDir))
	}
	key, err := nodeKey(dataDir)
	if err != nil {
		return nil, nil, err
	}
	return key, store, nil
}
