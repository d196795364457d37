package node

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// forkedAuthors counts the authors of forks. Unlike the counter of forks found it
// is that of the log and of the proofs kept: a liar does not vanish from it at a restart.
func (n *Node) forkedAuthors() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "causeway_forked_authors", Help: "Authors who are proven to have signed two ops on one predecessor.",
	}, func() float64 { return float64(len(admin.Forked(n.pipeline.Graph(), n.proofs()))) })
}

// proofs returns the proofs of forks that peers showed.
func (n *Node) proofs() admin.Proofs {
	if n.network == nil { // it is still opening
		return nil
	}
	return n.network.Proofs()
}

// Before implements admin.Node.
func (n *Node) Before(_ context.Context, id dag.ID, limit int) ([]admin.Op, error) {
	return n.markVoid(admin.Before(n.pipeline.Graph(), id, limit))
}

// markVoid says of ops what of them does not count.
func (n *Node) markVoid(ops []admin.Op, err error) ([]admin.Op, error) {
	if err != nil {
		return nil, err
	}
	return ops, admin.MarkVoid(ops, n.pipeline.Graph(), n.pipeline.Fetch)
}

// Forked implements admin.Node.
func (n *Node) Forked(context.Context) ([]admin.ForkedAuthor, error) {
	return admin.Forked(n.pipeline.Graph(), n.proofs()), nil
}

// ForkProof implements admin.Node.
func (n *Node) ForkProof(_ context.Context, author identity.PublicKey) (admin.ForkProof, error) {
	return admin.ProveFork(n.pipeline.Graph(), n.proofs(), author, n.pipeline.Fetch)
}
