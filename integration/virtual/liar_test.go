package virtual

import (
	"context"
	"errors"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A lie makes of a node's backend that of a liar.
type lie func(backend p2p.Backend, key *identity.PrivateKey) p2p.Backend

// lies are what liars do, one each. What they state in a session is lied about
// in dag/reconcile, where it can be done in all ways.
var lies = []lie{
	func(b p2p.Backend, _ *identity.PrivateKey) p2p.Backend { return withholder{b} },
	func(b p2p.Backend, _ *identity.PrivateKey) p2p.Backend { return garbler{b} },
	func(b p2p.Backend, _ *identity.PrivateKey) p2p.Backend { return silent{b} },
	func(b p2p.Backend, key *identity.PrivateKey) p2p.Backend { return forker{b, key} },
	func(b p2p.Backend, _ *identity.PrivateKey) p2p.Backend { return deaf{b} },
}

var errWithheld = errors.New("withheld")

// A withholder gives nobody an op that is asked for.
type withholder struct{ p2p.Backend }

func (withholder) Fetch(dag.ID) (block, body []byte, err error) { return nil, nil, errWithheld }

// A garbler gives and gossips ops with a bit of them turned.
type garbler struct{ p2p.Backend }

func garble(b []byte) []byte {
	b = slices.Clone(b)
	if len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	return b
}

func (g garbler) Fetch(id dag.ID) (block, body []byte, err error) {
	block, body, err = g.Backend.Fetch(id)
	return garble(block), body, err
}

func (g garbler) OnOp(fn func(op *dag.Op, block, body []byte)) {
	g.Backend.OnOp(func(op *dag.Op, block, body []byte) { fn(op, block, garble(body)) })
}

// A silent node gossips none of its ops.
type silent struct{ p2p.Backend }

func (silent) OnOp(func(op *dag.Op, block, body []byte)) {}

// A deaf node takes nothing in, and says that it did.
type deaf struct{ p2p.Backend }

func (deaf) Admit(_ context.Context, ops []*dag.Signed) []error { return make([]error, len(ops)) }

// A forker signs another op in the place of each of its own, and gossips both.
type forker struct {
	p2p.Backend
	key *identity.PrivateKey
}

func (f forker) OnOp(fn func(op *dag.Op, block, body []byte)) {
	f.Backend.OnOp(func(op *dag.Op, block, body []byte) {
		if s := f.other(block, body); s != nil {
			fn(op, s.Block(), s.Body())
		}
		fn(op, block, body)
	})
}

// other returns an op in the place of the one given, nil if that writes nothing.
func (f forker) other(block, body []byte) *dag.Signed {
	u, err := dag.Decode(block, body)
	if err != nil || len(u.Transactions()) == 0 {
		return nil
	}
	h := *u.Header()
	put := dag.Transaction{{Kind: dag.Replace, Key: []byte("forked"), Value: []byte("another")}}
	other := dag.Body{Transactions: [][]byte{put.Append(nil)}}
	for _, t := range u.Transactions() {
		h.Writes -= uint64(len(t))
	}
	h.Bytes, h.Writes = h.Bytes-h.Size+uint64(len(other.Encode())), h.Writes+1
	s, err := dag.Sign(h, other, f.key)
	if err != nil {
		return nil
	}
	return s
}
