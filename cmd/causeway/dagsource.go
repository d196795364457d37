package main

import (
	"context"
	"errors"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// dagSource answers about the operations that a data directory holds.
type dagSource interface {
	Heads(ctx context.Context) ([]admin.Op, error)
	Log(ctx context.Context, limit int) ([]admin.Op, error)
	Op(ctx context.Context, id dag.ID) (admin.OpDetail, error)
	admin.Archive
}

// withDAG calls fn with what answers for dir: the node that runs on it, or the
// directory itself while none does.
func withDAG(ctx context.Context, dir string, fn func(dagSource) error) error {
	if err := checkDataDir(dir); err != nil {
		return err
	}
	err := fn(admin.NewClient(dir))
	if !errors.Is(err, admin.ErrNotRunning) {
		return err
	}
	offline, openErr := node.OpenOffline(dir)
	if errors.Is(openErr, leveldb.ErrMissing) {
		return err // that no node runs
	}
	if openErr != nil {
		return explain(openErr, dir)
	}
	return errors.Join(fn(offline), offline.Close())
}
