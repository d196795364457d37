package node

import (
	"context"
	"io"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/car"
)

// Export implements admin.Node.
func (n *Node) Export(ctx context.Context, w io.Writer) error {
	return exportOps(ctx, n.pipeline.Graph(), n.pipeline.Fetch, w)
}

// Export implements admin.Archive.
func (o *Offline) Export(ctx context.Context, w io.Writer) error {
	return exportOps(ctx, o.Graph(), o.Fetch, w)
}

// exportOps writes the operations that graph holds now (docs/export.md).
func exportOps(ctx context.Context, graph *dag.Graph, fetch func(dag.ID) (block, body []byte, err error), w io.Writer) error {
	ops := graph.Since(nil)
	out, err := car.NewWriter(w, headsOf(ops))
	if err != nil {
		return err
	}
	for _, op := range ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		block, body, err := fetch(op.ID())
		if err != nil {
			return err
		}
		if err := out.Op(block, body); err != nil {
			return err
		}
	}
	return out.Flush()
}

// headsOf returns those of ops that are parents of no other, ascending. The graph may have
// others by now.
func headsOf(ops []*dag.Op) []dag.ID {
	heads := make(map[dag.ID]bool)
	for _, op := range ops { // parents come first
		heads[op.ID()] = true
		for _, p := range op.Parents() {
			delete(heads, p.ID())
		}
	}
	ids := make([]dag.ID, 0, len(heads))
	for id := range heads {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, dag.ID.Compare)
	return ids
}
