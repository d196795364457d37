package liar

import (
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A Draft is an op to be signed by whoever has a key, true or not. The zero
// value is an op without a body on top of all heads.
type Draft struct {
	Parents      []*dag.Op // none are the heads
	Prev         *dag.Op   // nil: the author's tip in the graph, if it has one
	First        bool      // no prev, whatever the graph holds
	Transactions []dag.Transaction
	Statements   []*identity.Statement
	Edit         func(*dag.Header) // changes the header before it is signed, if not nil
}

// PutOf returns a transaction that puts one key.
func PutOf(key, value string) dag.Transaction {
	return dag.Transaction{{Kind: dag.Replace, Key: []byte(key), Value: []byte(value)}}
}

// Sign makes the op that d describes, of key's owner in the graph, and ends the
// test if its form is refused. It is valid unless d asks for something else. Nobody is told.
func Sign(tb testing.TB, graph *dag.Graph, key *identity.PrivateKey, d Draft) *dag.Signed {
	tb.Helper()
	var body dag.Body
	writes := 0
	for _, t := range d.Transactions {
		body.Transactions = append(body.Transactions, t.Append(nil))
		writes += len(t)
	}
	for _, s := range d.Statements {
		body.Statements = append(body.Statements, s.Encoded())
	}
	prev := d.Prev
	if tips := graph.Tips(key.Public()); prev == nil && !d.First && len(tips) > 0 {
		prev = tips[0]
	}
	size := 0
	if len(d.Transactions)+len(d.Statements) > 0 {
		size = len(body.Encode())
	}
	h, _ := graph.Draft(prev, size, writes)
	h.Wall = uint64(time.Now().UnixMilli())
	if len(d.Parents) > 0 {
		h.Parents, h.Depth = nil, 0
		for _, p := range d.Parents {
			h.Parents = append(h.Parents, p.ID())
			h.Depth = max(h.Depth, p.Depth()+1)
		}
	}
	if d.Edit != nil {
		d.Edit(&h)
	}
	signed, err := dag.Sign(h, body, key)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}
