package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/node/commit"
)

const (
	// maxRestored bounds a key with its value, in bytes: what an operation has room
	// for (docs/op.md, section 4), less its framing.
	maxRestored = 4<<20 - 32<<10
	// maxLease is the longest time to live of a lease, in seconds, as etcd's.
	maxLease = 9_000_000_000
	// revisionWindow is how many bits of a revision count within its window.
	revisionWindow = 40
)

// RestoreOptions says how a snapshot founds a mesh.
type RestoreOptions struct {
	InitOptions
	// SkipHashCheck restores a file whose checksum is missing or wrong, such as
	// a copy of a database from an etcd's data directory.
	SkipHashCheck bool
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// Restored says what a snapshot became.
type Restored struct {
	Mesh             dag.ID `json:"mesh"`
	Keys             int    `json:"keys"`
	Leases           int    `json:"leases"`
	Users            int    `json:"users"`
	SnapshotRevision int64  `json:"snapshot_revision"` // the last one of the snapshot
	Revision         int64  `json:"revision"`          // the restored node's
}

// Restore founds a mesh of one node in dataDir, which must be empty or absent,
// and gives it the keys, values and leases that an etcd snapshot file shows at its end, and
// its users and roles. Revisions begin in a window beyond every revision of the
// snapshot, so that clients of the old cluster are told to start over. Keys keep
// their order of modification, definitions of custom resources before all others, whose merge schemas
// they give; each has version 1; what came before is compacted.
// The directory appears when all is done, or not at all.
//
// Errors: ErrNotEmpty, etcdsnap.ErrCorrupt, etcdsnap.ErrNoChecksum, ErrTooLarge,
// those of key files, ctx's.
func Restore(ctx context.Context, dataDir, snapshot string, o RestoreOptions) (_ Restored, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	file, err := etcdsnap.Open(snapshot)
	if err != nil {
		return Restored{}, err
	}
	defer file.Close()
	if !o.SkipHashCheck {
		if err := file.Verify(ctx); err != nil {
			return Restored{}, err
		}
	}
	dataDir, err = filepath.Abs(dataDir)
	if err != nil {
		return Restored{}, fmt.Errorf("data directory: %w", err)
	}
	if err := checkEmpty(dataDir); err != nil {
		return Restored{}, err
	}
	parent := filepath.Dir(dataDir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return Restored{}, fmt.Errorf("data directory: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "."+filepath.Base(dataDir)+".restore-*")
	if err != nil {
		return Restored{}, fmt.Errorf("data directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	r, err := restore(ctx, dir, file, o)
	if err != nil {
		return Restored{}, err
	}
	if err := moveDir(dir, dataDir); err != nil {
		return Restored{}, err
	}
	return r, nil
}

// restore fills a data directory from a snapshot.
func restore(ctx context.Context, dir string, file *etcdsnap.File, o RestoreOptions) (r Restored, err error) {
	if r.SnapshotRevision, err = file.Revision(ctx); err != nil {
		return Restored{}, err
	}
	leases, err := file.Leases(ctx)
	if err != nil {
		return Restored{}, err
	}
	users, err := file.Auth(ctx)
	if err != nil {
		return Restored{}, err
	}
	store, err := openStore(dir)
	if err != nil {
		return Restored{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if r.Mesh, err = found(store, dir, o.InitOptions, uint64(r.SnapshotRevision>>revisionWindow)+1); err != nil {
		return Restored{}, err
	}
	if len(users.Users)+len(users.Roles) > 0 || users.Enabled {
		if err := auth.Restore(authStorage{store}, users.Enabled, users.Revision, users.Users, users.Roles); err != nil {
			return Restored{}, err
		}
	}
	key, err := nodeKey(dir)
	if err != nil {
		return Restored{}, err
	}
	var p *commit.Pipeline
	p, err = commit.Open(commit.Config{
		Store: store, Key: key, Mesh: r.Mesh, Logger: o.Logger,
		Values: kube.NewCatalog(func(key []byte) ([]byte, bool) { return p.View().Latest(key) }),
	})
	if err != nil {
		return Restored{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Load(ctx, restored(ctx, file, leases, &r)); err != nil {
		return Restored{}, err
	}
	r.Leases, r.Users = len(leases), len(users.Users)
	r.Revision = p.View().Revision()
	if r.Keys > 0 {
		_, err = p.Submit(ctx, &pb.CompactionRequest{Revision: r.Revision})
	}
	return r, err
}

// restored returns the requests that make what a snapshot holds, and counts its keys.
func restored(ctx context.Context, file *etcdsnap.File, leases []etcdsnap.Lease, r *Restored) iter.Seq2[proto.Message, error] {
	stop := errors.New("enough")
	return func(yield func(proto.Message, error) bool) {
		granted := make(map[int64]bool, len(leases))
		for _, l := range leases {
			granted[l.ID] = true
			if !yield(&pb.LeaseGrantRequest{ID: l.ID, TTL: min(l.TTL, maxLease)}, nil) {
				return
			}
		}
		err := file.Live(ctx, kube.IsDefinition, func(kv *mvccpb.KeyValue) error {
			if size := len(kv.Key) + len(kv.Value); len(kv.Key) > dag.MaxKey || size > maxRestored {
				return fmt.Errorf("%w: the key %.100q has %d bytes, with its value %d; at most %d and %d fit",
					ErrTooLarge, kv.Key, len(kv.Key), size, dag.MaxKey, maxRestored)
			}
			put := &pb.PutRequest{Key: kv.Key, Value: kv.Value}
			if granted[kv.Lease] { // etcd, too, lets go of a lease that is not there
				put.Lease = kv.Lease
			}
			r.Keys++
			if !yield(put, nil) {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			yield(nil, err)
		}
	}
}

// checkEmpty returns ErrNotEmpty if dir is neither absent nor an empty directory.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	}
	return notEmptyIf(len(entries) > 0, dir)
}

// moveDir gives a directory a name that an empty one may have, durably.
func moveDir(from, to string) error {
	if err := syncDir(from); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("data directory: %w", err), checkEmpty(to))
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
