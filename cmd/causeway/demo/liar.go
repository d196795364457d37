package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// liar is an enrolled node that tells each site what it likes. To each it has
// a network of its own, under one key, so that what it tells one the others
// learn from that one only.
type liar struct {
	key    *identity.PrivateKey
	mesh   dag.ID
	mouths []*mouth
}

// mouth is the liar's network to one site.
type mouth struct {
	*ledger
	net *p2p.Network
	at  *site
}

// newLiar redeems a ticket and connects to each of the sites apart.
func newLiar(ctx context.Context, ticket string, sites ...*site) (_ *liar, err error) {
	t, err := p2p.ParseTicket(ticket)
	if err != nil {
		return nil, err
	}
	key, err := identity.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	operator, err := identity.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	joined, err := p2p.Redeem(ctx, p2p.RedeemConfig{Ticket: t, Node: key, Operator: operator, Name: "liar"})
	if err != nil {
		return nil, err
	}
	l := &liar{key: key, mesh: joined.Mesh}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	for _, s := range sites {
		m := &mouth{ledger: newLedger(l.mesh), at: s}
		m.net, err = p2p.Open(ctx, p2p.Config{
			Key: key, Mesh: l.mesh, Backend: m.ledger, Meta: memstore.New(),
			Listen: []string{}, Peers: s.node.PeerAddrs(), NoPeerExchange: true, // each site has a mouth of its own
		})
		if err != nil {
			return nil, err
		}
		l.mouths = append(l.mouths, m)
	}
	return l, nil
}

func (l *liar) close() error {
	var errs []error
	for _, m := range l.mouths {
		errs = append(errs, m.net.Close())
	}
	return errors.Join(errs...)
}

// draft returns the header and body of an op that puts one key, on top of what
// m has seen; prev is the liar's own previous op, nil for its first.
func (m *mouth) draft(prev *dag.Op, key, value string) (dag.Header, dag.Body) {
	put := dag.Transaction{{Kind: dag.Replace, Key: []byte(key), Value: []byte(value)}}
	body := dag.Body{Transactions: [][]byte{put.Append(nil)}}
	h, _ := m.graph.Draft(prev, len(body.Encode()), len(put))
	h.Wall = uint64(time.Now().UnixMilli())
	return h, body
}

// publish signs an op as the liar, takes it into m's own ledger as an honest
// node would, and gossips it.
func (m *mouth) publish(ctx context.Context, key *identity.PrivateKey, h dag.Header, body dag.Body) (*dag.Op, error) {
	signed, err := dag.Sign(h, body, key)
	if err != nil {
		return nil, err
	}
	if err := m.Admit(ctx, []*dag.Signed{signed})[0]; err != nil {
		return nil, err
	}
	m.say(signed.Block(), signed.Body())
	op, _ := m.graph.Get(signed.ID())
	return op, nil
}

// forgeSignature returns an op in victim's name that the liar signed.
func (m *mouth) forgeSignature(key *identity.PrivateKey, victim identity.PublicKey) (block, body []byte, err error) {
	var prev *dag.Op
	if tips := m.graph.Tips(victim); len(tips) > 0 {
		prev = tips[0]
	}
	h, b := m.draft(prev, "/east/hello", "east never said this")
	signed, err := dag.Sign(h, b, key)
	if err != nil {
		return nil, nil, err
	}
	self := key.Public()
	return bytes.Replace(signed.Block(), self[:], victim[:], 1), signed.Body(), nil
}

// otherMesh returns an op that names a mesh there is not.
func (m *mouth) otherMesh(key *identity.PrivateKey, prev *dag.Op) (block, body []byte, err error) {
	h, b := m.draft(prev, claimKey, "of another world")
	h.Mesh = &dag.ID{1, 2, 3}
	signed, err := dag.Sign(h, b, key)
	if err != nil {
		return nil, nil, err
	}
	return signed.Block(), signed.Body(), nil
}

// outsideGrant returns an op, sound in all else, on a key that the liar was
// not granted.
func (m *mouth) outsideGrant(key *identity.PrivateKey, prev *dag.Op) (block, body []byte, err error) {
	h, b := m.draft(prev, doorKey, "painted over by the liar")
	// Its own branch alone: an op above both branches would be refused for that.
	h.Parents, h.Depth = []dag.ID{prev.ID()}, prev.Depth()+1
	signed, err := dag.Sign(h, b, key)
	if err != nil {
		return nil, nil, err
	}
	return signed.Block(), signed.Body(), nil
}

// ledger is what the liar's network takes for a node: the ops it was sent, in
// memory, and the ear of the gossip.
type ledger struct {
	graph *dag.Graph

	mu   sync.Mutex
	ops  map[dag.ID][2][]byte // block and body
	tell func(op *dag.Op, block, body []byte)
}

var _ p2p.Backend = (*ledger)(nil)

func newLedger(mesh dag.ID) *ledger {
	return &ledger{graph: dag.NewGraphOf(mesh), ops: make(map[dag.ID][2][]byte)}
}

// Admit implements p2p.Backend.
func (l *ledger) Admit(_ context.Context, ops []*dag.Signed) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		l.mu.Lock()
		if _, _, errs[i] = l.graph.Add(op); errs[i] == nil {
			l.ops[op.ID()] = [2][]byte{op.Block(), op.Body()}
		}
		l.mu.Unlock()
	}
	return errs
}

// Carry implements p2p.Backend: the liar hosts nobody.
func (l *ledger) Carry(context.Context, [][]byte) (dag.ID, error) {
	return dag.ID{}, errors.New("demo: the liar carries no statements")
}

// Consider implements p2p.Backend: the liar takes nobody's word.
func (l *ledger) Consider(context.Context, []*identity.Statement) ([]identity.StatementID, error) {
	return nil, nil
}

// Fetch implements p2p.Backend.
func (l *ledger) Fetch(id dag.ID) (block, body []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	op, ok := l.ops[id]
	if !ok {
		return nil, nil, fmt.Errorf("op %s: %w", id, dag.ErrNotFound)
	}
	return op[0], op[1], nil
}

// Graph implements p2p.Backend.
func (l *ledger) Graph() *dag.Graph { return l.graph }

// OnOp implements p2p.Backend.
func (l *ledger) OnOp(fn func(op *dag.Op, block, body []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell = fn
}

// say gossips bytes as if they were an op of one's own.
func (l *ledger) say(block, body []byte) {
	l.mu.Lock()
	tell := l.tell
	l.mu.Unlock()
	tell(nil, block, body)
}
