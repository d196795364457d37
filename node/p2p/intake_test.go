package p2p

import (
	"context"
	"fmt"
	"sync"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// heldBackend admits nothing while gate is closed, and counts the calls.
type heldBackend struct {
	*fakeBackend
	entered chan struct{} // filled by each call
	gate    chan struct{}

	mu    sync.Mutex
	calls []int // ops of each
}

func (b *heldBackend) Admit(ctx context.Context, ops []*dag.Signed) []error {
	b.entered <- struct{}{}
	<-b.gate
	b.mu.Lock()
	b.calls = append(b.calls, len(ops))
	b.mu.Unlock()
	return b.fakeBackend.Admit(ctx, ops)
}

// TestGossipIsTakenInBatches has gossip bring a chain of ops, children first and
// with a forged one among them, while the backend is busy: what gathered is one
// batch, in causal order, of which only the forged op is refused.
func TestGossipIsTakenInBatches(t *testing.T) {
	m := dagtest.New(t, 3)
	held := &heldBackend{entered: make(chan struct{}, 2), gate: make(chan struct{})}
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: slow, wrap: func(b *fakeBackend) Backend {
		held.fakeBackend = b
		return held
	}})
	from, err := PeerID(m.Author(1))
	if err != nil {
		t.Fatal(err)
	}
	var chain []*dag.Signed
	parent := m.Founding.ID()
	for i := range 21 {
		op := m.Sign(dagtest.Draft{Author: 2, Parents: []dag.ID{parent}, Transactions: []dag.Transaction{{dagtest.Put(fmt.Sprint("k", i), "v")}}})
		chain, parent = append(chain, op), op.ID()
	}
	results := make([]pubsub.ValidationResult, len(chain)+1)
	var wg sync.WaitGroup
	start := func(i int, block, body []byte) {
		wg.Go(func() { results[i] = s.gossip.received(t.Context(), from, &gossipMessage{block: block, body: body}) })
	}
	start(0, chain[0].Block(), chain[0].Body())
	<-held.entered
	for i := len(chain) - 1; i > 0; i-- {
		start(i, chain[i].Block(), chain[i].Body())
	}
	bad := forged(m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{m.Founding.ID()}}))
	start(len(chain), bad[0], bad[1])
	eventually(t, "the others wait", func() bool { return len(s.intake.queue) == len(chain) })
	close(held.gate)
	wg.Wait()
	for i, r := range results[:len(chain)] {
		if r != pubsub.ValidationAccept {
			t.Errorf("op %d: %v, want accepted", i, r)
		}
	}
	if r := results[len(chain)]; r != pubsub.ValidationReject {
		t.Errorf("the forged op: %v, want rejected", r)
	}
	if got := s.misbehaved(t, "refused-bad-signature"); got != 1 {
		t.Errorf("bad signatures counted: %v, want 1", got)
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	if len(held.calls) != 2 || held.calls[0] != 1 || held.calls[1] != len(chain)-1 {
		t.Errorf("ops per append: %v, want 1 and then all %d others", held.calls, len(chain)-1)
	}
	if ops, _ := s.delivery.pool.Len(); ops != 0 {
		t.Errorf("%d ops wait in the pool, want none: a batch is in causal order", ops)
	}
}
