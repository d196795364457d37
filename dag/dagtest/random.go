package dagtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A World is a mesh that grew at random: several founders and sites, operators
// who admit, restrict and widen, nodes that rotate, and some that lie: write
// into the past, fork, carry statements of others again, or want more than they may.
type World struct {
	Mesh *Mesh
	// Ops holds every op that was made, the founding op first, each after its
	// parents: those that Mesh.Graph holds, and those that it refused, on which none is built.
	Ops []*dag.Signed

	rng       *rand.Rand
	values    []ValueSchema // what is written, if patches and schemas are
	founders  int
	sites     [worldSites]map[dag.ID]bool // what each site has delivered
	operators []worldOperator
	nodes     []worldNode
	stated    []*identity.Statement // to be carried again
	votes     []*identity.Statement // of founders, to be endorsed
	ends      []worldRestriction    // to be superseded
	invites   []worldInvite
	names     int
}

const worldSites = 3

type worldOperator struct {
	id      identity.StatementID
	key     *identity.PrivateKey
	sponsor int // among the operators, -1 for the root
	grant   identity.Grant
}

type worldNode struct {
	key       *identity.PrivateKey
	enrolment identity.StatementID
	operator  int
	slot      uint64
	index     uint64
	site      int
}

type worldRestriction struct {
	id identity.StatementID
	by int // the operator it was issued as, -1 for the root
	// again makes one of the same subject.
	again func(keep [][32]byte) identity.Content
}

type worldInvite struct {
	id     identity.StatementID
	ticket *identity.PrivateKey
	by     int
	grant  identity.Grant
}

// Grow makes a world of so many ops beside those that found it, always the same for a seed.
func Grow(tb testing.TB, seed uint64, ops int) *World {
	tb.Helper()
	return grow(tb, seed, ops, nil)
}

// GrowMerging is [Grow] with writes that merge: patches, some of which mean
// nothing, final deletes, and values under the schemas of [ValueSchemas],
// which their ops carry where their past does not.
func GrowMerging(tb testing.TB, seed uint64, ops int) *World {
	tb.Helper()
	return grow(tb, seed, ops, ValueSchemas())
}

func grow(tb testing.TB, seed uint64, ops int, values []ValueSchema) *World {
	tb.Helper()
	rng := rand.New(rand.NewPCG(seed, 0x726f73746572))
	founders := 1 + rng.IntN(3)
	m := NewMesh(tb, Config{
		Name:      fmt.Sprint("world ", seed),
		Authors:   3,
		Rotations: 2,
		Founders:  founders,
		Threshold: 1 + rng.Uint64N(uint64(founders)),
	})
	w := &World{Mesh: m, Ops: slices.Clone(m.Enrolled), rng: rng, values: values, founders: founders}
	w.operators = []worldOperator{{m.Operator, m.OperatorKey(), -1, identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 3}}}
	for i := range w.sites {
		w.sites[i] = m.Past(m.Enrolled[len(m.Enrolled)-1].ID())
		w.nodes = append(w.nodes, worldNode{m.Node(i), m.enrolments[m.Author(i)], 0, uint64(i), 0, i})
	}
	for range ops {
		w.step()
	}
	return w
}

// Shuffle returns the ops in a random causal order: each after its parents.
func (w *World) Shuffle(rng *rand.Rand) []*dag.Signed {
	left := make(map[dag.ID]int) // parents that are still to come
	next := make(map[dag.ID][]*dag.Signed)
	var ready, order []*dag.Signed
	for _, s := range w.Ops {
		left[s.ID()] = len(s.Header().Parents)
		for _, p := range s.Header().Parents {
			next[p] = append(next[p], s)
		}
		if len(s.Header().Parents) == 0 {
			ready = append(ready, s)
		}
	}
	for len(ready) > 0 {
		i := rng.IntN(len(ready))
		s := ready[i]
		ready = slices.Delete(ready, i, i+1)
		order = append(order, s)
		for _, n := range next[s.ID()] {
			if left[n.ID()]--; left[n.ID()] == 0 {
				ready = append(ready, n)
			}
		}
	}
	return order
}

func (w *World) chance(percent int) bool { return w.rng.IntN(100) < percent }

// step lets one node make an op.
func (w *World) step() {
	if w.chance(40) { // two sites meet
		a, b := w.rng.IntN(worldSites), w.rng.IntN(worldSites)
		for id := range w.sites[a] {
			w.sites[b][id] = true
		}
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	for range 8 {
		if _, ok := w.Mesh.Graph.Roster().Author(n.key.Public()); ok || w.chance(5) {
			break // some site at least knows who that is
		}
		n = w.nodes[w.rng.IntN(len(w.nodes))]
	}
	if w.chance(5) {
		n.site = w.rng.IntN(worldSites) // a clone, or a node that moved
	}
	seen := w.sites[n.site]
	if w.chance(15) { // somebody who looks at an old state only
		seen = w.Mesh.Past(w.pick(seen))
	}
	d := Draft{Key: n.key, Statements: w.statements(n, seen)}
	for range w.rng.IntN(3) {
		d.Transactions = append(d.Transactions, w.transaction(n, seen))
	}
	d.Schemas = w.carried(d.Transactions, seen)
	d.Parents = w.heads(seen)
	if w.add(d, n.site) == dag.ReasonForkedPast {
		// Its other branch is in there. It can go on from what its own last op saw.
		var own []dag.ID
		for id := range seen {
			if w.Mesh.Header(id).Author == n.key.Public() {
				own = append(own, id)
			}
		}
		if len(own) > 0 {
			slices.SortFunc(own, dag.ID.Compare)
			d.Parents = []dag.ID{own[w.rng.IntN(len(own))]}
			w.add(d, n.site)
		}
	}
}

// add makes an op, offers it to the graph and returns why it was refused, 0 if it was not.
func (w *World) add(d Draft, site int) dag.Reason {
	s := w.Mesh.Sign(d)
	o, _, err := w.Mesh.Graph.Add(s)
	switch reason := dag.ReasonOf(err); {
	case err == nil:
		for id := range w.Mesh.Past(o.ID()) {
			w.sites[site][id] = true
		}
	case reason == 0:
		w.Mesh.tb.Fatalf("add op %v: %v", s.ID(), err)
	default:
		w.Ops = append(w.Ops, s)
		return reason
	}
	w.Ops = append(w.Ops, s)
	return 0
}

// pick returns a random op of a set.
func (w *World) pick(set map[dag.ID]bool) dag.ID {
	var ids []dag.ID
	for _, s := range w.Ops {
		if set[s.ID()] {
			ids = append(ids, s.ID())
		}
	}
	return ids[w.rng.IntN(len(ids))]
}

// heads returns the ops of a set, closed under the past, that are in no other's past.
func (w *World) heads(set map[dag.ID]bool) []dag.ID {
	covered := make(map[dag.ID]bool)
	for id := range set {
		for _, p := range w.Mesh.Header(id).Parents {
			covered[p] = true
		}
	}
	var heads []dag.ID
	for id := range set {
		if !covered[id] {
			heads = append(heads, id)
		}
	}
	slices.SortFunc(heads, dag.ID.Compare)
	return heads
}

// Keys are all that a [World] writes.
var Keys = []string{"/a/x", "/a/y", "/a/b/x", "/b/x", "/c/x", "/pods/n/p"}

var (
	worldPatterns = []identity.Pattern{"**", "/a/**", "/a/b/**", "/a/*", "/b/**", "/c/x", "/pods/**"}
	worldValues   = []string{"", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"}}`, `{"kind":"Pod"}`, "k8s:enc:x"}
)

// transaction returns some writes, most of which the node's operator may make.
func (w *World) transaction(n worldNode, seen map[dag.ID]bool) dag.Transaction {
	var t dag.Transaction
	patterns := w.operators[n.operator].grant.Patterns
	for len(t) == 0 || w.chance(30) {
		key := Keys[w.rng.IntN(len(Keys))]
		for range 8 {
			if w.chance(5) || slices.ContainsFunc(patterns, func(p identity.Pattern) bool { return p.Match([]byte(key)) }) {
				break
			}
			key = Keys[w.rng.IntN(len(Keys))]
		}
		switch w.rng.IntN(8) {
		case 0:
			t = append(t, Delete(key))
		case 1:
			if w.chance(50) {
				t = append(t, DeleteRange("/a/", "/a0"))
				break
			}
			fallthrough
		default:
			t = append(t, Put(key, worldValues[w.rng.IntN(len(worldValues))]))
		}
		if w.values != nil {
			t[len(t)-1] = w.merging(t[len(t)-1], seen)
		}
	}
	return t
}
