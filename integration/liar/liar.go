// Package liar is a node with a patched program: it has a real key, a real
// network, and signs whatever it likes. Tests use it as the other side.
package liar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A Liar keeps what it is sent in memory and gives to others what it is told to.
type Liar struct {
	tb    testing.TB
	key   *identity.PrivateKey
	net   *p2p.Network
	graph *dag.Graph

	mu   sync.Mutex
	ops  map[dag.ID][2][]byte // block and body
	tell func(op *dag.Op, block, body []byte)
}

// New connects a liar with that key to the peers at those multiaddrs, each
// with its peer ID. It ends with the test.
func New(tb testing.TB, key *identity.PrivateKey, mesh dag.ID, peers ...string) *Liar {
	tb.Helper()
	l := &Liar{tb: tb, key: key, graph: dag.NewGraphOf(mesh), ops: make(map[dag.ID][2][]byte)}
	net, err := p2p.Open(tb.Context(), p2p.Config{Key: key, Mesh: mesh, Backend: l, Meta: memstore.New(), Listen: []string{}, Peers: peers, NoPeerExchange: true})
	if err != nil {
		tb.Fatal(err)
	}
	l.net = net
	tb.Cleanup(l.Close)
	return l
}

// Close leaves the network.
func (l *Liar) Close() {
	if l.net != nil {
		if err := l.net.Close(); err != nil {
			l.tb.Error(err)
		}
		l.net = nil
	}
}

// WaitFor waits until the liar was sent an op.
func (l *Liar) WaitFor(id dag.ID, within time.Duration) {
	l.tb.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if _, ok := l.graph.Get(id); ok {
			return
		}
		if time.Now().After(deadline) {
			l.tb.Fatalf("op %s did not reach the liar within %v", id, within)
		}
	}
}

// Put signs an op that puts one key on top of parents; none are the heads. prev
// is the liar's own previous op. Nobody is told.
func (l *Liar) Put(prev *dag.Op, parents []*dag.Op, key, value string) *dag.Signed {
	l.tb.Helper()
	d := Draft{Parents: parents, Prev: prev, First: prev == nil, Transactions: []dag.Transaction{PutOf(key, value)}}
	return Sign(l.tb, l.graph, l.key, d)
}

// Sign signs an op on top of what the liar holds. Nobody is told.
func (l *Liar) Sign(d Draft) *dag.Signed {
	l.tb.Helper()
	return Sign(l.tb, l.graph, l.key, d)
}

// Take makes the liar hold an op, so that it serves it to whoever syncs.
func (l *Liar) Take(s *dag.Signed) *dag.Op {
	l.tb.Helper()
	if err := l.Admit(context.Background(), []*dag.Signed{s})[0]; err != nil {
		l.tb.Fatal(err)
	}
	op, _ := l.graph.Get(s.ID())
	return op
}

// Say gossips an op, whether it holds it or not.
func (l *Liar) Say(s *dag.Signed) {
	l.mu.Lock()
	tell := l.tell
	l.mu.Unlock()
	tell(nil, s.Block(), s.Body())
}

// Tip returns the liar's own last op, nil before its first.
func (l *Liar) Tip() *dag.Op {
	tips := l.graph.Tips(l.key.Public())
	if len(tips) == 0 {
		return nil
	}
	return tips[0]
}

// Last returns the liar's own last op among parents and their past, nil if there is none.
func (l *Liar) Last(parents []*dag.Op) (last *dag.Op) {
	for _, op := range l.graph.Since(nil) {
		known := slices.ContainsFunc(parents, func(p *dag.Op) bool { return p == op || p.InPast(op) })
		if known && op.Author() == l.key.Public() {
			last = op
		}
	}
	return last
}

var _ p2p.Backend = (*Liar)(nil)

// Admit implements p2p.Backend.
func (l *Liar) Admit(_ context.Context, ops []*dag.Signed) []error {
	errs := make([]error, len(ops))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, op := range ops {
		if _, _, errs[i] = l.graph.Add(op); errs[i] == nil {
			l.ops[op.ID()] = [2][]byte{op.Block(), op.Body()}
		}
	}
	return errs
}

// Carry implements p2p.Backend: a liar hosts nobody.
func (l *Liar) Carry(context.Context, [][]byte) (dag.ID, error) {
	return dag.ID{}, errors.New("liar: carries no statements")
}

// Consider implements p2p.Backend: a liar takes nobody's word.
func (l *Liar) Consider(context.Context, []*identity.Statement) ([]identity.StatementID, error) {
	return nil, nil
}

// Fetch implements p2p.Backend.
func (l *Liar) Fetch(id dag.ID) (block, body []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	op, ok := l.ops[id]
	if !ok {
		return nil, nil, fmt.Errorf("op %s: %w", id, dag.ErrNotFound)
	}
	return op[0], op[1], nil
}

// Key returns the liar's key.
func (l *Liar) Key() *identity.PrivateKey { return l.key }

// Graph implements p2p.Backend.
func (l *Liar) Graph() *dag.Graph { return l.graph }

// OnOp implements p2p.Backend.
func (l *Liar) OnOp(fn func(op *dag.Op, block, body []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell = fn
}
