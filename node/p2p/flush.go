package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// flushWait is how long Flush waits before it tries a peer again.
const flushWait = 100 * time.Millisecond

// Flush gives a delivered operation to the connected peers that may sync, and
// returns how many of them are known to hold it: all, or as many as when ctx
// ended. The error is [ErrNotHeld] if that is none, [ErrClosed] if the network was closed.
func (n *Network) Flush(ctx context.Context, id dag.ID) (peers int, err error) {
	op, ok := n.backend.Graph().Get(id)
	if !ok {
		return 0, fmt.Errorf("%w: nor does this node: %v", ErrNotHeld, id)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, p := range n.host.Network().Peers() {
		if n.admitted(p) != nil {
			continue
		}
		wg.Go(func() {
			for !n.peers.hold(p, op) {
				serr := n.Sync(ctx, p)
				if ctx.Err() != nil || errors.Is(serr, ErrClosed) || !n.connected(p) {
					break
				}
				if serr != nil && !sleep(ctx, flushWait) {
					break
				}
			}
			if n.peers.hold(p, op) {
				mu.Lock()
				peers++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if peers == 0 {
		return 0, fmt.Errorf("%w: %v", ErrNotHeld, id)
	}
	return peers, nil
}

// hold reports whether p is known to hold op.
func (ps *peers) hold(p peer.ID, op *dag.Op) bool {
	st, _ := ps.get(p)
	for _, k := range st.known {
		if k == op || k.InPast(op) {
			return true
		}
	}
	return false
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
