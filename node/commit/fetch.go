package commit

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// Fetch returns an op's block and body (nil if it has none). For an own op
// that is still being made durable it waits. Errors: ErrNotFound, ErrStopped,
// and what the store returns.
func (p *Pipeline) Fetch(id dag.ID) (block, body []byte, err error) {
	for {
		p.appendMu.Lock()
		appended := p.appended
		p.appendMu.Unlock()
		at, ok, err := p.store.Lookup(id)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			return p.fetchAt(at)
		}
		if _, ok := p.graph.Get(id); !ok {
			return nil, nil, fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		select {
		case <-appended:
		case <-p.stopped:
			return nil, nil, ErrStopped
		}
	}
}

func (p *Pipeline) fetchAt(at dag.Index) (block, body []byte, err error) {
	rec, err := p.store.Read(at)
	if err != nil {
		return nil, nil, err
	}
	if rec.Kind == recordOp {
		o, err := decodeOp(rec.Payload)
		if err != nil {
			return nil, nil, damaged(at, err)
		}
		return o.block, o.body, nil
	}
	s, err := decodeSeal(rec.Payload)
	if err != nil || rec.Kind != recordSeal {
		return nil, nil, damaged(at, errMalformedRecord)
	}
	body, err = p.rebuildBody(s)
	return s.block, body, err
}

// rebuildBody makes an own op's body from the client changes it sealed: the
// log holds every value once.
func (p *Pipeline) rebuildBody(s sealRecord) ([]byte, error) {
	body := dag.Body{Statements: s.statements, Schemas: s.schemas}
	err := p.sealedChanges(s, p.store.Read, func(ch *mvcc.Change) {
		body.Transactions = append(body.Transactions, p.view.Transaction(ch, s.first).Append(nil))
	})
	if err != nil {
		return nil, err
	}
	return body.Encode(), nil
}

// sealedChanges calls fn for each change that an own op holds, in order. read reads the log.
func (p *Pipeline) sealedChanges(s sealRecord, read func(dag.Index) (dag.Record, error), fn func(*mvcc.Change)) error {
	for at, n := s.at, uint64(0); n < s.count; at++ {
		rec, err := read(at)
		if err != nil {
			return err
		}
		if rec.Kind != recordLocal {
			continue
		}
		err = decodeLocal(rec.Payload, func(ch *mvcc.Change) error {
			if ch.Number >= s.first && ch.Number < s.first+s.count {
				n++
				fn(ch)
			}
			return nil
		})
		if err != nil {
			return damaged(at, err)
		}
	}
	return nil
}

func recordKey(at dag.Index) string { return fmt.Sprintf("record %d", at) }

func damaged(at dag.Index, err error) error {
	return &dag.CorruptError{Key: recordKey(at), Offset: -1, Err: err}
}
