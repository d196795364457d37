package p2p

import (
	"context"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Backend is what the network needs of the node's commit pipeline. Its methods
// are called from any goroutine, several at a time.
type Backend interface {
	// Admit adds verified operations, parents before children, and returns one
	// error per operation, in order: nil when it is durable and visible,
	// dag.ErrDuplicate, a *dag.MissingError, a *dag.Refusal, or an error of
	// the node's own, which is never held against a peer.
	Admit(ctx context.Context, ops []*dag.Signed) []error

	// Carry appends an own operation that carries the statements, durably,
	// and returns its ID.
	Carry(ctx context.Context, statements [][]byte) (dag.ID, error)

	// Consider carries, of statements that a peer showed, those that would
	// change the roster, within a rate, and returns them once they are durable:
	// at most dag.MaxStatements at a time, of this mesh, with good signatures.
	Consider(ctx context.Context, statements []*identity.Statement) ([]identity.StatementID, error)

	// Fetch returns a delivered operation's block and body (nil if it has
	// none). The slices must not be changed.
	Fetch(id dag.ID) (block, body []byte, err error)

	// Graph returns the delivered operations; it is safe to read at any time.
	Graph() *dag.Graph

	// OnOp registers fn to be called in order for each own operation once it
	// is durable. fn does not block and keeps neither slice changed.
	OnOp(fn func(op *dag.Op, block, body []byte))
}

// Meta keeps small named values durably: the named values of [dag.Store]. All
// names used here begin with "p2p/".
type Meta interface {
	GetMeta(name string) ([]byte, error)
	PutMeta(name string, v []byte) error
	ScanMeta(prefix string, fn func(name string, v []byte) error) error
}

var _ Meta = dag.Store(nil)
