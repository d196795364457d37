package node

import (
	"context"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// Before implements admin.Node.
func (n *Node) Before(_ context.Context, id dag.ID, limit int) ([]admin.Op, error) {
	return admin.Before(n.pipeline.Graph(), id, limit)
}

// Forked implements admin.Node.
func (n *Node) Forked(context.Context) ([]admin.ForkedAuthor, error) {
	return admin.Forked(n.pipeline.Graph()), nil
}

// ForkProof implements admin.Node.
func (n *Node) ForkProof(_ context.Context, author identity.PublicKey) (admin.ForkProof, error) {
	return admin.ProveFork(n.pipeline.Graph(), author, n.pipeline.Fetch)
}
