package adversary

import (
	"encoding/binary"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestGroundFilterCollisions: two liars, of one mind, prepare forked ops whose IDs
// agree in their first bytes, by trying many, and give half of them to one node and half to
// another: taken for each other, they would never be exchanged. Short names
// are salted afresh in each session, so they are.
func TestGroundFilterCollisions(t *testing.T) {
	m := New(t, Config{Name: "ground", Sites: 2, Liars: 1, Apart: true})
	w := m.Watch(t)
	key := m.Liar()
	g := m.World.Graph
	// Pairs of branches of one author that agree in as many bits as trying gives.
	bits := size(14, 20)
	prefix := func(id dag.ID) uint32 { return binary.BigEndian.Uint32(id[:4]) >> (32 - bits) }
	seen := make(map[uint32]*dag.Signed)
	shares := make([][]encodedOp, 2)
	var all []dag.ID
	for i := 0; len(all) < 60; i++ {
		op := liar.Sign(t, g, key, liar.Draft{First: true, Edit: func(h *dag.Header) { h.Wall = uint64(i) },
			Transactions: []dag.Transaction{liar.PutOf("/liar/ground", "x")}})
		if twin := seen[prefix(op.ID())]; twin != nil {
			shares[0], shares[1] = append(shares[0], encoded(op)), append(shares[1], encoded(twin))
			all = append(all, op.ID(), twin.ID())
			continue
		}
		seen[prefix(op.ID())] = op
	}
	for i, s := range m.Sites {
		m.NewPeer(t, key, s).deliver(s, shares[i]...)
	}
	for i, s := range m.Sites {
		for j, id := range all {
			if j%2 == i {
				s.WaitFor(t, id)
			}
		}
	}
	m.Link(t, m.Sites[0], m.Sites[1])
	for _, s := range m.Sites {
		for _, id := range all {
			s.WaitFor(t, id)
		}
		proves(t, s, key.Public())
	}
	w.Survived(t, Usual)
}
