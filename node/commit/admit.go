package commit

import (
	"context"
	"errors"

	"github.com/causeway-sync/causeway/dag"
)

// admission is a batch of received ops on its way through the writer.
type admission struct {
	ops  []*dag.Signed
	errs []error
	done chan struct{}
}

// size returns the bytes of the ops as encoded.
func (a *admission) size() (n int) {
	for _, s := range a.ops {
		n += len(s.Block()) + len(s.Body())
	}
	return n
}

func (a *admission) refuse(err error) {
	for i := range a.errs {
		a.errs[i] = err
	}
	close(a.done)
}

// Admit validates received ops, in causal order, and returns once those that
// are valid are durable and visible. The result has one error per op: nil,
// dag.ErrDuplicate, a *dag.MissingError (its past is not here), a *dag.Refusal
// (invalid), ErrForeignMesh, ErrStopped or ctx's error.
func (p *Pipeline) Admit(ctx context.Context, ops []*dag.Signed) []error {
	a := &admission{ops: ops, errs: make([]error, len(ops)), done: make(chan struct{})}
	giveUp := func(err error) []error {
		errs := make([]error, len(ops)) // a's own belong to the writer
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	select {
	case p.admissions <- a:
	case <-ctx.Done():
		return giveUp(ctx.Err())
	case <-p.stopped:
		return giveUp(ErrStopped)
	}
	select {
	case <-a.done:
		return a.errs
	case <-ctx.Done():
		return giveUp(ctx.Err())
	case <-p.stopped:
		select {
		case <-a.done:
			return a.errs
		default:
			return giveUp(ErrStopped)
		}
	}
}

// admit seals what is unsealed and takes in a batch and whatever batches wait
// behind it, all with one append, or with several if they make that much in memory.
func (p *Pipeline) admit(first *admission) {
	batch := []*admission{first}
	for size := first.size(); size < admitBytes; {
		select {
		case a := <-p.admissions:
			batch = append(batch, a)
			size += a.size()
			continue
		default:
		}
		break
	}
	ok := p.stageSeals()
	var added []*dag.Op
	for _, a := range batch {
		for i, s := range a.ops {
			op, err := p.admitOne(s)
			a.errs[i] = err
			if err == nil {
				added = append(added, op)
			}
			if p.view.Unpublished() > publishBytes && !p.flush() {
				break
			}
		}
	}
	if !ok || !p.flush() {
		for _, a := range batch {
			a.refuse(ErrStopped)
		}
		return
	}
	p.checkPlace() // whoever delivered an op finds the node judged by it
	for _, a := range batch {
		close(a.done)
	}
	p.cfg.Metrics.admitted.Add(float64(len(added)))
	p.openWindowIfNeeded()
	for _, op := range added {
		p.noteRival(op)
	}
	p.answerRivals()
}

// admitOne validates an op, applies it to the head of the view and stages its
// record, which is flushed before anything of it is published.
func (p *Pipeline) admitOne(s *dag.Signed) (*dag.Op, error) {
	op, err := p.add(s)
	if err != nil {
		return nil, err
	}
	p.noteAuthor(op)
	if err := p.turn(op); err != nil {
		p.fail(err)
		return nil, ErrStopped
	}
	p.view.Record(p.nextIndex())
	together, err := p.view.ApplyRemote(op, s.Transactions(), history{p})
	if err != nil {
		p.fail(err)
		return nil, ErrStopped
	}
	rec := opRecord{revision: p.view.Head(), together: uint64(together), block: s.Block(), body: s.Body(), trail: p.view.Trail()}
	p.stage(dag.Record{Kind: recordOp, Payload: rec.append(nil), Ops: []dag.ID{op.ID()}})
	return op, nil
}

// add adds an op to the graph and counts the fork it exposes. The proof needs
// no place of its own: both blocks are in the log.
func (p *Pipeline) add(s *dag.Signed) (*dag.Op, error) {
	op, forks, err := p.graph.Add(s)
	var refusal *dag.Refusal
	if errors.As(err, &refusal) {
		p.cfg.Metrics.refused.WithLabelValues(refusal.Reason.String()).Inc()
	}
	p.cfg.Metrics.forks.Add(float64(len(forks)))
	return op, err
}
