package commit

import (
	"bytes"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// replay rebuilds the graph and the view from the log. The log's chained hash
// vouches for what was verified when it was appended, so signatures are not
// checked again.
func (p *Pipeline) replay() error {
	err := p.store.Scan(1, func(at dag.Index, rec dag.Record) error {
		if err := p.replayRecord(at, rec); err != nil {
			return fmt.Errorf("%s: %w", recordKey(at), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f := p.graph.Founding(); f != nil && f.ID() != p.cfg.Mesh {
		return fmt.Errorf("%w: the store holds %s, not %s", ErrForeignMesh, f.ID(), p.cfg.Mesh)
	}
	p.auth = authorizer{roster: p.graph.Roster(), node: p.self}
	p.view.Publish()
	return nil
}

func (p *Pipeline) replayRecord(at dag.Index, rec dag.Record) error {
	switch rec.Kind {
	case recordLocal:
		return p.replayLocal(at, rec.Payload)
	case recordSeal:
		return p.replaySeal(rec.Payload)
	case recordOp:
		return p.replayOp(rec.Payload)
	case recordWindow:
		epoch, err := decodeWindow(rec.Payload)
		if err != nil {
			return err
		}
		if epoch > 0 {
			p.claim = p.tip
		}
		p.openWindow(epoch)
		p.setReady()
		return nil
	default:
		return fmt.Errorf("%w: unknown kind %d", ErrReplay, rec.Kind)
	}
}

func (p *Pipeline) replayLocal(at dag.Index, payload []byte) error {
	var changes []*mvcc.Change
	err := decodeLocal(payload, func(ch *mvcc.Change) error {
		changes = append(changes, ch)
		return p.view.Replay(ch)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReplay, err)
	}
	p.remember(changes, at)
	return nil
}

func (p *Pipeline) replaySeal(payload []byte) error {
	s, err := decodeSeal(bytes.Clone(payload)) // statements live on
	if err != nil {
		return err
	}
	if s.count > uint64(len(p.unsealed)) {
		return fmt.Errorf("%w: a seal of %d changes where %d are open", ErrReplay, s.count, len(p.unsealed))
	}
	body := dag.Body{Statements: s.statements}
	for _, u := range p.unsealed[:s.count] {
		body.Transactions = append(body.Transactions, p.view.Transaction(u.change, s.first).Append(nil))
		p.pending -= u.change.Size()
	}
	p.unsealed = p.unsealed[s.count:]
	op, _, err := p.replayAdd(s.block, body.Encode())
	if err != nil {
		return err
	}
	p.tip = op
	if s.count > 0 {
		p.view.Sealed(s.first, int(s.count), op)
	}
	return nil
}

func (p *Pipeline) replayOp(payload []byte) error {
	o, err := decodeOp(payload)
	if err != nil {
		return err
	}
	op, signed, err := p.replayAdd(o.block, o.body)
	if err != nil {
		return err
	}
	if op.Author() == p.self {
		p.supersede(op)
	}
	for i, t := range signed.Transactions() {
		p.view.ApplyRemote(op, uint32(i), t)
	}
	if got := p.view.Head(); got != o.revision {
		return fmt.Errorf("%w: revision %d after op %s, recorded %d", ErrReplay, got, op.ID(), o.revision)
	}
	return nil
}

// replayAdd adds a logged op to the graph. The record's bytes are lent, and
// statements and values live on, so it works on a copy.
func (p *Pipeline) replayAdd(block, body []byte) (*dag.Op, *dag.Signed, error) {
	u, err := dag.Decode(bytes.Clone(block), bytes.Clone(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	signed := dag.AssumeVerified(u)
	op, _, err := p.graph.Add(signed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	return op, signed, nil
}
