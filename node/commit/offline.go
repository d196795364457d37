package commit

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
)

// Offline is a log that was replayed to be looked at. Nothing is written, and
// there is no goroutine behind it. Its methods are safe for concurrent use.
type Offline struct {
	p  *Pipeline
	mu sync.Mutex // in the writer's place
}

// OpenOffline replays a store's log as [Open] does, but for the keys, at which it
// does not look. The store must stay open as long as the result is used; nothing is appended to it.
// Errors: ErrForeignMesh, ErrReplay, and what the store returns.
func OpenOffline(store dag.Store, mesh dag.ID) (*Offline, error) {
	graph := dag.NewGraphOf(mesh)
	p := &Pipeline{
		cfg:      Config{Store: store, Mesh: mesh, Metrics: NewMetrics(nil)},
		log:      slog.New(slog.DiscardHandler),
		store:    store,
		graph:    graph,
		view:     mvcc.New(mvcc.Config{Base: 1, Schema: graph.Schema}),
		readyCh:  make(chan struct{}),
		stopped:  make(chan struct{}),
		appended: make(chan struct{}),
		roster:   identity.EmptyRoster(),
		met:      make(map[identity.PublicKey]bool),
	}
	close(p.stopped)
	if err := p.replay(); err != nil {
		return nil, err
	}
	return &Offline{p: p}, nil
}

// Graph returns the graph of all operations in the log.
func (o *Offline) Graph() *dag.Graph { return o.p.graph }

// View returns the view at the end of the log.
func (o *Offline) View() *mvcc.View { return o.p.view }

// Unsealed returns what clients were answered and no operation holds yet, in
// order, and the author who was to sign it: what a node that was killed leaves, and
// what it makes an operation of at its next start. The view shows it.
func (o *Offline) Unsealed() (author identity.PublicKey, transactions []dag.Transaction) {
	for _, u := range o.p.unsealed {
		transactions = append(transactions, o.p.view.Transaction(u.change, o.p.unsealed[0].change.Number))
	}
	author, _ = o.Key()
	return author, transactions
}

// UnsealedSchemas returns the merge schemas that the transactions of [Offline.Unsealed]
// name and no operation carries yet.
func (o *Offline) UnsealedSchemas() (schemas [][]byte) {
	for _, u := range o.p.unsealed {
		schemas = append(schemas, u.change.Schemas...)
	}
	return schemas
}

// Key returns the key that the log says is the node's, and whether it says so:
// before the node's first operation it does not.
func (o *Offline) Key() (key identity.PublicKey, ok bool) {
	if o.p.named == nil {
		return identity.PublicKey{}, false
	}
	return *o.p.named, true
}

// KeyWrites returns the writes that the value of a key is made of, see [Pipeline.KeyWrites]. Where some of them
// are in what [Offline.Unsealed] returns, the error is mvcc.ErrUnsealed.
func (o *Offline) KeyWrites(_ context.Context, key []byte, most int) (*mvcc.KeyWrites, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.p.view.WritesOf(key, most, history{o.p})
}

// Unsettled returns keys that more than one write decides, see [Pipeline.Unsettled].
func (o *Offline) Unsettled(_ context.Context, from []byte, most int) ([][]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.p.view.Unsettled(from, most), nil
}

// Fetch returns an operation's block and body, see [Pipeline.Fetch]. One that is
// in the log but not where its index says is a *[dag.CorruptError].
func (o *Offline) Fetch(id dag.ID) (block, body []byte, err error) {
	block, body, err = o.p.Fetch(id)
	if errors.Is(err, ErrStopped) { // it waits for an op that is not in the log yet
		return nil, nil, &dag.CorruptError{Key: "op " + id.String(), Offset: -1, Err: errors.New("not indexed")}
	}
	return block, body, err
}

// RecordOp returns the block of the operation that a record of the log holds,
// nil if it holds none, and of a received one the body: that of an own one is
// made of other records. Both are parts of the record's payload.
func RecordOp(rec dag.Record) (block, body []byte, err error) {
	switch rec.Kind {
	case recordSeal:
		s, err := decodeSeal(rec.Payload)
		return s.block, nil, err
	case recordOp:
		o, err := decodeOp(rec.Payload)
		return o.block, o.body, err
	}
	if len(rec.Ops) > 0 {
		return nil, nil, errors.New("commit: a record without an operation names one")
	}
	return nil, nil, nil
}
