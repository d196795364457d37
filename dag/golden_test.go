package dag_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/google/go-cmp/cmp"
)

// The vectors under testdata fix the bytes of docs/op.md. After a deliberate
// change of the format: go test ./dag -run Golden -update
var update = flag.Bool("update", false, "write the golden vectors anew")

// octets are bytes whose text is hex.
type octets []byte

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// golden compares got with a file of vectors and reads them from it.
func golden[V any](t *testing.T, name string, got V) (want V) {
	t.Helper()
	path := filepath.Join("testdata", name)
	var encoded bytes.Buffer
	e := json.NewEncoder(&encoded)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, encoded.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(file), encoded.String()); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

type opVector struct {
	Name         string   `json:"name"`
	ID           string   `json:"id"`
	Mesh         string   `json:"mesh,omitempty"`
	Author       string   `json:"author"`
	Seq          uint64   `json:"seq"`
	Prev         string   `json:"prev,omitempty"`
	Parents      []string `json:"parents"`
	Depth        uint64   `json:"depth"`
	Wall         uint64   `json:"wall"`
	Epoch        uint64   `json:"epoch"`
	Bytes        uint64   `json:"bytes"`
	Writes       uint64   `json:"writes"`
	Size         uint64   `json:"size"`
	Transactions octets   `json:"transactions,omitempty"`
	Statements   octets   `json:"statements,omitempty"`
	Schemas      octets   `json:"schemas,omitempty"`
	Block        octets   `json:"block"`
	Body         octets   `json:"body,omitempty"`
}

func vectorOf(name string, block, body []byte, id dag.ID, h *dag.Header) opVector {
	v := opVector{Name: name, ID: id.String(), Author: h.Author.String(), Seq: h.Seq, Parents: []string{}, Depth: h.Depth,
		Wall: h.Wall, Epoch: h.Epoch, Bytes: h.Bytes, Writes: h.Writes, Size: h.Size, Block: block, Body: body}
	if h.Mesh != nil {
		v.Mesh = h.Mesh.String()
	}
	if h.Prev != nil {
		v.Prev = h.Prev.String()
	}
	for _, p := range h.Parents {
		v.Parents = append(v.Parents, p.String())
	}
	if h.Transactions != nil {
		v.Transactions = h.Transactions[:]
	}
	if h.Statements != nil {
		v.Statements = h.Statements[:]
	}
	if h.Schemas != nil {
		v.Schemas = h.Schemas[:]
	}
	return v
}

// TestGoldenOps: headers, bodies and the founding op.
func TestGoldenOps(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw(`
		G -> b1{+epoch} -> b2{/registry/a=one /registry/b=} -> b3{-/registry/a -/registry/..}
		G -> c1{/k=v}
		b3, c1 -> a2
		S = schema n:counter l:list/k
		a2 -> a3{+S /n@S=[] /o@opaque=} -> b4{--/n#a3 /k#c1~[1]>[2]}
	`)
	got := []opVector{vectorOf("founding", m.Founding.Block(), m.Founding.Body(), m.Founding.ID(), m.Founding.Header())}
	for _, name := range c.Names {
		s := c.Signed(name)
		got = append(got, vectorOf(name, s.Block(), s.Body(), s.ID(), s.Header()))
	}
	g := dag.NewGraph()
	for _, v := range golden(t, "ops.json", got) {
		u, err := dag.Decode(v.Block, v.Body)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if diff := cmp.Diff(v, vectorOf(v.Name, u.Block(), u.Body(), u.ID(), u.Header())); diff != "" {
			t.Errorf("%s: %s", v.Name, diff)
		}
		signed, errs := dag.Verify([]*dag.Unverified{u})
		if errs[0] != nil {
			t.Fatalf("%s: %v", v.Name, errs[0])
		}
		if _, _, err := g.Add(signed[0]); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// TestGoldenTransactions: one of every kind of write and reference.
func TestGoldenTransactions(t *testing.T) {
	type write struct {
		Kind        string `json:"kind"`
		Key         octets `json:"key"`
		End         octets `json:"end,omitempty"`
		Value       octets `json:"value,omitempty"`
		Incarnation string `json:"incarnation,omitempty"`
		Tx          uint32 `json:"tx,omitempty"`
		Write       uint32 `json:"write,omitempty"`
		Leased      bool   `json:"leased,omitempty"`
		Schema      string `json:"schema,omitempty"` // plain JSON where there is none
	}
	type vector struct {
		Name    string  `json:"name"`
		Writes  []write `json:"writes"`
		Encoded octets  `json:"encoded"`
	}
	of := func(name string, transaction dag.Transaction) vector {
		v := vector{Name: name, Encoded: transaction.Append(nil)}
		for _, w := range transaction {
			x := write{Kind: w.Kind.String(), Key: w.Key, End: w.End, Value: w.Value,
				Tx: w.Incarnation.Tx, Write: w.Incarnation.Write, Leased: w.Leased}
			if w.Schema != dag.SchemaJSON {
				x.Schema = w.Schema.String()
			}
			switch w.Incarnation.Kind {
			case dag.IncarnationLocal:
				x.Incarnation = "local"
			case dag.IncarnationPast:
				x.Incarnation = w.Incarnation.Op.String()
			}
			v.Writes = append(v.Writes, x)
		}
		return v
	}
	id := dagtest.New(t, 1).Founding.ID()
	local := dag.Incarnation{Kind: dag.IncarnationLocal, Tx: 2, Write: 300}
	past := dag.Incarnation{Kind: dag.IncarnationPast, Op: id, Tx: 0, Write: 1<<32 - 1}
	key, value := []byte("/registry/pods/default/web"), []byte("value")
	got := []vector{
		of("create", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value}}),
		of("create leased", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value, Leased: true}}),
		of("update within the op", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value, Incarnation: local}}),
		of("update of a past op's", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value, Incarnation: past}}),
		of("empty value", dag.Transaction{{Kind: dag.Replace, Key: []byte{0}}}),
		of("opaque value", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value, Schema: dag.SchemaOpaque}}),
		of("value with a schema", dag.Transaction{{Kind: dag.Replace, Key: key, Value: value, Schema: dag.SchemaIDOf([]byte("schema"))}}),
		of("patch", dag.Transaction{{Kind: dag.Patch, Key: key, Value: []byte{0x82, 0, 0x80}, Incarnation: past}}),
		of("patch leased", dag.Transaction{{Kind: dag.Patch, Key: key, Value: []byte{0x82, 0, 0x80}, Incarnation: local, Leased: true}}),
		of("delete, final", dag.Transaction{{Kind: dag.DeleteFinal, Key: key, Incarnation: past}}),
		of("delete, observed", dag.Transaction{{Kind: dag.DeleteObserved, Key: key, Incarnation: local}}),
		of("delete of what was not there", dag.Transaction{{Kind: dag.DeleteObserved, Key: key}}),
		of("range", dag.Transaction{{Kind: dag.DeleteRange, Key: []byte("/a/"), End: []byte("/a0")}}),
		of("range without end", dag.Transaction{{Kind: dag.DeleteRange, Key: []byte{0}}}),
		of("several", dag.Transaction{
			{Kind: dag.Replace, Key: key, Value: value},
			{Kind: dag.DeleteRange, Key: []byte("/a/"), End: []byte("/a0")},
			{Kind: dag.Replace, Key: []byte("/a/b"), Value: value, Incarnation: local},
		}),
	}
	for _, v := range golden(t, "transactions.json", got) {
		transaction, err := dag.DecodeTransaction(v.Encoded)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
		} else if back := of(v.Name, transaction); !bytes.Equal(back.Encoded, v.Encoded) || len(back.Writes) != len(v.Writes) {
			t.Errorf("%s: got %+v, want %+v", v.Name, back, v)
		}
	}
}

func TestGoldenForkProof(t *testing.T) {
	type vector struct {
		Author string `json:"author"`
		A      string `json:"a"`
		B      string `json:"b"`
		Proof  octets `json:"proof"`
	}
	m := dagtest.New(t, 2)
	c := m.Draw("G -> b1 -> b2\n     |  -> b2'{/k=v}")
	proof, err := dag.AppendForkProof(nil, c.Signed("b2").Block(), c.Signed("b2'").Block())
	if err != nil {
		t.Fatal(err)
	}
	f, err := dag.ParseForkProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	want := golden(t, "forkproof.json", vector{f.Author.String(), f.A.String(), f.B.String(), proof})
	f, err = dag.ParseForkProof(want.Proof)
	if err != nil || f.Author.String() != want.Author || f.A.String() != want.A || f.B.String() != want.B {
		t.Errorf("proof proves %+v, %v, want %+v", f, err, want)
	}
}

// maxVector bounds the vectors that are kept, in bytes: cases of what is too
// long are made by the code alone.
const maxVector = 32 << 10

// TestGoldenRefusals: each op breaks one rule, which is named.
func TestGoldenRefusals(t *testing.T) {
	type op struct {
		Block octets `json:"block"`
		Body  octets `json:"body,omitempty"`
	}
	type vector struct {
		Name   string   `json:"name"`
		Reason string   `json:"reason"`
		Past   []string `json:"past,omitempty"` // IDs of ops to be there before, in order
		op
	}
	type file struct {
		Ops      map[string]op `json:"ops"` // by ID
		Refusals []vector      `json:"refusals"`
	}
	got := file{Ops: make(map[string]op)}
	for _, c := range refusals(t) {
		if len(c.block)+len(c.body) > maxVector {
			continue
		}
		v := vector{Name: c.name, Reason: c.reason.String(), op: op{c.block, c.body}}
		for _, s := range c.past {
			id := s.ID().String()
			got.Ops[id] = op{s.Block(), s.Body()}
			v.Past = append(v.Past, id)
		}
		got.Refusals = append(got.Refusals, v)
	}
	want := golden(t, "refusals.json", got)
	for _, v := range want.Refusals {
		var past []*dag.Signed
		for _, id := range v.Past {
			u, err := dag.Decode(want.Ops[id].Block, want.Ops[id].Body)
			if err != nil {
				t.Fatalf("%s: past op %s: %v", v.Name, id, err)
			}
			past = append(past, dag.AssumeVerified(u))
		}
		if err := judge(t, past, v.Block, v.Body); dag.ReasonOf(err).String() != v.Reason {
			t.Errorf("%s: got %v, want %s", v.Name, err, v.Reason)
		}
	}
}
