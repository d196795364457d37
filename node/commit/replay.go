package commit

import (
	"bytes"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// bodiesAhead is how many own ops may wait for their bodies to be checked while
// the replay goes on: their values are in the view anyway.
const bodiesAhead = 64

// replay rebuilds the graph and the view from the log. The log's chained hash
// vouches for what was verified when it was appended, so signatures are not
// checked again. That the bodies of own ops come out as they were signed is
// checked beside it, and known when it returns.
func (p *Pipeline) replay() error {
	r := replayer{Pipeline: p, bodies: make(chan *dag.Unverified, bodiesAhead)}
	var checks errgroup.Group
	checks.Go(r.checkBodies)
	err := p.store.Scan(1, func(at dag.Index, rec dag.Record) error {
		if err := r.replayRecord(at, rec); err != nil {
			return fmt.Errorf("%s: %w", recordKey(at), err)
		}
		if p.view.Unpublished() > publishBytes {
			p.view.Publish() // what is compacted is freed
		}
		return nil
	})
	close(r.bodies)
	if bad := checks.Wait(); err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	if f := p.graph.Founding(); f != nil && f.ID() != p.cfg.Mesh {
		return fmt.Errorf("%w: the store holds %s, not %s", ErrForeignMesh, f.ID(), p.cfg.Mesh)
	}
	p.view.Publish()
	return nil
}

// replayer is a pipeline that is being replayed.
type replayer struct {
	*Pipeline
	bodies chan *dag.Unverified // to be checked
}

// checkBodies checks the bodies of own ops until there are no more. It takes
// all of them, whatever it finds.
func (p *replayer) checkBodies() (err error) {
	for u := range p.bodies {
		if bad := u.CheckBody(); bad != nil && err == nil {
			err = fmt.Errorf("%w: own op %s: %w", ErrReplay, u.ID(), bad)
		}
	}
	return err
}

func (p *replayer) replayRecord(at dag.Index, rec dag.Record) error {
	switch rec.Kind {
	case recordLocal:
		return p.replayLocal(at, rec.Payload)
	case recordSeal:
		return p.replaySeal(rec.Payload)
	case recordOp:
		return p.replayOp(at, rec.Payload)
	case recordWindow:
		w, err := decodeWindow(rec.Payload)
		if err != nil {
			return err
		}
		if p.tip == nil {
			return fmt.Errorf("%w: window %d before any own op", ErrReplay, w.epoch)
		}
		if w.epoch > 0 && w.part == 0 {
			p.claim = p.tip
		}
		if w.part > 0 && (w.epoch != p.window.epoch || w.part <= p.window.part) {
			return fmt.Errorf("%w: part %d of window %d after part %d of window %d", ErrReplay, w.part, w.epoch, p.window.part, p.window.epoch)
		}
		p.openWindow(w)
		p.setReady()
		return nil
	case recordRotation:
		r, err := decodeRotation(rec.Payload)
		if err != nil {
			return err
		}
		if p.named == nil || *p.named == r.key {
			return fmt.Errorf("%w: a rotation to %s without an op before", ErrReplay, r.key)
		}
		p.named = &r.key
		p.notePast(r)
		return nil
	default:
		return fmt.Errorf("%w: unknown kind %d", ErrReplay, rec.Kind)
	}
}

func (p *replayer) replayLocal(at dag.Index, payload []byte) error {
	p.view.Record(at)
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

func (p *replayer) replaySeal(payload []byte) error {
	s, err := decodeSeal(payload)
	if err != nil {
		return err
	}
	if s.count > uint64(len(p.unsealed)) {
		return fmt.Errorf("%w: a seal of %d changes where %d are open", ErrReplay, s.count, len(p.unsealed))
	}
	transactions := make([]dag.Transaction, s.count)
	for i, u := range p.unsealed[:s.count] {
		transactions[i] = p.view.Transaction(u.change, s.first)
		p.pending -= u.change.Size()
	}
	clear(p.unsealed[:s.count]) // frees the changes
	p.unsealed = p.unsealed[s.count:]
	for _, list := range [][][]byte{s.statements, s.schemas} {
		for i, b := range list {
			list[i] = bytes.Clone(b) // the payload is lent, and they live on
		}
	}
	u, err := dag.Rebuild(bytes.Clone(s.block), transactions, s.statements, s.schemas)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReplay, err)
	}
	p.bodies <- u
	op, err := p.replayAdd(dag.AssumeVerified(u))
	if err != nil {
		return err
	}
	author := op.Author()
	if p.named != nil && *p.named != author {
		return fmt.Errorf("%w: own op %s of %s, the node's key is %s", ErrReplay, op.ID(), author, *p.named)
	}
	p.tip, p.named = op, &author
	p.ownTip.Store(op)
	if s.count > 0 {
		p.view.Sealed(s.first, int(s.count), op)
	}
	if err := p.turn(op); err != nil {
		return err
	}
	return p.checkRevision(op, s.revision)
}

// checkRevision compares the view's revision after op with the recorded one.
func (p *replayer) checkRevision(op *dag.Op, recorded int64) error {
	if got := p.view.Head(); got != recorded {
		return fmt.Errorf("%w: revision %d after op %s, recorded %d", ErrReplay, got, op.ID(), recorded)
	}
	return nil
}

func (p *replayer) replayOp(at dag.Index, payload []byte) error {
	o, err := decodeOp(payload)
	if err != nil {
		return err
	}
	// The payload is lent, and values and statements live on.
	u, err := dag.Decode(bytes.Clone(o.block), bytes.Clone(o.body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReplay, err)
	}
	signed := dag.AssumeVerified(u)
	op, err := p.replayAdd(signed)
	if err != nil {
		return err
	}
	if err := p.turn(op); err != nil {
		return err
	}
	p.view.Record(at)
	ts := signed.Transactions()
	if o.together > uint64(len(ts)) {
		return fmt.Errorf("%w: op %s has %d transactions", ErrReplay, op.ID(), len(ts))
	}
	if err := p.view.ReplayRemote(op, ts, int(o.together), history{p.Pipeline}); err != nil {
		return err
	}
	if !bytes.Equal(p.view.Trail(), o.trail) {
		return fmt.Errorf("%w: another trail of op %s", ErrReplay, op.ID())
	}
	p.noteRival(op)
	return p.checkRevision(op, o.revision)
}

// replayAdd adds a logged op to the graph.
func (p *replayer) replayAdd(signed *dag.Signed) (*dag.Op, error) {
	op, _, err := p.graph.Add(signed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	return op, nil
}
