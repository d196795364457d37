package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// throttle delays the ops of proven forkers and of authors who are revoked here
// (docs/p2p.md, section 12). It is safe for concurrent use.
type throttle struct {
	n *Network

	mu     sync.Mutex
	gossip map[identity.PublicKey]*bucket // of the authors it slowed; bounded by maxProofs
	sync   bucket                         // in units, of all of them
}

func newThrottle(n *Network) *throttle {
	return &throttle{n: n, gossip: make(map[identity.PublicKey]*bucket), sync: newBucket(throttleRate, throttleBurst, time.Now())}
}

// slows reports whether the author's ops are delayed.
func (t *throttle) slows(author identity.PublicKey, roster *identity.Roster) bool {
	return t.n.proofs.has(author) || errors.Is(roster.Standing(author).Err(), identity.ErrRevoked)
}

// units is what an op of so many bytes costs.
func units(bytes int) float64 { return 1 + float64(bytes)/throttleUnit }

// passes reports whether another op, of so many bytes, of an author whom it slows may
// be taken by gossip now; spend says that it is, and that it is verified.
func (t *throttle) passes(author identity.PublicKey, bytes int, spend bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	b := t.gossip[author]
	if b == nil {
		if len(t.gossip) >= maxProofs {
			clear(t.gossip) // each begins with a full bucket again
		}
		fresh := newBucket(throttleGossipRate, throttleGossipBurst, now)
		b = &fresh
		t.gossip[author] = b
	}
	if float64(b.left(now)) < units(bytes) || !t.n.reserve.takes(author, int64(bytes+throttleUnit), 0, 0, spend) {
		return false
	}
	return !spend || b.take(units(bytes), now)
}

// wait returns for how long ops that came by sync wait before they are admitted.
func (t *throttle) wait(ops []*dag.Signed) time.Duration {
	roster := t.n.backend.Graph().Roster()
	if _, ok := roster.Author(t.n.self); !ok {
		return 0 // it has just joined: all of this is history
	}
	slow := make(map[identity.PublicKey]bool)
	owed := 0.0
	for _, s := range ops {
		author := s.Header().Author
		is, known := slow[author]
		if !known {
			is = t.slows(author, roster)
			slow[author] = is
		}
		if is {
			owed += units(len(s.Block()) + len(s.Body()))
		}
	}
	if owed == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := t.sync.owe(owed, time.Now())
	if wait > throttleMost {
		// A debt beyond what anybody waits for is forgotten.
		t.sync.tokens = -throttleMost.Seconds() * throttleRate
		wait = throttleMost
	}
	return wait
}

// slow waits as long as ops that came by sync have to. The error is ctx's.
func (n *Network) slow(ctx context.Context, ops []*dag.Signed) error {
	wait := n.throttle.wait(ops)
	if wait == 0 {
		return nil
	}
	n.metrics.throttled.WithLabelValues("sync").Inc()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
