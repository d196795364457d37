package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// delivery hands verified ops to the backend, keeps those whose past is
// missing in a pool charged to the peer that sent them, and blames senders of
// invalid ones. It is safe for concurrent use.
type delivery struct {
	n      *Network
	pool   *dag.Pool
	passed *passed

	mu      sync.Mutex
	sources map[dag.ID]peer.ID // who sent an op that is in the pool
}

// maxSources bounds sources; beyond it those no longer in the pool are swept.
const maxSources = 1 << 16

func newDelivery(n *Network) *delivery {
	return &delivery{n: n, pool: dag.NewPool(dag.DefaultPoolLimits()), passed: newPassed(), sources: make(map[dag.ID]peer.ID)}
}

// gossiped admits ops that peers sent by gossip, parents first, and returns an
// error for each: Admit's. An op whose past is missing is put into the pool.
func (d *delivery) gossiped(ctx context.Context, ops []*dag.Signed, from []peer.ID) []error {
	errs := d.n.backend.Admit(ctx, ops)
	done := make([]work, len(ops))
	for i, err := range errs {
		done[i] = work{ops[i], from[i], err}
	}
	d.settle(ctx, "gossip", done)
	return errs
}

// synced admits ops that p sent in a session, parents first. It returns the
// first error for which the session ends: a refusal, or the node's own. An op
// whose past is missing is dropped: the session repairs that by itself.
func (d *delivery) synced(ctx context.Context, p peer.ID, ops []*dag.Signed) error {
	errs := d.n.backend.Admit(ctx, ops)
	var done []work
	var first error
	for i, err := range errs {
		var missing *dag.MissingError
		if errors.As(err, &missing) {
			continue
		}
		done = append(done, work{ops[i], p, err})
		if err != nil && !errors.Is(err, dag.ErrDuplicate) && first == nil {
			first = err
		}
	}
	d.settle(ctx, "sync", done)
	return first
}

// work is one op that was given to the backend.
type work struct {
	op   *dag.Signed
	from peer.ID
	err  error
}

// settle acts on what became of ops, and admits those in the pool that waited
// for them.
func (d *delivery) settle(ctx context.Context, way string, queue []work) {
	delivered := 0
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		var missing *dag.MissingError
		var refusal *dag.Refusal
		switch {
		case w.err == nil:
			delivered++
			d.passed.delivered(w.op.ID())
			d.n.reserve.took(w.op)
			d.n.proofs.delivered(w.op.Header().Author)
			if way == "gossip" { // the end of a session says what its peer holds
				d.n.peers.holds(w.from, w.op.ID())
			}
			queue = append(queue, d.release(ctx, w.op.ID())...)
		case errors.Is(w.err, dag.ErrDuplicate):
			d.n.peers.holds(w.from, w.op.ID())
		case errors.As(w.err, &missing):
			for _, id := range d.park(w, missing) {
				queue = append(queue, d.release(ctx, id)...)
			}
		case errors.As(w.err, &refusal):
			d.pool.Discard(w.op.ID())
			if w.from != "" {
				d.n.standings.report(w.from, refused(refusal), refusal)
			}
		case ctx.Err() == nil:
			d.n.log.Error("cannot admit an operation", "op", w.op.ID(), "error", w.err)
		}
	}
	if delivered > 0 {
		d.n.metrics.ops.WithLabelValues(way).Add(float64(delivered))
		d.n.changed()
	}
}

// park puts an op into the pool. It returns those of the missing that arrived
// meanwhile, for which the pool would wait in vain.
func (d *delivery) park(w work, missing *dag.MissingError) (arrived []dag.ID) {
	err := d.pool.Add(string(w.from), w.op, missing.IDs)
	switch {
	case errors.Is(err, dag.ErrPoolFull):
		if len(d.n.reserve.waits()) == 0 { // else its past may be what waits
			d.n.standings.report(w.from, reasonBudget, fmt.Errorf("op %v: %w", w.op.ID(), err))
		}
		return nil
	case err != nil:
		return nil
	}
	d.mu.Lock()
	if len(d.sources) >= maxSources {
		for id := range d.sources {
			if !d.pool.Has(id) {
				delete(d.sources, id)
			}
		}
	}
	if _, known := d.sources[w.op.ID()]; !known && len(d.sources) < maxSources {
		d.sources[w.op.ID()] = w.from
	}
	d.mu.Unlock()
	if !d.n.connected(w.from) || d.n.admitted(w.from) != nil {
		// It went, or was shut out, while its op was looked at: whoever took out
		// what waits for its sake may not have seen this.
		d.forget(w.from)
		return nil
	}
	g := d.n.backend.Graph()
	for _, id := range missing.IDs {
		if _, ok := g.Get(id); ok {
			arrived = append(arrived, id)
		}
	}
	return arrived
}

// release admits the ops in the pool that waited for id.
func (d *delivery) release(ctx context.Context, id dag.ID) []work {
	ready := d.n.reserve.sift(d.pool.Ready(id))
	if len(ready) == 0 {
		return nil
	}
	out := make([]work, len(ready))
	for i, err := range d.n.backend.Admit(ctx, ready) {
		out[i] = work{ready[i], d.source(ready[i].ID()), err}
	}
	return out
}

func (d *delivery) source(id dag.ID) peer.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.sources[id]
	delete(d.sources, id)
	return p
}

// forget takes out of the pool what only p sent.
func (d *delivery) forget(p peer.ID) { d.pool.Drop(string(p)) }
