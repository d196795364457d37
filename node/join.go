package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// JoinOptions says who joins a mesh.
type JoinOptions struct {
	// Name is the joining operator's name, for people. Default "operator".
	Name string
	// Operator is the joining operator's key. Default: the key in
	// OperatorKeyFile, made if it is not there.
	Operator identity.StatementSigner
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// Join redeems a ticket for a directory that holds no node yet: it enrols a
// new node key at the inviting node, which must be reachable, and remembers
// the mesh and the inviting node's addresses. If it is interrupted it may be
// run again with the same directory. Errors: ErrNotEmpty, those of p2p.Redeem and of key
// files, leveldb.ErrLocked.
func Join(ctx context.Context, dataDir, ticket string, o JoinOptions) (err error) {
	t, err := p2p.ParseTicket(ticket)
	if err != nil {
		return err
	}
	store, err := openStore(dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, ok, err := readMesh(store); err != nil || ok {
		return errors.Join(err, notEmptyIf(ok, dataDir))
	}
	key, err := nodeKey(dataDir)
	if err != nil {
		return err
	}
	if o.Operator == nil {
		if o.Operator, err = keyFile(filepath.Join(dataDir, OperatorKeyFile), "causeway operator", nil); err != nil {
			return err
		}
	}
	if o.Name == "" {
		o.Name = "operator"
	}
	joined, err := p2p.Redeem(ctx, p2p.RedeemConfig{Ticket: t, Node: key, Operator: o.Operator, Name: o.Name, Logger: o.Logger})
	if err != nil {
		return err
	}
	if err := p2p.SaveJoined(store, joined); err != nil {
		return err
	}
	return store.PutMeta(metaMesh, joined.Mesh[:])
}
