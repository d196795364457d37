package reconcile

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// outgoing is what waits to be sent: a message, or else an answer of ops.
type outgoing struct {
	m     message
	ops   []*dag.Op // of an answer, parents first
	fresh []*dag.Op // those of ops that were not sent before
	n     int       // how many of ops were sent; changed by Next alone

	block, body []byte // of ops[n], if it was fetched but did not fit the last frame
}

// answer queues ops, of which those in fresh were not sent before. Both are in one order.
func (s *Session) answer(ops, fresh []*dag.Op) {
	out := &outgoing{ops: ops, fresh: fresh}
	s.queue = append(s.queue, out)
	s.answers = append(s.answers, out)
}

// both returns the ops that are in a and in b, two results of Graph.Since.
func both(a, b []*dag.Op) []*dag.Op {
	var c []*dag.Op
	for len(a) > 0 && len(b) > 0 {
		switch order := causally(a[0], b[0]); {
		case order < 0:
			a = a[1:]
		case order > 0:
			b = b[1:]
		default:
			c, a, b = append(c, a[0]), a[1:], b[1:]
		}
	}
	return c
}

// filling is a frame of ops in the making.
type filling struct {
	batch
	count int   // ops in it
	again int64 // bytes of those that were sent before
	cut   bool  // a limit keeps the next op out
}

// fill makes the next frame of an answer, without ops if the answer ends.
func (s *Session) fill(out *outgoing) (*filling, error) {
	f := new(filling)
	for _, op := range out.ops[out.n:] {
		if out.block == nil {
			var err error
			if out.block, out.body, err = s.src.Fetch(op.ID()); err != nil {
				return nil, fmt.Errorf("reconcile: fetch %v: %w", op.ID(), err)
			}
		}
		n := len(out.block) + len(out.body)
		if f.count > 0 && batchHead+len(f.ops)+n > TargetFrame {
			break
		}
		again := len(out.fresh) == 0 || out.fresh[0] != op
		// Of the statistics, those read here are written by this goroutine alone.
		all := s.stats.OpBytesSent + int64(batchHead+len(f.ops)+n)
		if f.count+s.stats.OpsSent > 0 && all > s.maxBytes || again && s.stats.BytesAgain+f.again+int64(n) > s.maxAgain {
			f.cut = true
			break
		}
		if again {
			f.again += int64(n)
		} else {
			out.fresh = out.fresh[1:]
		}
		f.ops, f.count = append(append(f.ops, out.block...), out.body...), f.count+1
		out.block, out.body = nil, nil
	}
	return f, nil
}
