package admin

import (
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Op is an operation's header, for people. Wall is its author's clock and
// proves nothing.
type Op struct {
	ID        dag.ID             `json:"id"`
	Author    identity.PublicKey `json:"author"`
	Operator  string             `json:"operator"` // of the author; empty if unknown
	Seq       uint64             `json:"seq"`
	Depth     uint64             `json:"depth"`
	Epoch     uint64             `json:"epoch"` // claimed by this op; 0: none
	Wall      time.Time          `json:"wall"`
	Parents   []dag.ID           `json:"parents"`
	Prev      *dag.ID            `json:"prev"`           // its author's op before it; nil for the first
	BodyBytes int                `json:"body_bytes"`     // length of the body; 0: it only joins heads or claims a window
	Carries   bool               `json:"has_statements"` // it carries statements
	Void      int                `json:"void"`           // transactions of it that do not count now (docs/roster.md)
}

// OpDetail is an operation with its body.
type OpDetail struct {
	Op
	BlockBytes   int               `json:"block_bytes"`  // length of the signed header
	Transactions [][]Write         `json:"transactions"` // in order
	VoidReasons  []string          `json:"void_reasons"` // why each of them does not count; empty where it does
	Statements   []StatementDetail `json:"statements"`   // in order
	Schemas      []SchemaDetail    `json:"schemas"`      // in order
}

// Blocks is an operation as it is signed and sent.
type Blocks struct {
	Block []byte `json:"block"` // the signed header
	Body  []byte `json:"body"`  // empty if it has none
}

// Write is one write of a transaction.
type Write struct {
	Kind   string       `json:"kind"` // put, patch, delete, delete-final or delete-range
	Key    []byte       `json:"key"`
	End    []byte       `json:"end,omitempty"`   // of a delete-range; empty: no upper bound
	Value  []byte       `json:"value,omitempty"` // of a put; of a patch its bytes (docs/merge.md section 6)
	Schema dag.SchemaID `json:"schema,omitzero"` // of a put: how the value merges; none for plain JSON
	Life   *Life        `json:"life,omitempty"`  // which life of the key it continues or ends; none for one that it begins, or if it names none
	Leased bool         `json:"leased,omitempty"`
}

// Life names the write that created a life of a key.
type Life struct {
	Op          dag.ID `json:"op,omitzero"` // none for the operation that names it
	Transaction uint32 `json:"transaction"`
	Write       uint32 `json:"write"`
}

// SchemaDetail names a merge schema that an op carries.
type SchemaDetail struct {
	ID    dag.SchemaID `json:"id"`
	Bytes int          `json:"bytes"` // its length
}

// StatementDetail names a statement that an op carries.
type StatementDetail struct {
	ID     identity.StatementID `json:"id"`
	Kind   string               `json:"kind"`
	Issuer identity.PublicKey   `json:"issuer"`
}

// NewOp returns the summary of op.
func NewOp(op *dag.Op, roster *identity.Roster) Op {
	o := Op{
		ID:        op.ID(),
		Author:    op.Author(),
		Seq:       op.Seq(),
		Depth:     op.Depth(),
		Epoch:     op.Epoch(),
		Wall:      Moment(op.Wall()),
		Parents:   []dag.ID{},
		BodyBytes: op.Size(),
		Carries:   op.HasStatements(),
	}
	if prev := op.Prev(); prev != nil {
		id := prev.ID()
		o.Prev = &id
	}
	if a, ok := roster.Author(op.Author()); ok {
		o.Operator = a.OperatorName
	}
	for _, p := range op.Parents() {
		o.Parents = append(o.Parents, p.ID())
	}
	return o
}

// NewOpDetail returns what op's block and body hold. Both must be those that
// the op was delivered with; the error is for stored bytes that no longer decode.
func NewOpDetail(op *dag.Op, roster *identity.Roster, block, body []byte) (OpDetail, error) {
	if _, err := dag.Decode(block, body); err != nil {
		return OpDetail{}, err
	}
	d := OpDetail{
		Op:           NewOp(op, roster),
		BlockBytes:   len(block),
		Transactions: [][]Write{},
		VoidReasons:  []string{},
		Statements:   []StatementDetail{},
		Schemas:      []SchemaDetail{},
	}
	if len(body) == 0 {
		return d, nil
	}
	parts, err := dag.DecodeBody(body)
	if err != nil {
		return OpDetail{}, err
	}
	judge := dag.Judge(roster, op)
	for _, b := range parts.Transactions {
		t, err := dag.DecodeTransaction(b)
		if err != nil {
			return OpDetail{}, err
		}
		why := ""
		if err := judge.Void(t); err != nil {
			d.Void++
			why = err.Error()
		}
		d.Transactions, d.VoidReasons = append(d.Transactions, newWrites(t)), append(d.VoidReasons, why)
	}
	for _, b := range parts.Statements {
		s, err := identity.DecodeStatement(b)
		if err != nil {
			return OpDetail{}, err
		}
		d.Statements = append(d.Statements, StatementDetail{ID: s.ID(), Kind: s.Kind().String(), Issuer: s.Issuer})
	}
	for _, b := range parts.Schemas {
		d.Schemas = append(d.Schemas, SchemaDetail{ID: dag.SchemaIDOf(b), Bytes: len(b)})
	}
	return d, nil
}

// newWrites returns the writes of t for people.
func newWrites(t dag.Transaction) []Write {
	ws := make([]Write, len(t))
	for i, w := range t {
		ws[i] = Write{Kind: "put", Key: w.Key, Value: w.Value, Schema: w.Schema, Leased: w.Leased}
		switch w.Kind {
		case dag.Patch, dag.DeleteFinal:
			ws[i].Kind = w.Kind.String()
		case dag.DeleteObserved:
			ws[i].Kind = "delete"
		case dag.DeleteRange:
			ws[i].Kind, ws[i].End = "delete-range", w.End
		}
		if in := w.Incarnation; in.Kind != dag.IncarnationSelf {
			ws[i].Life = &Life{Op: in.Op, Transaction: in.Tx, Write: in.Write}
		}
	}
	return ws
}
