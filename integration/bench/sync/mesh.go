package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A mesh is a founding op, and what follows it to enrol all authors.
type mesh struct {
	id       dag.ID
	keys     []*identity.PrivateKey
	founding []*dag.Signed
	salt     uint64 // of the next session
	size     int    // of the values written, in bytes
}

// enrolmentsPerOp stays below the 64 statements that an op holds.
const enrolmentsPerOp = 60

// newMesh founds a mesh of so many authors. Keys and IDs are the same in every run.
func newMesh(authors, size int) (*mesh, error) {
	m := &mesh{size: size}
	operator := fixedKey(1 << 40)
	everything, err := identity.ParsePattern([]byte("**"))
	if err != nil {
		return nil, err
	}
	var chain []*identity.Statement // of the operator
	sign := func(in *[32]byte, as *identity.StatementID, c identity.Content) (*identity.Statement, error) {
		draft := identity.Statement{Mesh: in, Issuer: operator.Public(), As: as, Seq: 1, Content: c}
		if n := len(chain); n > 0 {
			prev := chain[n-1].ID()
			draft.Seq, draft.Prev = uint64(n)+1, &prev
		}
		s, err := identity.SignStatement(draft, operator)
		chain = append(chain, s)
		return s, err
	}
	found, err := sign(nil, nil, identity.Found{Threshold: 1, Founders: []identity.PublicKey{operator.Public()}})
	if err != nil {
		return nil, err
	}
	admit, err := sign(nil, nil, identity.Admit{
		Name: "bench", Keys: []identity.PublicKey{operator.Public()},
		Grant: identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{everything}, Nodes: uint64(authors)},
	})
	if err != nil {
		return nil, err
	}
	as := admit.ID()
	statements := [][]byte{found.Encoded(), admit.Encoded()}
	where, in := [32]byte(found.ID()), (*[32]byte)(nil)
	g := dag.NewGraph()
	var last *dag.Op
	for i := range authors {
		key := fixedKey(uint64(i))
		m.keys = append(m.keys, key)
		enrol, err := sign(in, &as, identity.Enrol{
			Slot: uint64(i), Node: key.Public(),
			Consent: identity.SignConsent(where, as, uint64(i), key),
		})
		if err != nil {
			return nil, err
		}
		if statements = append(statements, enrol.Encoded()); len(statements) < enrolmentsPerOp && i < authors-1 {
			continue
		}
		body := dag.Body{Statements: statements}
		h, _ := g.Draft(last, len(body.Encode()), 0)
		s, err := dag.Sign(h, body, m.keys[0])
		if err != nil {
			return nil, err
		}
		if last, _, err = g.Add(s); err != nil {
			return nil, err
		}
		m.founding = append(m.founding, s)
		m.id = m.founding[0].ID()
		where, in, statements = m.id, (*[32]byte)(&m.id), nil
	}
	return m, nil
}

func fixedKey(i uint64) *identity.PrivateKey {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], i+1)
	return identity.NewKeyFromSeed(seed)
}

// A node is a node's operations in memory, a reconcile.Source.
type node struct {
	mesh  *mesh
	graph *dag.Graph
	ops   map[dag.ID]*dag.Signed
	made  uint64 // ops, so that no two are equal
}

func (m *mesh) newNode() (*node, error) {
	n := &node{mesh: m, graph: dag.NewGraphOf(m.id), ops: make(map[dag.ID]*dag.Signed)}
	for _, s := range m.founding {
		if _, err := n.add(s); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Graph returns the ops the node holds.
func (n *node) Graph() *dag.Graph { return n.graph }

// Fetch returns the encoding of an op the node holds.
func (n *node) Fetch(id dag.ID) (block, body []byte, err error) {
	s, ok := n.ops[id]
	if !ok {
		return nil, nil, dag.ErrNotFound
	}
	return s.Block(), s.Body(), nil
}

func (n *node) add(s *dag.Signed) (*dag.Op, error) {
	op, _, err := n.graph.Add(s)
	if err != nil {
		return nil, fmt.Errorf("add %v: %w", s.ID(), err)
	}
	n.ops[op.ID()] = s
	return op, nil
}

// write adds an op of an author on the heads of what n holds.
func (n *node) write(author int) (*dag.Op, error) {
	var prev *dag.Op
	if tips := n.graph.Tips(n.mesh.keys[author].Public()); len(tips) > 0 {
		prev = tips[0]
	}
	return n.writeOn(author, prev, n.graph.Heads())
}

// writeOn adds an op of an author after prev, nil for the first, on those parents.
func (n *node) writeOn(author int, prev *dag.Op, parents []*dag.Op) (*dag.Op, error) {
	value := make([]byte, n.mesh.size)
	n.made++
	binary.BigEndian.PutUint64(value[len(value)-8:], n.made)
	binary.BigEndian.PutUint64(value[len(value)-16:], n.mesh.salt)
	write := dag.Transaction{{Kind: dag.Replace, Key: []byte("k"), Value: value}}
	body := dag.Body{Transactions: [][]byte{write.Append(nil)}}
	h := dag.Header{Mesh: &n.mesh.id, Seq: 1, Bytes: uint64(len(body.Encode())), Writes: 1}
	if prev != nil {
		id := prev.ID()
		h.Prev, h.Seq = &id, prev.Seq()+1
		h.Bytes += prev.Bytes()
		h.Writes += prev.Writes()
	}
	for _, p := range parents {
		h.Parents = append(h.Parents, p.ID())
		h.Depth = max(h.Depth, p.Depth())
	}
	slices.SortFunc(h.Parents, dag.ID.Compare)
	h.Depth++
	s, err := dag.Sign(h, body, n.mesh.keys[author])
	if err != nil {
		return nil, err
	}
	return n.add(s)
}

// give hands an op to another node, which holds its past.
func (n *node) give(op *dag.Op, to *node) error {
	_, err := to.add(n.ops[op.ID()])
	return err
}
