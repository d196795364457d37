package admin

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Preview says what statements would change if this node carried them now.
type Preview struct {
	// Effect says whether anything would change: who is in, what they may write, or how keys are kept.
	Effect     bool              `json:"effect"`
	Statements []StatementEffect `json:"statements"` // those given, in order

	// Fall are the statements that would no longer stand or be in force, Return those
	// that would again, both without those given.
	Fall   []StatementName `json:"fall"`
	Return []StatementName `json:"return"`

	Operators []MemberChange `json:"operators"` // whose rights to write would change
	Nodes     []MemberChange `json:"nodes"`     // as Operators, by key

	// Void and Counting are the operations and transactions that would become
	// void, or count again, with the keys they wrote. A key written by both is in both.
	Void     Reach `json:"void"`
	Counting Reach `json:"counting"`
}

// StatementEffect says what would become of a statement given.
type StatementEffect struct {
	ID     identity.StatementID `json:"id"`
	Kind   string               `json:"kind"`
	Issuer identity.PublicKey   `json:"issuer"`
	Known  bool                 `json:"known"`  // it is carried already
	Stands bool                 `json:"stands"` // it would stand; of a restriction: be in force
	Reason string               `json:"reason,omitempty"`
}

// StatementName names a statement for people.
type StatementName struct {
	ID   identity.StatementID `json:"id"`
	Kind string               `json:"kind"`
	Name string               `json:"name,omitempty"` // of an operator
}

// MemberChange is an operator or a node's key whose rights change.
type MemberChange struct {
	Operator identity.StatementID `json:"operator"`
	Name     string               `json:"name"`           // the operator's
	Node     *identity.PublicKey  `json:"node,omitempty"` // null for the operator itself
	Before   string               `json:"before"`         // for people: absent, revoked, or role and patterns
	After    string               `json:"after"`
}

// Reach counts what a change of verdicts touches.
type Reach struct {
	Ops          int   `json:"ops"`
	Transactions int   `json:"transactions"`
	Keys         int64 `json:"keys"`   // different keys written singly
	Ranges       int   `json:"ranges"` // deletes of a range
	// Sample are some of the keys, ascending.
	Sample [][]byte `json:"sample"`
}

// StatementsRequest is the body of a request to carry or to preview statements.
type StatementsRequest struct {
	Statements [][]byte `json:"statements"` // encoded and signed; 1 to dag.MaxStatements
}

// decode checks the request. The error wraps ErrInvalid.
func (r *StatementsRequest) decode() ([]*identity.Statement, error) {
	if len(r.Statements) == 0 || len(r.Statements) > dag.MaxStatements {
		return nil, fmt.Errorf("%w: %d statements, want 1 to %d", ErrInvalid, len(r.Statements), dag.MaxStatements)
	}
	statements := make([]*identity.Statement, len(r.Statements))
	for i, b := range r.Statements {
		s, err := identity.DecodeStatement(b)
		if err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrInvalid, i, err)
		}
		if !s.VerifySignature() {
			return nil, fmt.Errorf("%w: statement %d: the signature is not the issuer's", ErrInvalid, i)
		}
		statements[i] = s
	}
	return statements, nil
}

// Carried says which operation carries statements.
type Carried struct {
	Op dag.ID `json:"op"`
}

// Rotated says that a node has another key.
type Rotated struct {
	Node identity.PublicKey `json:"node"` // the new key; the node opens again with it
}
