package dag_test

import (
	"bytes"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// FuzzDecode: no input panics, and what is accepted has no second encoding.
func FuzzDecode(f *testing.F) {
	for _, c := range refusals(f) {
		if len(c.block)+len(c.body) <= maxVector {
			f.Add(c.block, c.body)
			for _, s := range c.past {
				f.Add(s.Block(), s.Body())
			}
		}
	}
	f.Fuzz(func(t *testing.T, block, body []byte) {
		u, err := dag.Decode(block, body)
		if err != nil {
			if dag.ReasonOf(err) == 0 {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		sig := block[len(block)-64:]
		again := raw(*u.Header(), dag.Version, 15)
		if again = append(again[:len(again)-64], sig...); !bytes.Equal(again, block) {
			t.Fatalf("block %x encodes as %x", block, again)
		}
		var back dag.Body
		for _, transaction := range u.Transactions() {
			back.Transactions = append(back.Transactions, transaction.Append(nil))
		}
		for _, s := range u.Statements() {
			back.Statements = append(back.Statements, s.Encoded())
		}
		back.Schemas = u.Schemas()
		if again := back.Encode(); !bytes.Equal(again, body) {
			t.Fatalf("body %x encodes as %x", body, again)
		}
		if signed, errs := dag.Verify([]*dag.Unverified{u}); errs[0] == nil {
			if _, _, err := dag.NewGraph().Add(signed[0]); err == nil && u.Header().Mesh != nil {
				t.Fatal("an empty graph took an op of a mesh")
			}
		}
	})
}

// FuzzTransaction: re-encoding gives the same bytes.
func FuzzTransaction(f *testing.F) {
	for _, transaction := range []dag.Transaction{
		{dagtest.Put("/k", "v"), dagtest.Delete("/k")},
		{dagtest.DeleteRange("/a", "/b"), dagtest.DeleteRange("\x00", "")},
		{{Kind: dag.DeleteFinal, Key: []byte("/k"), Incarnation: dag.Incarnation{Kind: dag.IncarnationLocal, Tx: 1, Write: 256}}},
		{{Kind: dag.Replace, Key: []byte("/k"), Leased: true, Incarnation: dag.Incarnation{Kind: dag.IncarnationPast}}},
		{{Kind: dag.Replace, Key: []byte("/k"), Schema: dag.SchemaIDOf(nil)}, {Kind: dag.Replace, Key: []byte("/k"), Schema: dag.SchemaOpaque}},
		{{Kind: dag.Patch, Key: []byte("/k"), Value: []byte{0x82, 0, 0x80}, Leased: true}},
	} {
		f.Add(transaction.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		transaction, err := dag.DecodeTransaction(b)
		if err != nil {
			return
		}
		if len(transaction) == 0 || !bytes.Equal(transaction.Append(nil), b) {
			t.Fatalf("%x encodes as %x", b, transaction.Append(nil))
		}
	})
}

// FuzzBody: re-encoding gives the same bytes.
func FuzzBody(f *testing.F) {
	f.Add(dag.Body{Transactions: [][]byte{{1}, {}}, Statements: [][]byte{{2, 3}}, Schemas: [][]byte{{}, {4}}}.Encode())
	f.Add([]byte{0x83, 0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := dag.DecodeBody(b)
		if err != nil {
			return
		}
		if again := body.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x encodes as %x", b, again)
		}
		body.Roots()
	})
}

// FuzzForkProof: no input panics, and a proof has no second encoding.
func FuzzForkProof(f *testing.F) {
	m := dagtest.New(f, 2)
	c := m.Draw("G -> b1 -> b2\n     |  -> b2'{/k=v}")
	proof, err := dag.AppendForkProof(nil, c.Signed("b2").Block(), c.Signed("b2'").Block())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Fuzz(func(t *testing.T, b []byte) {
		if fork, err := dag.ParseForkProof(b); err == nil && fork.Author != m.Author(1) {
			t.Fatalf("a proof against %v from nowhere", fork.Author)
		}
	})
}
