package commit

import (
	"context"
	"iter"

	"google.golang.org/protobuf/proto"
)

const (
	// loadRequests and loadBytes bound the requests of a [Pipeline.Load] that wait
	// for the writer: enough to fill its batches.
	loadRequests = 2 * batchRequests
	loadBytes    = 4 * batchBytes
)

// Load submits requests, which it may keep, one after another without waiting
// for each, so that many share an append. It returns once all are durable, or
// with the first error: of a request, of the sequence, or of ctx. What came before it
// has taken effect, and some of what came after may have.
func (p *Pipeline) Load(ctx context.Context, requests iter.Seq2[proto.Message, error]) error {
	if !p.ready.Load() {
		return ErrNotReady
	}
	var waiting []*request
	size := 0
	first := func() error { // waits for the first of those that wait
		r := waiting[0]
		waiting = waiting[1:]
		size -= proto.Size(r.msg)
		select {
		case <-r.done:
			return r.err
		case <-ctx.Done():
			return ctx.Err()
		case <-p.stopped:
			return ErrStopped
		}
	}
	for msg, err := range requests {
		if err != nil {
			return err
		}
		r := &request{msg: msg, done: make(chan struct{})}
		select {
		case p.requests <- r:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.stopped:
			return ErrStopped
		}
		waiting = append(waiting, r)
		for size += proto.Size(msg); len(waiting) > loadRequests || size > loadBytes; {
			if err := first(); err != nil {
				return err
			}
		}
	}
	for len(waiting) > 0 {
		if err := first(); err != nil {
			return err
		}
	}
	return nil
}
