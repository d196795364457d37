package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

// Offline answers from a data directory on which no node runs what a running
// node answers about its operations and its keys. It changes nothing there. Its methods are
// safe for concurrent use.
type Offline struct {
	keys  // of log
	store *leveldb.Store
	log   *commit.Offline
}

// OpenOffline opens a data directory to be read, and replays its log. Errors:
// leveldb.ErrLocked while a node runs, leveldb.ErrMissing where there is no log,
// a *dag.CorruptError.
func OpenOffline(dataDir string) (_ *Offline, err error) {
	store, err := leveldb.Open(filepath.Join(dataDir, storeDir), leveldb.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	mesh, ok, err := readMesh(store)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", dataDir, leveldb.ErrMissing)
	}
	log, err := commit.OpenOffline(store, mesh)
	if err != nil {
		return nil, err
	}
	return &Offline{keys{log}, store, log}, nil
}

// Close closes the directory.
func (o *Offline) Close() error { return o.store.Close() }

// Graph returns the graph of all operations.
func (o *Offline) Graph() *dag.Graph { return o.log.Graph() }

// Fetch returns an operation's block and body.
func (o *Offline) Fetch(id dag.ID) (block, body []byte, err error) { return o.log.Fetch(id) }

// Heads returns the heads, ascending by ID.
func (o *Offline) Heads(context.Context) ([]admin.Op, error) {
	return o.markVoid(admin.Heads(o.Graph()), nil)
}

// Log returns the limit latest operations, children before their parents.
func (o *Offline) Log(_ context.Context, limit int) ([]admin.Op, error) {
	return o.markVoid(admin.Latest(o.Graph(), limit), nil)
}

// Op returns one operation with its body. An unknown one is admin.ErrNotFound.
func (o *Offline) Op(_ context.Context, id dag.ID) (admin.OpDetail, error) {
	op, ok := o.Graph().Get(id)
	if !ok {
		return admin.OpDetail{}, fmt.Errorf("op %s: %w", id, admin.ErrNotFound)
	}
	block, body, err := o.Fetch(id)
	if err != nil {
		return admin.OpDetail{}, err
	}
	return admin.NewOpDetail(op, o.Graph().Roster(), block, body)
}

// Before implements admin.Archive.
func (o *Offline) Before(_ context.Context, id dag.ID, limit int) ([]admin.Op, error) {
	return o.markVoid(admin.Before(o.Graph(), id, limit))
}

// markVoid says of ops what of them does not count.
func (o *Offline) markVoid(ops []admin.Op, err error) ([]admin.Op, error) {
	if err != nil {
		return nil, err
	}
	return ops, admin.MarkVoid(ops, o.Graph(), o.Fetch)
}

// Forked implements admin.Archive.
func (o *Offline) Forked(context.Context) ([]admin.ForkedAuthor, error) {
	shown, err := p2p.LoadProofs(o.store)
	return admin.Forked(o.Graph(), shown), err
}

// ForkProof implements admin.Archive.
func (o *Offline) ForkProof(_ context.Context, author identity.PublicKey) (admin.ForkProof, error) {
	shown, err := p2p.LoadProofs(o.store)
	if err != nil {
		return admin.ForkProof{}, err
	}
	return admin.ProveFork(o.Graph(), shown, author, o.Fetch)
}

var (
	_ admin.Archive = (*Offline)(nil)
	_ admin.Keys    = (*Offline)(nil)
)
