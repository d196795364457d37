package reconcile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A mesh is a founding op in which every author of a test is enrolled. Keys
// are the same in every run, so that IDs are too.
type mesh struct {
	t        testing.TB
	keys     []*identity.PrivateKey // the first founded the mesh
	founding []*dag.Signed          // the founding op, and ops that enrol those it has no room for
	id       dag.ID
	salts    uint64
}

// foundingRoom is how many enrolments a test's op carries beside the founding
// statements: an op holds 64 statements.
const foundingRoom = 60

func testKey(i int) *identity.PrivateKey {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
	return identity.NewKeyFromSeed(seed)
}

func newMesh(t testing.TB, authors int) *mesh {
	t.Helper()
	m := &mesh{t: t}
	operator := testKey(1 << 40)
	var seq uint64
	var prev *identity.StatementID
	sign := func(mesh *[32]byte, as *identity.StatementID, c identity.Content) *identity.Statement {
		seq++
		s, err := identity.SignStatement(identity.Statement{Mesh: mesh, Issuer: operator.Public(), As: as, Seq: seq, Prev: prev, Content: c}, operator)
		if err != nil {
			t.Fatal(err)
		}
		id := s.ID()
		prev = &id
		return s
	}
	all, err := identity.ParsePattern([]byte("**"))
	if err != nil {
		t.Fatal(err)
	}
	found := sign(nil, nil, identity.Found{Threshold: 1, Founders: []identity.PublicKey{operator.Public()}})
	admit := sign(nil, nil, identity.Admit{
		Name: "test", Keys: []identity.PublicKey{operator.Public()},
		Grant: identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{all}, Nodes: uint64(authors)},
	})
	body := dag.Body{Statements: [][]byte{found.Encoded(), admit.Encoded()}}
	where, operatorID := [32]byte(found.ID()), admit.ID()
	var in *[32]byte
	g := dag.NewGraph()
	var last *dag.Op
	flush := func() {
		h, _ := g.Draft(last, len(body.Encode()), 0)
		s, err := dag.Sign(h, body, m.keys[0])
		if err != nil {
			t.Fatal(err)
		}
		if last, _, err = g.Add(s); err != nil {
			t.Fatal(err)
		}
		m.founding = append(m.founding, s)
		m.id = m.founding[0].ID()
		where, in, body = m.id, (*[32]byte)(&m.id), dag.Body{}
	}
	for i := range authors {
		key := testKey(i)
		m.keys = append(m.keys, key)
		body.Statements = append(body.Statements, sign(in, &operatorID, identity.Enrol{
			Slot: uint64(i), Node: key.Public(),
			Consent: identity.SignConsent(where, admit.ID(), uint64(i), key),
		}).Encoded())
		if len(body.Statements) >= foundingRoom {
			flush()
		}
	}
	if len(body.Statements) > 0 {
		flush()
	}
	return m
}

// blob is what a node stores of an op.
type blob struct{ block, body []byte }

// A replica is a node's operations in memory. It is a Source.
type replica struct {
	m     *mesh
	graph *dag.Graph
	blobs map[dag.ID]blob
	peers map[*replica][]byte // what it remembers of them
}

// newReplica returns a replica that holds the founding ops, or nothing.
func (m *mesh) newReplica(founded bool) *replica {
	r := &replica{m: m, graph: dag.NewGraphOf(m.id), blobs: map[dag.ID]blob{}, peers: map[*replica][]byte{}}
	if founded {
		for _, s := range m.founding {
			r.mustAdd(s)
		}
	}
	return r
}

// newSalt returns another salt each time, the same ones in every run.
func (m *mesh) newSalt() (salt [SaltSize]byte) {
	m.salts++
	binary.BigEndian.PutUint64(salt[:], m.salts)
	return salt
}

func (r *replica) newSalt() [SaltSize]byte { return r.m.newSalt() }

func (r *replica) Graph() *dag.Graph { return r.graph }

func (r *replica) Fetch(id dag.ID) (block, body []byte, err error) {
	e, ok := r.blobs[id]
	if !ok {
		return nil, nil, dag.ErrNotFound
	}
	return e.block, e.body, nil
}

func (r *replica) add(s *dag.Signed) (*dag.Op, error) {
	op, _, err := r.graph.Add(s)
	if err != nil {
		return nil, err
	}
	r.blobs[op.ID()] = blob{block: s.Block(), body: s.Body()}
	return op, nil
}

func (r *replica) mustAdd(s *dag.Signed) *dag.Op {
	r.m.t.Helper()
	op, err := r.add(s)
	if err != nil {
		r.m.t.Fatal(err)
	}
	return op
}

// write adds an op of an author who has seen all that r holds.
func (r *replica) write(author, size int) *dag.Op {
	r.m.t.Helper()
	key := r.m.keys[author]
	var prev *dag.Op
	if tips := r.graph.Tips(key.Public()); len(tips) > 0 {
		prev = tips[0]
	}
	body := testBody(size)
	h, _ := r.graph.Draft(prev, len(body.Encode()), 1)
	s, err := dag.Sign(h, body, key)
	if err != nil {
		r.m.t.Fatal(err)
	}
	return r.mustAdd(s)
}

// signAt makes an op with that prev and those parents, which r need not accept.
func (r *replica) signAt(author int, prev *dag.Op, parents []*dag.Op, size int) *dag.Signed {
	r.m.t.Helper()
	body := testBody(size)
	h := dag.Header{Mesh: &r.m.id, Seq: 1, Bytes: uint64(len(body.Encode())), Writes: 1}
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
	s, err := dag.Sign(h, body, r.m.keys[author])
	if err != nil {
		r.m.t.Fatal(err)
	}
	return s
}

// testBody is one put of size bytes. Two forks are told apart by their size or
// their parents.
func testBody(size int) dag.Body {
	t := dag.Transaction{{Kind: dag.Replace, Key: []byte("k"), Value: make([]byte, size)}}
	return dag.Body{Transactions: [][]byte{t.Append(nil)}}
}

// receive admits what a session returned, as a node without a pool would: what
// misses its past is dropped. It looks at signatures only if told to, to be fast.
func (r *replica) receive(us []*dag.Unverified, verify bool) error {
	for _, u := range us {
		signed := dag.AssumeVerified(u)
		if verify {
			s, errs := dag.Verify([]*dag.Unverified{u})
			if errs[0] != nil {
				return errs[0]
			}
			signed = s[0]
		}
		_, err := r.add(signed)
		var missing *dag.MissingError
		if err != nil && !errors.As(err, &missing) && !errors.Is(err, dag.ErrDuplicate) {
			return fmt.Errorf("%v: %w", u.ID(), err)
		}
	}
	return nil
}

// ids returns what r holds.
func (r *replica) ids() map[dag.ID]bool {
	ids := make(map[dag.ID]bool, r.graph.Len())
	for _, op := range r.graph.Since(nil) {
		ids[op.ID()] = true
	}
	return ids
}
