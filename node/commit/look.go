package commit

import (
	"context"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// look is a request to read what belongs to the writer.
type look struct {
	fn   func() error
	done chan error
}

// look lets the writer call fn, with nothing unsealed.
func (p *Pipeline) look(ctx context.Context, fn func() error) error {
	l := &look{fn: fn, done: make(chan error, 1)}
	select {
	case p.looks <- l:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		return ErrStopped
	}
	return <-l.done // the writer has it and answers
}

// lookNow answers a look.
func (p *Pipeline) lookNow(l *look) {
	if len(p.unsealed) > 0 {
		if p.seal(); p.Err() != nil {
			l.done <- ErrStopped
			return
		}
	}
	l.done <- l.fn()
}

// KeyWrites returns the writes that the value of a key is made of, and with most above 0 as many
// before them as there are up to about most: see [mvcc.View.WritesOf]. What clients were answered is sealed before.
// Errors: ErrStopped, ctx's, and what the store returns.
func (p *Pipeline) KeyWrites(ctx context.Context, key []byte, most int) (kw *mvcc.KeyWrites, err error) {
	err = p.look(ctx, func() error {
		kw, err = p.view.WritesOf(key, most, history{p})
		return err
	})
	return kw, err
}

// Unsettled returns up to most keys from the key from on, in order, that more than one
// write decides: see [mvcc.View.Unsettled]. Errors: ErrStopped and ctx's.
func (p *Pipeline) Unsettled(ctx context.Context, from []byte, most int) (keys [][]byte, err error) {
	err = p.look(ctx, func() error {
		keys = p.view.Unsettled(from, most)
		return nil
	})
	return keys, err
}
