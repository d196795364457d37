package p2p

import (
	"context"

	"github.com/causeway-sync/causeway/dag"
)

// verifyBatch is how many signatures of a session are verified at once: enough for
// a batch to be cheap, few enough that a bad one costs little and own
// clients, whose work waits for a processor meanwhile, do not notice.
const verifyBatch = 32

// verify verifies ops of a session, parents first, until one fails: then the
// session ends, and what its peer sent beside is not looked at.
func (n *Network) verify(ctx context.Context, ops []*dag.Unverified) ([]*dag.Signed, error) {
	signed := make([]*dag.Signed, 0, len(ops))
	for len(ops) > 0 {
		some := ops[:min(len(ops), verifyBatch)]
		ops = ops[len(some):]
		work, err := n.remote.begin(ctx)
		if err != nil {
			return nil, err
		}
		good, errs := dag.Verify(some)
		work.end(0)
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		signed = append(signed, good...)
	}
	return signed, nil
}
