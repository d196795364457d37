package p2p

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// handshakes lets one handshake of an inbound connection compute at a time, and all of
// them together a share of the processors' time: anybody can have us compute one, a millisecond or two
// that own clients wait for. (docs/p2p.md, section 2) Those that wait at addresses where peers
// proved good have every other turn, however many wait elsewhere. It is safe for
// concurrent use.
type handshakes struct {
	mu     sync.Mutex
	busy   bool            // one computes, or the time that was taken is not made up for
	wait   [2][]*turnstile // those that wait their turn: at addresses not known, and at known ones
	known  int             // of wait: whose turn it is
	budget bucket          // in seconds of processor time
}

// A turnstile is a handshake that waits.
type turnstile struct {
	begun bool          // it computed before, and goes first
	open  chan struct{} // closed when it is its turn
}

var errCrowd = errors.New("p2p: too many handshakes")

// newHandshakes is for a machine of so many processors.
func newHandshakes(processors int) *handshakes {
	return &handshakes{budget: newBucket(handshakeShare*float64(processors), handshakeBurst.Seconds(), time.Now())}
}

// enter waits until the caller may compute. begun says that its handshake has done so
// before, known that its address is. The error is ctx's, or errCrowd.
func (h *handshakes) enter(ctx context.Context, begun, known bool) error {
	h.mu.Lock()
	if !h.busy {
		h.busy = true
		h.mu.Unlock()
		return nil
	}
	queue := &h.wait[lane(known)]
	if len(*queue) >= maxWaiting {
		h.mu.Unlock()
		return errCrowd
	}
	t := &turnstile{begun: begun, open: make(chan struct{})}
	*queue = append(*queue, t)
	h.mu.Unlock()
	select {
	case <-t.open:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	i := slices.Index(*queue, t)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	h.mu.Unlock()
	if i < 0 { // it was let in just now
		h.leave(0)
	}
	return ctx.Err()
}

func lane(known bool) int {
	if known {
		return 1
	}
	return 0
}

// leave says that the caller computed for so long. The next one may once that is made up for.
func (h *handshakes) leave(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pause := h.budget.owe(min(took, maxPiece).Seconds(), time.Now())
	if pause < minPause {
		h.next()
		return
	}
	time.AfterFunc(pause, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.next()
	})
}

// next lets the next one in: of those of a kind first who have begun, so that what was
// computed is of use.
func (h *handshakes) next() {
	h.known = 1 - h.known
	if len(h.wait[h.known]) == 0 {
		h.known = 1 - h.known
	}
	queue := &h.wait[h.known]
	if len(*queue) == 0 {
		h.busy = false
		return
	}
	i := max(0, slices.IndexFunc(*queue, func(t *turnstile) bool { return t.begun }))
	close((*queue)[i].open)
	*queue = slices.Delete(*queue, i, i+1)
}

// afford takes what a handshake over QUIC costs from the budget, if that is there: such
// cannot wait.
func (h *handshakes) afford() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.budget.take(quicHandshake.Seconds(), time.Now())
}
