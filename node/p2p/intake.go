package p2p

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// intake takes in the ops that gossip brings: all that wait are verified in one
// batch and admitted with one append, while the next gather.
type intake struct {
	n     *Network
	queue chan *arrival
}

// arrival is an op that a validator of gossip waits for.
type arrival struct {
	op   *dag.Unverified
	from peer.ID
	err  error
	done chan struct{} // closed when err is set
}

func newIntake(n *Network) *intake {
	return &intake{n: n, queue: make(chan *arrival, maxValidators)} // there are as many validators
}

// errThrottled says that an op is left to sync, as its author forked or is revoked.
var errThrottled = errors.New("p2p: the author's ops are delayed")

// take verifies and admits an op that from sent, with whatever others wait.
// Errors: those of [dag.Verify] and of [Backend.Admit], for which the peer was
// reported if it is to blame, errThrottled, or ctx's.
func (i *intake) take(ctx context.Context, from peer.ID, op *dag.Unverified) error {
	a := &arrival{op: op, from: from, done: make(chan struct{})}
	select {
	case i.queue <- a:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *intake) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-i.queue:
			batch := []*arrival{a}
			for len(batch) < maxValidators && len(i.queue) > 0 {
				batch = append(batch, <-i.queue)
			}
			i.admit(ctx, batch)
			for _, a := range batch {
				close(a.done)
			}
		}
	}
}

// admit sets the batch's errors.
func (i *intake) admit(ctx context.Context, batch []*arrival) {
	i.n.metrics.batches.Observe(float64(len(batch)))
	// Validators run at the same time, so that a child may overtake its parent.
	slices.SortStableFunc(batch, func(a, b *arrival) int { return cmp.Compare(a.op.Header().Depth, b.op.Header().Depth) })
	ops := make([]*dag.Unverified, len(batch))
	for j, a := range batch {
		ops[j] = a.op
	}
	signed, errs := dag.Verify(ops)
	roster := i.n.backend.Graph().Roster()
	var good []*arrival
	var from []peer.ID
	for j, a := range batch {
		if a.err = errs[j]; a.err != nil {
			i.n.reportOp(a.from, a.err)
			continue
		}
		if author := a.op.Header().Author; i.n.throttle.slows(author, roster) && !i.n.throttle.passes(author, len(signed[j].Block())+len(signed[j].Body()), true) {
			i.n.metrics.throttled.WithLabelValues("gossip").Inc()
			a.err, signed[j] = errThrottled, nil
			continue
		}
		good, from = append(good, a), append(from, a.from)
	}
	signed = slices.DeleteFunc(signed, func(s *dag.Signed) bool { return s == nil })
	for j, err := range i.n.delivery.gossiped(ctx, signed, from) {
		good[j].err = err
	}
}
