package identity_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// A world is a random history of one mesh: operations in a DAG of their own,
// the statements that they carry, most of them of some effect, many of none.
type world struct {
	rng     *rand.Rand
	ops     []*op
	carried []identity.Carried
	mesh    [32]byte
	found   *identity.Statement

	said     []*identity.Statement // each once
	chains   map[string]*identity.Statement
	admitted []admitted
	invites  []admitted
	enrolled []*identity.Statement
	limits   []*identity.Statement // what can be superseded
	votes    []*identity.Statement // of founders
	founders []string
	kinds    map[string]int // what was said, for the generator's own test
}

// admitted is a statement that lets somebody in, and who may use it.
type admitted struct {
	*identity.Statement
	key string
}

// An op is a place: it knows its past.
type op struct {
	id     int
	past   map[*op]bool
	author string
	seq    uint64
}

func (o *op) InPastOf(p identity.Place) bool { return p.(*op).past[o] }

func (o *op) String() string { return fmt.Sprint("op ", o.id) }

var worldPrivate = map[string]*identity.PrivateKey{}

// worldKey returns the key of that name, always the same.
func worldKey(name string) *identity.PrivateKey {
	key := worldPrivate[name]
	if key == nil {
		var seed [32]byte
		copy(seed[:], name)
		key = identity.NewKeyFromSeed(seed)
		worldPrivate[name] = key
	}
	return key
}

func pub(name string) identity.PublicKey { return worldKey(name).Public() }

func pubs(names ...string) (keys []identity.PublicKey) {
	for _, n := range names {
		keys = append(keys, pub(n))
	}
	slices.SortFunc(keys, identity.PublicKey.Compare)
	return slices.Compact(keys)
}

var (
	worldNodes     = []string{"n1", "n2", "n3", "n4", "n5", "n6"}
	worldOperators = []string{"A", "B", "C", "D", "E"}
	worldPatterns  = []identity.Pattern{"**", "**", "/a/**", "/a/b/**", "/a/*", "/*/b/**", "/b/**", "/b/c"}
	worldKeys      = [][]byte{[]byte("/a/b/c"), []byte("/a/x"), []byte("/b/c"), []byte("/z")}
)

func pick[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

// newWorld makes a history of so many operations.
func newWorld(seed uint64, ops int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), chains: map[string]*identity.Statement{}, kinds: map[string]int{}}
	binary.BigEndian.PutUint64(w.mesh[:], seed+1)
	w.begin()
	for range ops {
		w.grow()
	}
	return w
}

// begin founds the mesh with operators A and B, nodes n1 and n2.
func (w *world) begin() {
	w.founders = []string{"f1", "f2", "f3"}[:1+w.rng.IntN(3)]
	first := &op{past: map[*op]bool{}, author: "n1", seq: 1}
	w.ops = append(w.ops, first)
	threshold := 1 + w.rng.IntN(min(2, len(w.founders)))
	w.found = w.sign(nil, "f1", nil, nil, identity.Found{Nonce: w.mesh, Threshold: uint64(threshold), Founders: pubs(w.founders...)})
	w.carry(first, w.found)
	grant := identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 3}
	for i, key := range []string{"A", "B"} {
		s := w.sign(nil, "f1", nil, nil, identity.Admit{Name: key, Keys: pubs(key), Grant: grant})
		w.carry(first, s)
		w.admitted = append(w.admitted, admitted{s, key})
		id := s.ID()
		node := worldKey(worldNodes[i])
		e := w.sign(nil, key, &id, nil, identity.Enrol{Slot: 0, Node: node.Public(), Rotations: 4,
			Consent: identity.SignConsent(w.found.ID(), id, 0, node)})
		w.carry(first, e)
		w.enrolled = append(w.enrolled, e)
	}
	p := w.sign(nil, "f1", nil, nil, identity.Policy{Rules: []identity.PolicyRule{{Pattern: "**", Mode: identity.ModeMerge}}})
	w.carry(first, p)
	w.limits = append(w.limits, p)
}

// grow adds an operation on random others, with statements new and old.
func (w *world) grow() {
	o := &op{id: len(w.ops), past: map[*op]bool{}, author: pick(w, append(worldNodes, "n1", "n2"))}
	for range 1 + w.rng.IntN(3) {
		from := max(0, len(w.ops)-1-w.rng.IntN(6))
		if w.rng.IntN(5) == 0 {
			from = w.rng.IntN(len(w.ops)) // backdated
		}
		p := w.ops[from]
		o.past[p] = true
		for q := range p.past {
			o.past[q] = true
		}
	}
	for p := range o.past {
		if p.author == o.author {
			o.seq = max(o.seq, p.seq)
		}
	}
	o.seq++
	w.ops = append(w.ops, o)
	for range w.rng.IntN(4) {
		w.carry(o, w.state(o))
	}
	if w.rng.IntN(3) == 0 {
		w.carry(o, pick(w, w.said)) // carried again
	}
}

// carry lets an operation carry a statement, as far as it can.
func (w *world) carry(o *op, s *identity.Statement) {
	if w.rng.IntN(4) == 0 { // ops that arrive each have a copy
		copied, err := identity.DecodeStatement(s.Encoded())
		if err != nil {
			panic(err)
		}
		s = copied
	}
	var keep []identity.Place
	for _, id := range s.KeepHeads() {
		head := w.ops[binary.BigEndian.Uint64(id[:])]
		if !o.past[head] {
			return
		}
		keep = append(keep, head)
	}
	c := identity.Carried{Statement: s, At: o, Author: pub(o.author), Seq: o.seq, Index: w.rng.IntN(3), Founding: o.id == 0, Keep: keep}
	if c.Op = [32]byte{1, 30: byte(o.id >> 8), 31: byte(o.id)}; c.Founding {
		c.Op = w.mesh
	}
	w.carried = append(w.carried, c)
}

// sign makes the key's next statement; sometimes it forks the chain.
func (w *world) sign(mesh *[32]byte, key string, as *identity.StatementID, supersedes []identity.StatementID, c identity.Content) *identity.Statement {
	d := identity.Statement{Mesh: mesh, Issuer: pub(key), As: as, Seq: 1, Supersedes: supersedes, Content: c}
	if last := w.chains[key]; last != nil && d.Kind() != identity.KindRedeem && w.rng.IntN(10) > 0 {
		id := last.ID()
		d.Seq, d.Prev = last.Seq+1, &id
	}
	signer := func() (*identity.Statement, error) { return identity.SignStatement(d, worldKey(key)) }
	switch d.Kind() {
	case identity.KindRedeem:
		signer = func() (*identity.Statement, error) { return identity.SignTicketStatement(d, worldKey(key)) }
	case identity.KindRotate:
		signer = func() (*identity.Statement, error) { return identity.SignRotation(d, worldKey(key)) }
	}
	s, err := signer()
	if err != nil {
		panic(fmt.Sprint(d.Kind(), ": ", err))
	}
	if w.chains[key] == nil || s.Seq > w.chains[key].Seq {
		w.chains[key] = s
	}
	w.said = append(w.said, s)
	w.kinds[s.Kind().String()]++
	return s
}
