package dag

import (
	"slices"
	"sync"
)

// PoolLimits bounds a [Pool]. Bytes are counted by [Unverified.Footprint].
type PoolLimits struct {
	PeerOps   int // ops charged to one peer
	PeerBytes int // bytes charged to one peer
	Ops       int // ops in the pool
	Bytes     int // bytes in the pool
}

// DefaultPoolLimits has room in a peer's share for an op of the largest size,
// parsed, and room in the pool for the full shares of sixteen peers. Synchronisation sends ops in causal
// order and needs no pool; it is for ops that gossip brings out of order.
func DefaultPoolLimits() PoolLimits {
	return PoolLimits{PeerOps: 4096, PeerBytes: 32 << 20, Ops: 16 * 4096, Bytes: 16 * 32 << 20}
}

// A Pool holds signed ops that wait for ops of their past. What waits is
// charged to the peers that sent it, never to its author: a liar can relay
// honest ops without their past, and must not be able to push out what others
// sent. A peer beyond its share loses its own oldest ops, nobody else's. A
// Pool is safe for concurrent use.
type Pool struct {
	limits PoolLimits

	mu      sync.Mutex
	ops     map[ID]*pending
	waiting map[ID][]*pending // by an ID that they wait for
	peers   map[string]*share
	bytes   int
}

// A pending op is in the pool for as long as it is charged to any peer.
type pending struct {
	signed  *Signed
	missing []ID // what it waits for still
	bytes   int
	peers   []string // those it is charged to, at least one
}

// A share is what is charged to a peer, oldest first.
type share struct {
	ops   []*pending
	bytes int
}

// NewPool returns an empty pool with those limits.
func NewPool(limits PoolLimits) *Pool {
	return &Pool{
		limits:  limits,
		ops:     make(map[ID]*pending),
		waiting: make(map[ID][]*pending),
		peers:   make(map[string]*share),
	}
}

// Add puts s, which peer sent and which waits for missing (a
// [MissingError]'s), into the pool. If that takes the peer beyond its share,
// the peer's oldest ops make room. If another peer sent s before it is charged
// to both, and stays until both have lost it.
//
// Errors: [ErrDuplicate] if the peer sent it before; [ErrPoolFull] if s is
// beyond a peer's whole share, or if the pool is full and what the peer itself has in
// it, once gone, would not make room. Then nothing has changed.
func (p *Pool) Add(peer string, s *Signed, missing []ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	e, known := p.ops[s.id]
	if known && slices.Contains(e.peers, peer) {
		return ErrDuplicate
	}
	if !known {
		e = &pending{signed: s, bytes: s.Footprint(), missing: distinct(missing)}
	}
	mine := p.peers[peer]
	if mine == nil {
		mine = &share{}
	}
	evict, ok := p.room(mine, e, known)
	if !ok {
		return ErrPoolFull
	}
	for range evict {
		p.release(peer, mine.ops[0])
	}
	if !known {
		p.ops[s.id] = e
		p.bytes += e.bytes
		for _, id := range e.missing {
			p.waiting[id] = append(p.waiting[id], e)
		}
	}
	e.peers = append(e.peers, peer)
	mine.ops = append(mine.ops, e)
	mine.bytes += e.bytes
	p.peers[peer] = mine
	return nil
}

// room returns how many of its oldest ops the peer must lose for e to fit.
func (p *Pool) room(mine *share, e *pending, known bool) (evict int, ok bool) {
	l := p.limits
	peerOps, peerBytes := len(mine.ops)+1, mine.bytes+e.bytes
	ops, bytes := len(p.ops), p.bytes
	if !known {
		ops, bytes = ops+1, bytes+e.bytes
	}
	for _, old := range mine.ops {
		if peerOps <= l.PeerOps && peerBytes <= l.PeerBytes && ops <= l.Ops && bytes <= l.Bytes {
			break
		}
		evict++
		peerOps--
		peerBytes -= old.bytes
		if len(old.peers) == 1 {
			ops--
			bytes -= old.bytes
		}
	}
	return evict, peerOps <= l.PeerOps && peerBytes <= l.PeerBytes && ops <= l.Ops && bytes <= l.Bytes
}

// Ready says that the graph now holds id, and returns the ops that waited for
// nothing else, in causal order, which leave the pool. The caller adds them to
// the graph and calls Ready for each in turn. It is the caller's to put one back whose
// Add finds something else missing.
func (p *Pool) Ready(id ID) []*Signed {
	p.mu.Lock()
	defer p.mu.Unlock()
	waited := p.waiting[id]
	delete(p.waiting, id)
	var ready []*Signed
	for _, e := range waited {
		e.missing = slices.DeleteFunc(e.missing, func(m ID) bool { return m == id })
		if len(e.missing) == 0 {
			p.remove(e)
			ready = append(ready, e.signed)
		}
	}
	slices.SortFunc(ready, func(a, b *Signed) int {
		if a.header.Depth != b.header.Depth {
			if a.header.Depth < b.header.Depth {
				return -1
			}
			return 1
		}
		return a.id.Compare(b.id)
	})
	return ready
}

// Discard says that id was refused: whatever waits for it, directly or not,
// can never be valid and leaves the pool. It returns how many ops that were.
func (p *Pool) Discard(id ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for refused := []ID{id}; len(refused) > 0; {
		next := refused[0]
		refused = refused[1:]
		for _, e := range slices.Clone(p.waiting[next]) {
			refused = append(refused, e.signed.id)
			p.remove(e)
			n++
		}
	}
	return n
}

// Drop ends the charges to a peer, which has gone: ops that no other peer sent
// leave the pool. It returns how many.
func (p *Pool) Drop(peer string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.ops)
	if mine := p.peers[peer]; mine != nil {
		for len(mine.ops) > 0 {
			p.release(peer, mine.ops[len(mine.ops)-1])
		}
	}
	return before - len(p.ops)
}

// Has reports whether the op is in the pool.
func (p *Pool) Has(id ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.ops[id]
	return ok
}

// Wanted returns the IDs that ops in the pool wait for and that are not in the
// pool themselves, ascending: what to ask peers for.
func (p *Pool) Wanted() []ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []ID
	for id := range p.waiting {
		if _, ok := p.ops[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, ID.Compare)
	return ids
}

// Len returns how many ops are in the pool, and how many bytes they occupy.
func (p *Pool) Len() (ops, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ops), p.bytes
}

// release ends the charge of e to peer, and removes e if it was the last one.
func (p *Pool) release(peer string, e *pending) {
	if len(e.peers) == 1 {
		p.remove(e)
		return
	}
	p.uncharge(peer, e)
	e.peers = slices.DeleteFunc(e.peers, func(q string) bool { return q == peer })
}

// remove takes e out of the pool.
func (p *Pool) remove(e *pending) {
	for _, peer := range e.peers {
		p.uncharge(peer, e)
	}
	for _, id := range e.missing {
		rest := slices.DeleteFunc(p.waiting[id], func(w *pending) bool { return w == e })
		if len(rest) == 0 {
			delete(p.waiting, id)
		} else {
			p.waiting[id] = rest
		}
	}
	delete(p.ops, e.signed.id)
	p.bytes -= e.bytes
}

func (p *Pool) uncharge(peer string, e *pending) {
	mine := p.peers[peer]
	mine.ops = slices.DeleteFunc(mine.ops, func(w *pending) bool { return w == e })
	mine.bytes -= e.bytes
	if len(mine.ops) == 0 {
		delete(p.peers, peer)
	}
}

func distinct(ids []ID) []ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, ID.Compare)
	return slices.Compact(ids)
}
