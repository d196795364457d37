package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// source answers about the operations that a data directory holds, and about its keys.
type source interface {
	Heads(ctx context.Context) ([]admin.Op, error)
	Log(ctx context.Context, limit int) ([]admin.Op, error)
	Op(ctx context.Context, id dag.ID) (admin.OpDetail, error)
	admin.Archive
	admin.Keys
}

// withSource calls fn with what answers for dir: the node that runs on it, or the
// directory itself while none does.
func withSource(ctx context.Context, dir string, fn func(source) error) error {
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
	err = fn(offline)
	if errors.Is(err, mvcc.ErrUnsealed) {
		err = fmt.Errorf("%w: the node was killed before it signed one, and does so when it starts", err)
	}
	return errors.Join(err, offline.Close())
}
