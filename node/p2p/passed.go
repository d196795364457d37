package p2p

import (
	"sync"

	"github.com/causeway-sync/causeway/dag"
)

// keptPassed is how many of the ops delivered last are remembered: those whose gossip
// may still be on its way.
const keptPassed = 1 << 13

// passed remembers which of the ops delivered last were forwarded by gossip. An op
// is forwarded once: messages of one op that differ in compression, and those of old ops, go no
// further (docs/p2p.md, section 3). It is safe for concurrent use.
type passed struct {
	mu    sync.Mutex
	ops   map[dag.ID]bool // whether it was forwarded
	order []dag.ID        // a ring, the oldest at next once it is full
	next  int
}

func newPassed() *passed { return &passed{ops: make(map[dag.ID]bool)} }

// delivered notes an op that may be forwarded.
func (p *passed) delivered(id dag.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.ops[id]; ok {
		return
	}
	p.ops[id] = false
	if len(p.order) < keptPassed {
		p.order = append(p.order, id)
		return
	}
	delete(p.ops, p.order[p.next])
	p.order[p.next] = id
	p.next = (p.next + 1) % keptPassed
}

// pass reports whether a message of the op is forwarded, the first one only.
func (p *passed) pass(id dag.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	done, ok := p.ops[id]
	if !ok || done {
		return false
	}
	p.ops[id] = true
	return true
}
