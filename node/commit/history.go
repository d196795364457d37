package commit

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
)

// history is the log as the view reads it again, with the records that are staged. It implements mvcc.History.
type history struct{ p *Pipeline }

// Transactions implements mvcc.History.
func (h history) Transactions(op *dag.Op) ([]dag.Transaction, error) {
	at, err := h.find(op.ID())
	if err != nil {
		return nil, err
	}
	rec, err := h.record(at)
	if err != nil {
		return nil, err
	}
	if rec.Kind == recordOp {
		_, ts, err := receivedTransactions(at, rec)
		return ts, err
	}
	s, err := decodeSeal(rec.Payload)
	if err != nil || rec.Kind != recordSeal {
		return nil, damaged(at, errMalformedRecord)
	}
	ts := make([]dag.Transaction, 0, s.count)
	err = h.p.sealedChanges(s, h.record, func(ch *mvcc.Change) { ts = append(ts, h.p.view.Transaction(ch, s.first)) })
	return ts, err
}

// Writes implements mvcc.History.
func (h history) Writes(at dag.Index) (mvcc.Writes, error) {
	rec, err := h.record(at)
	if err != nil {
		return mvcc.Writes{}, err
	}
	var ws mvcc.Writes
	switch rec.Kind {
	case recordLocal:
		err := decodeLocal(rec.Payload, func(ch *mvcc.Change) error {
			ws.Changes = append(ws.Changes, ch)
			return nil
		})
		if err != nil {
			return mvcc.Writes{}, damaged(at, err)
		}
	case recordOp:
		var o opRecord
		if o, ws.Transactions, err = receivedTransactions(at, rec); err != nil {
			return mvcc.Writes{}, err
		}
		ws.Trail = o.trail
		if ws.Operation, _ = h.p.graph.Get(rec.Ops[0]); ws.Operation == nil {
			return mvcc.Writes{}, damaged(at, ErrNotFound)
		}
	default:
		return mvcc.Writes{}, damaged(at, fmt.Errorf("kind %d has no writes", rec.Kind))
	}
	return ws, nil
}

// Operation implements mvcc.History.
func (h history) Operation(id dag.ID) *dag.Op {
	op, _ := h.p.graph.Get(id)
	return op
}

// find returns where op is in the log.
func (h history) find(op dag.ID) (dag.Index, error) {
	at, ok, err := h.p.store.Lookup(op)
	if err != nil || ok {
		return at, err
	}
	for i, rec := range h.p.staged {
		if slices.Contains(rec.Ops, op) {
			return h.p.store.Last() + dag.Index(i) + 1, nil
		}
	}
	return 0, fmt.Errorf("%w: %s", ErrNotFound, op)
}

// record returns a record of the log or a staged one.
func (h history) record(at dag.Index) (dag.Record, error) {
	if last := h.p.store.Last(); at > last && at-last <= dag.Index(len(h.p.staged)) {
		return h.p.staged[at-last-1], nil
	}
	return h.p.store.Read(at)
}

// receivedTransactions decodes the record of a received op.
func receivedTransactions(at dag.Index, rec dag.Record) (opRecord, []dag.Transaction, error) {
	o, err := decodeOp(rec.Payload)
	if err != nil || len(rec.Ops) != 1 {
		return opRecord{}, nil, damaged(at, errMalformedRecord)
	}
	if len(o.body) == 0 {
		return o, nil, nil
	}
	body, err := dag.DecodeBody(bytes.Clone(o.body))
	if err != nil {
		return opRecord{}, nil, damaged(at, err)
	}
	ts := make([]dag.Transaction, len(body.Transactions))
	for i, b := range body.Transactions {
		if ts[i], err = dag.DecodeTransaction(b); err != nil {
			return opRecord{}, nil, damaged(at, err)
		}
	}
	return o, ts, nil
}

// Transactions returns the transactions of an op that is in the log. Any
// goroutine may call it. Errors: ErrNotFound, and what the store returns.
func (p *Pipeline) Transactions(op *dag.Op) ([]dag.Transaction, error) {
	u, err := p.decoded(op)
	if err != nil {
		return nil, err
	}
	return u.Transactions(), nil
}

// Statements returns the statements of an op of the graph. Any goroutine may call it.
func (p *Pipeline) Statements(op *dag.Op) ([]*identity.Statement, error) {
	u, err := p.decoded(op)
	if err != nil {
		return nil, err
	}
	return u.Statements(), nil
}

// decoded returns an op of the graph as it was received or sealed.
func (p *Pipeline) decoded(op *dag.Op) (*dag.Unverified, error) {
	block, body, err := p.Fetch(op.ID())
	if err != nil {
		return nil, err
	}
	return dag.Decode(block, body)
}
