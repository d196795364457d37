package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
)

func newSnapshot(std stdio) *cobra.Command {
	c := group("snapshot", "Leave for etcd, come from it, or keep a backup",
		`The snapshots of a node are those of etcd: etcdutl reads and restores them, and
an etcd serves the same keys, values, revisions and leases from one. Restoring a
snapshot, of etcd or of a node, founds a new mesh.`)
	c.AddCommand(newSnapshotSave(std), newSnapshotRestore(std), newSnapshotStatus(std))
	return c
}

func newSnapshotRestore(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Found a mesh of one node from a snapshot",
		Long: `Restore founds a mesh in a data directory that is empty or not there, with the
keys, values and leases that the snapshot shows at its end, and its users and roles. The
node's key is new, and revisions begin beyond those of the snapshot: watchers
and caches of the old cluster are told to start over. A restore that fails
leaves nothing behind.`,
		Example: `  causeway snapshot restore backup.db --data-dir a
  causeway snapshot restore /var/lib/etcd/member/snap/db --skip-hash-check --data-dir a`,
		Args: exactly(1, "the snapshot file"),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "founder")
	skip := c.Flags().Bool("skip-hash-check", false, "restore a file whose checksum is missing or wrong, as one copied from a data directory")
	logger := logFlags(c, std.err)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		log, err := logger()
		if err != nil {
			return err
		}
		signer, err := operatorSigner(cmd.Context(), operator, *dir)
		if err != nil && !errors.Is(err, errNoOperatorKey) { // without one, Restore makes it
			return err
		}
		r, err := node.Restore(cmd.Context(), *dir, args[0], node.RestoreOptions{
			InitOptions:   node.InitOptions{Name: operator.name, Operator: signer},
			SkipHashCheck: *skip, Logger: log,
		})
		if err != nil {
			return explain(explainSnapshot(err, args[0]), *dir)
		}
		info, err := readPublic(filepath.Join(*dir, node.NodeKeyFile))
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "Founded a mesh. Start its node: causeway serve --data-dir %s\n", *dir)
		v := struct {
			node.Restored
			Node identity.PublicKey `json:"node"`
		}{r, info.PublicKey}
		return out.write(std.out, v, func(w io.Writer) {
			fmt.Fprintf(w, "mesh\t%s\n", r.Mesh)
			fmt.Fprintf(w, "node\t%s\n", info.PublicKey)
			fmt.Fprintf(w, "keys\t%d\n", r.Keys)
			fmt.Fprintf(w, "leases\t%d\n", r.Leases)
			fmt.Fprintf(w, "users\t%d\n", r.Users)
			fmt.Fprintf(w, "snapshot revision\t%d\n", r.SnapshotRevision)
			fmt.Fprintf(w, "revision\t%d\n", r.Revision)
		})
	}
	return c
}

func newSnapshotStatus(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "status FILE",
		Short: "Show what a snapshot file holds",
		Long: `Status reads a whole snapshot file and prints what etcdutl prints: hash, revision,
keys, size and version of the format. A file whose checksum is wrong, or that is damaged,
is an error; one without a checksum, copied from a data directory, is not.`,
		Example: `  causeway snapshot status backup.db
  causeway snapshot status backup.db -o json | jq .revision`,
		Args: exactly(1, "the snapshot file"),
	}
	out := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := snapshotStatus(cmd.Context(), args[0])
		if err != nil {
			return explainSnapshot(err, args[0])
		}
		return out.write(std.out, st, func(w io.Writer) {
			fmt.Fprintf(w, "%x, %d, %d, %s, %s\n", st.Hash, st.Revision, st.TotalKey, decimalSize(st.TotalSize), st.Version)
		})
	}
	return c
}

func snapshotStatus(ctx context.Context, path string) (etcdsnap.Status, error) {
	f, err := etcdsnap.Open(path)
	if err != nil {
		return etcdsnap.Status{}, err
	}
	defer f.Close()
	if err := f.Verify(ctx); err != nil && !errors.Is(err, etcdsnap.ErrNoChecksum) {
		return etcdsnap.Status{}, err
	}
	return f.Status(ctx)
}

// explainSnapshot names the file that an error is about.
func explainSnapshot(err error, path string) error {
	switch {
	case errors.Is(err, etcdsnap.ErrNoChecksum):
		return fmt.Errorf("%s: %w: was it cut off? A copy from a data directory needs --skip-hash-check", path, err)
	case errors.Is(err, etcdsnap.ErrCorrupt):
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// decimalSize writes a number of bytes as etcdutl does: in powers of 1000, with one
// decimal below 10.
func decimalSize(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	if n < 10 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for v >= 1000 && unit < len(units)-1 {
		v /= 1000
		unit++
	}
	if v = math.Floor(v*10+0.5) / 10; v < 10 {
		return fmt.Sprintf("%.1f %s", v, units[unit])
	}
	return fmt.Sprintf("%.0f %s", v, units[unit])
}
