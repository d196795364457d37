package commit

import (
	"context"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// request is a client request on its way through the writer.
type request struct {
	msg  proto.Message
	resp proto.Message
	err  error
	done chan struct{}
}

func (r *request) answer(resp proto.Message, err error) {
	r.resp, r.err = resp, err
	close(r.done)
}

// Submit evaluates an etcd request (Put, DeleteRange, Txn, Compaction,
// LeaseGrant, LeaseRevoke, Alarm) and returns its response once its effect, and
// everything it saw, is durable. If ctx ends first the request may still take
// effect. Errors are gRPC statuses with etcd's codes and texts.
func (p *Pipeline) Submit(ctx context.Context, msg proto.Message) (proto.Message, error) {
	if !p.ready.Load() {
		return nil, ErrNotReady
	}
	r := &request{msg: msg, done: make(chan struct{})}
	select {
	case p.requests <- r:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		return nil, ErrStopped
	}
	select {
	case <-r.done:
		return r.resp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		select {
		case <-r.done: // answered by the writer on its way out
			return r.resp, r.err
		default:
			return nil, ErrStopped
		}
	}
}

// commit evaluates r and the requests waiting behind it, appends their changes
// as one record, and answers them.
func (p *Pipeline) commit(r *request) {
	batch := p.gather(r)
	now := p.cfg.Now()
	ok := true
	if len(p.unsealed) > 0 && p.sealDue() {
		ok = p.stageSeals() // rides on this append
	}
	p.view.Record(p.nextIndex())
	var payload []byte
	changes := make([]*mvcc.Change, 0, len(batch))
	for _, r := range batch {
		var ch *mvcc.Change
		if r.resp, ch, r.err = p.evaluate(r.msg, now); ch != nil {
			changes = append(changes, ch)
			payload = appendChange(payload, ch)
		}
	}
	var at dag.Index
	if payload != nil {
		at = p.stage(dag.Record{Kind: recordLocal, Payload: payload})
	}
	if !ok || !p.flush() {
		for _, r := range batch {
			r.answer(nil, ErrStopped)
		}
		return
	}
	p.remember(changes, at)
	p.cfg.Metrics.batch.Observe(float64(len(batch)))
	for _, r := range batch {
		close(r.done)
	}
	if p.pending >= sealBytes {
		p.seal()
	}
}

// evaluate runs one request at the view's head. There may be a change beside an
// error: the alarm that says why.
func (p *Pipeline) evaluate(msg proto.Message, now time.Time) (proto.Message, *mvcc.Change, error) {
	switch {
	case p.rotated.Load():
		return nil, nil, ErrRotated
	case p.superseded.Load() != nil:
		return nil, nil, ErrSuperseded
	case p.auth.version != dag.Version:
		return nil, nil, ErrVersion
	}
	if err := p.spaceFor(msg); err != nil {
		return nil, nil, err
	}
	p.view.SetRoom(p.room())
	resp, ch, err := p.view.Evaluate(msg, &p.auth, now)
	if err == rpctypes.ErrGRPCNoSpace {
		ch = p.raiseNoSpace(now)
	}
	if ch != nil {
		p.owed.add(ch)
	}
	return resp, ch, err
}

// gather returns r and what waits behind it, within the bounds of a batch.
func (p *Pipeline) gather(r *request) []*request {
	batch := append(make([]*request, 0, 64), r)
	size := proto.Size(r.msg)
	for len(batch) < batchRequests && size < batchBytes {
		select {
		case r := <-p.requests:
			batch = append(batch, r)
			size += proto.Size(r.msg)
		default:
			return batch
		}
	}
	return batch
}

func appendChange(payload []byte, ch *mvcc.Change) []byte {
	return appendItem(payload, ch.Append(nil))
}

// remember keeps the changes that an own op must still hold.
func (p *Pipeline) remember(changes []*mvcc.Change, at dag.Index) {
	for _, ch := range changes {
		if ch.Number == 0 {
			continue
		}
		if len(p.unsealed) == 0 {
			p.oldest = time.Now()
		}
		p.unsealed = append(p.unsealed, unsealedChange{ch, at})
		p.pending += ch.Size()
	}
}

// expireLeases deletes what hangs on leases that have run out.
func (p *Pipeline) expireLeases() {
	if !p.ready.Load() || p.superseded.Load() != nil || p.rotated.Load() {
		return
	}
	for _, id := range p.view.Expired(p.cfg.Now()) {
		p.commit(&request{msg: mvcc.Expire(id), done: make(chan struct{})})
	}
}
