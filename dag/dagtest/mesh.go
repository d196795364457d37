// Package dagtest makes signed operations for tests: a [Mesh] with a founding op
// and enrolled authors, all from fixed keys so that IDs never change, and a
// small language to draw DAGs in, see [Mesh.Draw].
//
// It computes headers from its own plain model of what it made, not with
// dag.Graph, so that a test of the graph does not test it against itself.
package dagtest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A Member is an operator with a grant of its own and one node.
type Member struct {
	Role     identity.Role
	Patterns []string
}

// A Config says what a mesh has.
type Config struct {
	Name      string   // seeds the nonce and the keys; meshes of different names share nothing
	Authors   int      // nodes of the founding operator, which may write every key; at least 1
	Rotations uint64   // how often each of those may rotate
	Members   []Member // their nodes follow the Authors in number
	Founders  int      // 0 is 1
	Threshold uint64   // how many founders act as the root; 0 is 1
}

// A Mesh is a founded mesh. Author 0 made the founding op, which enrols all
// authors (with more than about sixty, further ops of author 0 do). Use it
// from one goroutine.
type Mesh struct {
	Founding *dag.Signed   // the founding op
	Enrolled []*dag.Signed // the founding op and those that enrol what has no room in it, in order
	Graph    *dag.Graph    // holds Enrolled and whatever Add added
	Operator identity.StatementID

	tb         testing.TB
	name       string
	nodes      []*identity.PrivateKey
	made       map[dag.ID]*dag.Header // every op ever made
	rotating   map[dag.ID][]identity.Rotate
	issued     map[identity.PublicKey]*identity.Statement  // the last of each issuer
	enrolments map[identity.PublicKey]identity.StatementID // of each key in an enrol or rotate
}

// New founds a mesh with so many authors, who may write every key.
func New(tb testing.TB, authors int) *Mesh {
	tb.Helper()
	return NewMesh(tb, Config{Authors: authors})
}

// NewMesh founds a mesh.
func NewMesh(tb testing.TB, cfg Config) *Mesh {
	tb.Helper()
	m := &Mesh{
		Graph:      dag.NewGraph(),
		tb:         tb,
		name:       cfg.Name,
		made:       make(map[dag.ID]*dag.Header),
		rotating:   make(map[dag.ID][]identity.Rotate),
		issued:     make(map[identity.PublicKey]*identity.Statement),
		enrolments: make(map[identity.PublicKey]identity.StatementID),
	}
	for i := range cfg.Authors + len(cfg.Members) {
		m.nodes = append(m.nodes, m.Key(fmt.Sprintf("node %d", i)))
	}
	founder := m.FounderKey(0)
	founders := []identity.PublicKey{founder.Public()}
	for i := 1; i < cfg.Founders; i++ {
		founders = append(founders, m.FounderKey(i).Public())
	}
	slices.SortFunc(founders, identity.PublicKey.Compare)
	found := m.State(founder, nil, identity.Found{
		Nonce:     sha256.Sum256([]byte("dagtest nonce " + cfg.Name)),
		Threshold: max(cfg.Threshold, 1),
		Founders:  founders,
	})
	statements := []*identity.Statement{
		found,
		m.State(founder, nil, identity.Policy{Rules: []identity.PolicyRule{{Pattern: "**", Mode: identity.ModeMerge}}}),
	}
	admit := m.admit(founder, nil, "founder", founder, identity.RoleAdmin, []string{"**"}, cfg.Authors)
	m.Operator = admit.ID()
	statements = append(statements, admit)
	where := [32]byte(found.ID())
	var mesh *[32]byte
	carry := func(most int) {
		if len(statements) < most {
			return
		}
		if s := m.carry(statements); mesh == nil {
			m.Founding = s
			id := [32]byte(s.ID())
			mesh = &id
			where = *mesh
		}
		statements = nil
	}
	for slot := range cfg.Authors {
		statements = append(statements, m.enrol(founder, mesh, where, admit.ID(), slot, slot, cfg.Rotations))
		carry(dag.MaxStatements)
	}
	for i, member := range cfg.Members {
		operator := m.Key(fmt.Sprintf("operator %d", i))
		carry(dag.MaxStatements - 1)
		admit := m.admit(founder, mesh, fmt.Sprintf("member %d", i), operator, member.Role, member.Patterns, 1)
		statements = append(statements, admit, m.enrol(operator, mesh, where, admit.ID(), 0, cfg.Authors+i, 0))
		carry(dag.MaxStatements)
	}
	carry(1)
	return m
}

func (m *Mesh) admit(founder *identity.PrivateKey, mesh *[32]byte, name string, operator *identity.PrivateKey,
	role identity.Role, patterns []string, nodes int) *identity.Statement {
	grant := identity.Grant{Role: role, Nodes: uint64(nodes)}
	for _, p := range patterns {
		grant.Patterns = append(grant.Patterns, identity.Pattern(p))
	}
	return m.State(founder, mesh, identity.Admit{Name: name, Keys: []identity.PublicKey{operator.Public()}, Grant: grant})
}

func (m *Mesh) enrol(operator *identity.PrivateKey, mesh *[32]byte, where [32]byte, id identity.StatementID, slot, node int, rotations uint64) *identity.Statement {
	return m.Issue(operator, identity.Statement{Mesh: mesh, As: &id, Content: identity.Enrol{
		Slot:      uint64(slot),
		Node:      m.nodes[node].Public(),
		Rotations: rotations,
		Consent:   identity.SignConsent(where, id, uint64(slot), m.nodes[node]),
	}})
}

// carry adds an op of author 0 with the statements.
func (m *Mesh) carry(statements []*identity.Statement) *dag.Signed {
	m.tb.Helper()
	d := Draft{Statements: statements}
	for _, head := range m.Graph.Heads() {
		d.Parents = append(d.Parents, head.ID())
	}
	s := m.Sign(d)
	m.Add(s)
	m.Enrolled = append(m.Enrolled, s)
	return s
}

// Key returns the private key of that name in this mesh, always the same.
func (m *Mesh) Key(name string) *identity.PrivateKey {
	return identity.NewKeyFromSeed(sha256.Sum256([]byte("dagtest key " + m.name + " " + name)))
}

// Node returns the private key of an author.
func (m *Mesh) Node(author int) *identity.PrivateKey { return m.nodes[author] }

// Author returns the public key of an author.
func (m *Mesh) Author(author int) identity.PublicKey { return m.nodes[author].Public() }

// Authors returns how many authors are enrolled.
func (m *Mesh) Authors() int { return len(m.nodes) }

// OperatorKey returns the founding operator's private key.
func (m *Mesh) OperatorKey() *identity.PrivateKey { return m.Key("operator") }

// FounderKey returns a founder's private key; that of founder 0 is OperatorKey.
func (m *Mesh) FounderKey(founder int) *identity.PrivateKey {
	if founder == 0 {
		return m.OperatorKey()
	}
	return m.Key(fmt.Sprintf("founder %d", founder))
}

// State makes the next statement of an issuer who speaks as no operator, such
// as a founder; mesh is nil for the founding op.
func (m *Mesh) State(issuer *identity.PrivateKey, mesh *[32]byte, content identity.Content) *identity.Statement {
	m.tb.Helper()
	return m.Issue(issuer, identity.Statement{Mesh: mesh, Content: content})
}

// StateAs is [Mesh.State] for an issuer who speaks as an operator.
func (m *Mesh) StateAs(operator identity.StatementID, issuer *identity.PrivateKey, mesh *[32]byte, content identity.Content) *identity.Statement {
	m.tb.Helper()
	return m.Issue(issuer, identity.Statement{Mesh: mesh, As: &operator, Content: content})
}

// Issue completes the draft of a statement and signs it with the issuer's key:
// as mesh it takes the mesh's, if there is one, and as seq and prev, unless
// there is a seq, what follows the issuer's last statement. (A redeem follows none.)
func (m *Mesh) Issue(issuer *identity.PrivateKey, draft identity.Statement) *identity.Statement {
	m.tb.Helper()
	draft.Issuer = issuer.Public()
	if m.Founding != nil && draft.Mesh == nil {
		mesh := [32]byte(m.Founding.ID())
		draft.Mesh = &mesh
	}
	if draft.Seq == 0 {
		draft.Seq = 1
		if last := m.issued[draft.Issuer]; last != nil && draft.Kind() != identity.KindRedeem {
			id := last.ID()
			draft.Seq, draft.Prev = last.Seq+1, &id
		}
	}
	var s *identity.Statement
	var err error
	switch draft.Content.(type) {
	case identity.Redeem:
		s, err = identity.SignTicketStatement(draft, issuer)
	case identity.Rotate:
		s, err = identity.SignRotation(draft, issuer)
	default:
		s, err = identity.SignStatement(draft, issuer)
	}
	if err != nil {
		m.tb.Fatalf("sign a statement: %v", err)
	}
	m.issued[draft.Issuer] = s
	switch c := draft.Content.(type) {
	case identity.Enrol:
		m.enrolments[c.Node] = s.ID()
	case identity.Rotate:
		m.enrolments[c.Key] = c.Enrolment
	}
	return s
}

// Add adds an op to the graph, or ends the test.
func (m *Mesh) Add(s *dag.Signed) *dag.Op {
	m.tb.Helper()
	o, _, err := m.Graph.Add(s)
	if err != nil {
		m.tb.Fatalf("add op %v: %v", s.ID(), err)
	}
	return o
}

// Write adds an op of the author's with one transaction, on the heads of the graph.
func (m *Mesh) Write(author int, writes ...dag.Write) *dag.Op {
	m.tb.Helper()
	return m.Op(author, m.Graph.Heads(), writes)
}

// Op adds an op of the author's with the transactions, on those parents; empty
// transactions are left out.
func (m *Mesh) Op(author int, parents []*dag.Op, transactions ...dag.Transaction) *dag.Op {
	m.tb.Helper()
	transactions = slices.DeleteFunc(transactions, func(t dag.Transaction) bool { return len(t) == 0 })
	d := Draft{Author: author, Transactions: transactions}
	for _, p := range parents {
		d.Parents = append(d.Parents, p.ID())
	}
	return m.Add(m.Sign(d))
}

// Put returns a write that puts value at key and names no earlier incarnation.
func Put(key, value string) dag.Write {
	return dag.Write{Kind: dag.Replace, Key: []byte(key), Value: []byte(value)}
}

// PutUnder is [Put] of a value that merges as the schema says.
func PutUnder(schema dag.SchemaID, key, value string) dag.Write {
	return dag.Write{Kind: dag.Replace, Key: []byte(key), Value: []byte(value), Schema: schema}
}

// Delete returns a write that deletes what its author saw at key.
func Delete(key string) dag.Write { return dag.Write{Kind: dag.DeleteObserved, Key: []byte(key)} }

// DeleteRange returns a write that deletes what its author saw at every key k
// with key ≤ k < end; an empty end means no upper bound.
func DeleteRange(key, end string) dag.Write {
	return dag.Write{Kind: dag.DeleteRange, Key: []byte(key), End: []byte(end)}
}
