package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/commit"
)

// Roster implements admin.Node.
func (n *Node) Roster(context.Context) (admin.Roster, error) {
	return admin.NewRoster(n.mesh, n.pipeline.Graph(), n.proofs()), nil
}

// Issuer implements admin.Node.
func (n *Node) Issuer(_ context.Context, key identity.PublicKey) (admin.Issuer, error) {
	graph := n.pipeline.Graph()
	roster := graph.Roster()
	seq, prev := roster.Next(key)
	i := admin.Issuer{Mesh: n.mesh, Key: key, Seq: seq, Prev: prev, Operators: []identity.StatementID{}, Heads: []dag.ID{}}
	if found := roster.Found(); found != nil {
		i.Founder = slices.Contains(found.Content.(identity.Found).Founders, key)
	}
	for _, o := range roster.Operators() {
		if slices.Contains(o.Keys, key) {
			i.Operators = append(i.Operators, o.ID)
		}
	}
	for _, h := range graph.Heads() {
		i.Heads = append(i.Heads, h.ID())
	}
	return i, nil
}

// Explain implements admin.Node.
func (n *Node) Explain(_ context.Context, key []byte) (admin.Explanation, error) {
	return admin.Explain(n.pipeline.Graph().Roster(), n.self, key), nil
}

// Blocks implements admin.Node.
func (n *Node) Blocks(_ context.Context, id dag.ID) (admin.Blocks, error) {
	if _, ok := n.pipeline.Graph().Get(id); !ok {
		return admin.Blocks{}, fmt.Errorf("op %s: %w", id, admin.ErrNotFound)
	}
	block, body, err := n.pipeline.Fetch(id)
	return admin.Blocks{Block: block, Body: body}, err
}

// Keep implements admin.Node.
func (n *Node) Keep(ctx context.Context, subject identity.StatementID, key *identity.PublicKey, before time.Time) ([]dag.ID, error) {
	return admin.KeepBefore(ctx, n.pipeline.Graph(), subject, key, before, n.pipeline.Statements)
}

// Carry implements admin.Node.
func (n *Node) Carry(ctx context.Context, statements []*identity.Statement) (dag.ID, error) {
	encoded := make([][]byte, len(statements))
	for i, s := range statements {
		encoded[i] = s.Encoded()
	}
	id, err := n.pipeline.Carry(ctx, encoded)
	return id, adminError(err)
}

// Preview implements admin.Node.
func (n *Node) Preview(ctx context.Context, statements []*identity.Statement) (admin.Preview, error) {
	return admin.NewPreview(ctx, n.pipeline.Graph(), n.self, statements, n.pipeline.Transactions)
}

// Rotate implements admin.Node.
func (n *Node) Rotate(ctx context.Context) (identity.PublicKey, error) {
	key, err := n.pipeline.Rotate(ctx)
	return key, adminError(err)
}

// adminError gives errors of the pipeline the terms of the admin socket.
func adminError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, commit.ErrNotReady):
		return admin.ErrNotReady
	case errors.Is(err, commit.ErrAllowance), errors.Is(err, commit.ErrNoRotation), errors.Is(err, identity.ErrRevoked), errors.Is(err, identity.ErrNotEnrolled):
		return fmt.Errorf("%w: %w", admin.ErrDenied, err)
	}
	if s, ok := status.FromError(err); ok && s.Code() == codes.Unavailable {
		return fmt.Errorf("%w: %s", admin.ErrDenied, s.Message())
	}
	return err
}
