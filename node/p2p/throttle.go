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

// passes reports whether another op of an author whom it slows may be taken by
// gossip now; spend says that it is.
func (t *throttle) passes(author identity.PublicKey, spend bool) bool {
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
	if !spend {
		return b.left(now) >= 1
	}
	return b.take(1, now)
}

// wait returns for how long ops that came by sync wait before they are admitted.
func (t *throttle) wait(ops []*dag.Signed) time.Duration {
	roster := t.n.backend.Graph().Roster()
	if _, ok := roster.Author(t.n.self); !ok {
		return 0 // it has just joined: all of this is history
	}
	slow := make(map[identity.PublicKey]bool)
	units := 0.0
	for _, s := range ops {
		author := s.Header().Author
		is, known := slow[author]
		if !known {
			is = t.slows(author, roster)
			slow[author] = is
		}
		if is {
			units += 1 + float64(len(s.Block())+len(s.Body()))/throttleUnit
		}
	}
	if units == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := t.sync.owe(units, time.Now())
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
