package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/car"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/node"
)

func newDAGExport(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write all operations to a CAR file",
		Long: `Export writes all operations of a data directory, headers and bodies, to a CARv1
file, which IPLD tools read. All in it is signed by its authors; what is the
node's own (revisions, keys, history) is not in it. The same operations give
the same file. The node must not run.`,
		Example: `  causeway dag export --data-dir a --out a.car
  causeway dag export --data-dir a | sha256sum`,
		Args: exactly(0, ""),
	}
	dir := dataDirFlag(c)
	file := c.Flags().String("out", "-", "file to write, which must not exist yet; - is standard output")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "-" && isTerminal(std.out) {
			return usageError{errors.New("a CAR file is no text: name a file with --out")}
		}
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		offline, err := node.OpenOffline(*dir)
		if errors.Is(err, leveldb.ErrMissing) {
			return fmt.Errorf("data directory %s holds no node", *dir)
		}
		if err != nil {
			return explain(err, *dir)
		}
		bar := newBar(std.err)
		err = writeNew(std.out, *file, func(w io.Writer) error { return export(cmd.Context(), w, offline, bar) })
		bar.clear()
		return errors.Join(err, offline.Close())
	}
	return c
}

// export writes all operations of a directory, parents before children.
func export(ctx context.Context, w io.Writer, offline *node.Offline, b *bar) error {
	heads := []dag.ID{}
	for _, h := range offline.Graph().Heads() {
		heads = append(heads, h.ID())
	}
	out, err := car.NewWriter(w, heads)
	if err != nil {
		return err
	}
	ops := offline.Graph().Since(nil)
	for i, op := range ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.draw("export", uint64(i), uint64(len(ops)))
		block, body, err := offline.Fetch(op.ID())
		if err != nil {
			return err
		}
		if err := out.Op(block, body); err != nil {
			return err
		}
	}
	return out.Flush()
}
