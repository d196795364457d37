package dagtest

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A Draft is an op to be made by [Mesh.Sign].
type Draft struct {
	Author       int
	Key          *identity.PrivateKey // signs instead of Author's, if not nil
	Parents      []dag.ID             // in any order; of ops this mesh made
	Prev         *dag.ID              // nil: the author's op of greatest seq in the past
	First        bool                 // no prev, whatever the past holds
	Epoch        uint64
	Transactions []dag.Transaction
	Statements   []*identity.Statement
	Schemas      [][]byte
	Edit         func(*dag.Header) // changes the header before it is signed, if not nil
}

// Sign makes the op that d describes: valid, unless d asks for something else. It does not add it to the graph.
func (m *Mesh) Sign(d Draft) *dag.Signed {
	m.tb.Helper()
	key := d.Key
	if key == nil {
		key = m.nodes[d.Author]
	}
	var body dag.Body
	writes := 0
	for _, t := range d.Transactions {
		body.Transactions = append(body.Transactions, t.Append(nil))
		writes += len(t)
	}
	for _, s := range d.Statements {
		body.Statements = append(body.Statements, s.Encoded())
	}
	body.Schemas = d.Schemas
	h := dag.Header{
		Seq:     1,
		Parents: slices.SortedFunc(slices.Values(d.Parents), dag.ID.Compare),
		Wall:    1_700_000_000_000 + uint64(len(m.made)),
		Epoch:   d.Epoch,
		Bytes:   uint64(len(body.Encode())),
		Writes:  uint64(writes),
	}
	if m.Founding != nil {
		mesh := m.Founding.ID()
		h.Mesh = &mesh
	}
	for _, p := range d.Parents {
		h.Depth = max(h.Depth, m.Header(p).Depth)
	}
	h.Depth++
	prev := d.Prev
	if prev == nil && !d.First {
		prev = m.latest(key.Public(), d.Parents)
	}
	if prev != nil {
		p := m.Header(*prev)
		h.Prev, h.Seq = prev, p.Seq+1
		h.Bytes += p.Bytes
		h.Writes += p.Writes
	}
	if d.Edit != nil {
		d.Edit(&h)
	}
	s, err := dag.Sign(h, body, key)
	if err != nil {
		m.tb.Fatalf("sign an op: %v", err)
	}
	m.made[s.ID()] = s.Header()
	for _, statement := range d.Statements {
		if c, ok := statement.Content.(identity.Rotate); ok && statement.Issuer == key.Public() {
			m.rotating[s.ID()] = append(m.rotating[s.ID()], c)
		}
	}
	return s
}

// Header returns the header of an op this mesh made.
func (m *Mesh) Header(id dag.ID) *dag.Header {
	m.tb.Helper()
	h, ok := m.made[id]
	if !ok {
		m.tb.Fatalf("op %v was not made by this mesh", id)
	}
	return h
}

// latest returns the author's op of greatest seq among ids and their past, the
// least of equals, or for a key that has none there the op that rotates to it. Where a parent is the author's own, it is that.
func (m *Mesh) latest(author identity.PublicKey, ids []dag.ID) *dag.ID {
	for _, id := range ids {
		if m.Header(id).Author == author {
			return &id
		}
	}
	var latest, rotates *dag.ID
	for id := range m.Past(ids...) {
		h := m.made[id]
		if h.Author == author {
			if latest == nil || h.Seq > m.made[*latest].Seq || h.Seq == m.made[*latest].Seq && id.Compare(*latest) < 0 {
				latest = &id
			}
			continue
		}
		// Of those that carry the rotation, one on each branch of the old key's chain goes.
		for _, c := range m.rotating[id] {
			if c.Key == author && (rotates == nil || h.Seq < m.made[*rotates].Seq || h.Seq == m.made[*rotates].Seq && id.Compare(*rotates) < 0) {
				rotates = &id
			}
		}
	}
	if latest == nil {
		return rotates
	}
	return latest
}

// Past returns ids and their past, found by walking parents breadth first: the
// model that causality is tested against.
func (m *Mesh) Past(ids ...dag.ID) map[dag.ID]bool {
	past := make(map[dag.ID]bool)
	for next := slices.Clone(ids); len(next) > 0; next = next[1:] {
		if id := next[0]; !past[id] {
			past[id] = true
			next = append(next, m.Header(id).Parents...)
		}
	}
	return past
}
