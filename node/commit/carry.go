package commit

import (
	"context"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// carry is a request to carry statements in an own op.
type carry struct {
	statements [][]byte
	done       chan carried
}

type carried struct {
	id  dag.ID
	err error
}

// Carry puts statements into an own op, after everything answered so far, and
// returns its ID once it is durable. Whether they have any effect is the
// roster's to say.
func (p *Pipeline) Carry(ctx context.Context, statements [][]byte) (dag.ID, error) {
	if !p.ready.Load() {
		return dag.ID{}, ErrNotReady
	}
	c := &carry{statements: statements, done: make(chan carried, 1)}
	select {
	case p.carries <- c:
	case <-ctx.Done():
		return dag.ID{}, ctx.Err()
	case <-p.stopped:
		return dag.ID{}, ErrStopped
	}
	r := <-c.done // the writer has it and answers
	return r.id, r.err
}

func (p *Pipeline) carry(c *carry) {
	if err := p.mayAuthor(); err != nil {
		c.done <- carried{err: err}
		return
	}
	ok := p.stageSeals()
	if ok {
		if err := p.tryOwn(dag.Body{Statements: c.statements}, 0, 0, sealRecord{}); err != nil {
			p.flush()
			c.done <- carried{err: fmt.Errorf("commit: carry statements: %w", err)}
			return
		}
	}
	if !ok || !p.flush() {
		c.done <- carried{err: ErrStopped}
		return
	}
	p.checkPlace() // the statements may have made room for another key here
	c.done <- carried{id: p.tip.ID()}
}
