package p2p

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/causeway-sync/causeway/dag"
)

// remote bounds the work that sync sessions give this node: pieces of a millisecond or
// less, of which half as many run at one time as there are processors. Where there is one only,
// and own clients write, each is followed by a pause, in which there is nothing to do but own requests: the
// runtime looks for what came in from the network when nothing else can run. It is safe for
// concurrent use. (docs/p2p.md, section 4)
type remote struct {
	slots chan struct{}
	alone func() bool  // there is one processor
	own   atomic.Int64 // when the last own op was made, in nanoseconds
}

func newRemote() *remote {
	return &remote{
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		alone: func() bool { return runtime.GOMAXPROCS(0) == 1 },
	}
}

// wrote says that an own client wrote.
func (r *remote) wrote() { r.own.Store(time.Now().UnixNano()) }

// A piece is work for a peer that is under way. It is for one goroutine. A nil one has all the time there is.
type piece struct {
	r     *remote
	ctx   context.Context
	began time.Time
	has   bool // a slot
}

// begin waits for the turn of a piece of work, which is to be ended. The error is ctx's.
func (r *remote) begin(ctx context.Context) (*piece, error) {
	p := &piece{r: r, ctx: ctx}
	return p, p.take()
}

func (p *piece) take() error {
	if err := p.ctx.Err(); err != nil {
		return err // also where there is a slot
	}
	select {
	case p.r.slots <- struct{}{}:
		p.began, p.has = time.Now(), true
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// rest lets others have a turn if the piece is long already. It is to be called
// without a lock held.
func (p *piece) rest() {
	if p != nil && p.has && time.Since(p.began) > restAfter {
		p.end(0)
		_ = p.take() // else what is left is short: ctx is done
	}
}

// end ends the piece, which moved so many bytes of operations.
func (p *piece) end(bytes int) {
	if p == nil || !p.has {
		return
	}
	p.has = false
	if pause := p.r.pause(time.Since(p.began), bytes); pause > 0 {
		time.AfterFunc(pause, p.r.give)
	} else {
		p.r.give()
	}
}

func (r *remote) give() { <-r.slots }

// pause returns for how long nothing follows a piece of work that took so long and moved so many bytes.
func (r *remote) pause(took time.Duration, bytes int) time.Duration {
	if !r.alone() || time.Since(time.Unix(0, r.own.Load())) > ownLately {
		return 0
	}
	return max(pauseFactor*min(took, maxPiece), time.Duration(bytes)*time.Second/aloneRate)
}

// restingSource has the session that reads from it rest between two ops.
type restingSource struct {
	Backend
	x *exchange
}

// Fetch implements [reconcile.Source].
func (s restingSource) Fetch(id dag.ID) (block, body []byte, err error) {
	s.x.sending.rest()
	return s.Backend.Fetch(id)
}
