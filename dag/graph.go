package dag

import (
	"slices"
	"sync"

	"github.com/causeway-sync/causeway/identity"
)

// A Graph is a set of valid ops, closed under the past: whenever it holds an
// op it holds the op's parents. It keeps headers, causality and merge schemas, not blocks or
// other parts of bodies.
//
// A Graph is safe for one writer and many readers at a time; concurrent calls
// of Add wait for each other. Readers are held up only while a checked op is
// linked in, not while it is checked.
type Graph struct {
	writer sync.Mutex // held by Add throughout

	mu       sync.RWMutex // guards all below; the writer may read without it
	mesh     *ID          // nil until known
	founding *Op
	ops      map[ID]*Op
	heads    []*Op // ascending by ID
	chains   []*chain
	authors  map[identity.PublicKey]*author
	forks    []Fork
	roster   *identity.Roster // of all ops
	claims   map[uint32][]*Op // by epoch, without 0; those of one are an antichain

	// rotations holds the ops that carry a rotation of their author's to a key and have
	// none that does in their past: one for each branch of the author.
	rotations map[succession][]*Op

	schemas map[SchemaID]*schema

	unions map[[2]*identity.Roster]*identity.Roster // the writer's only
}

// A chain is a list of ops of one key, each the prev of the next. The prev of
// the first is none, an op of another branch, or for a rotated key one of the key before.
type chain struct {
	author *author
	ops    []*Op // never empty; position is the index
}

// An author is what a graph knows of a key.
type author struct {
	key    identity.PublicKey
	chains []uint32 // in order of arrival; more than one after a fork
}

// NewGraph returns an empty graph. The first op added must be a founding op,
// whose mesh the graph is then of.
func NewGraph() *Graph {
	return &Graph{
		ops:       make(map[ID]*Op),
		authors:   make(map[identity.PublicKey]*author),
		claims:    make(map[uint32][]*Op),
		rotations: make(map[succession][]*Op),
		schemas:   make(map[SchemaID]*schema),
		roster:    identity.EmptyRoster(),
		unions:    make(map[[2]*identity.Roster]*identity.Roster),
	}
}

// NewGraphOf returns an empty graph of the mesh whose founding op has that
// ID: it refuses every other founding op. A joiner uses it, since it knows the
// mesh from its ticket before any peer can tell it otherwise.
func NewGraphOf(mesh ID) *Graph {
	g := NewGraph()
	g.mesh = &mesh
	return g
}

// Get returns the op with that ID, if the graph holds it.
func (g *Graph) Get(id ID) (*Op, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	o, ok := g.ops[id]
	return o, ok
}

// Len returns the number of ops.
func (g *Graph) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.ops)
}

// Founding returns the founding op, nil if the graph is empty.
func (g *Graph) Founding() *Op {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.founding
}

// Mesh returns the ID of the founding op, and whether it is known.
func (g *Graph) Mesh() (ID, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.mesh == nil {
		return ID{}, false
	}
	return *g.mesh, true
}

// Heads returns the ops that are in no other op's past, ascending by ID. The
// slice is the caller's.
func (g *Graph) Heads() []*Op {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Clone(g.heads)
}

// Authors returns the authors of all ops, ascending. The slice is the caller's.
func (g *Graph) Authors() []identity.PublicKey {
	g.mu.RLock()
	defer g.mu.RUnlock()
	keys := make([]identity.PublicKey, 0, len(g.authors))
	for key := range g.authors {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, identity.PublicKey.Compare)
	return keys
}

// Tips returns the key's ops that are prev of no other op of the key, ascending by
// ID: one for an honest author, one for each branch of a forker, none for a
// key of no op. The slice is the caller's.
func (g *Graph) Tips(key identity.PublicKey) []*Op {
	g.mu.RLock()
	defer g.mu.RUnlock()
	a, ok := g.authors[key]
	if !ok {
		return nil
	}
	// A branch begins another chain only where its prev already has a
	// successor, so the last op of every chain is a tip.
	tips := make([]*Op, len(a.chains))
	for i, c := range a.chains {
		ops := g.chains[c].ops
		tips[i] = ops[len(ops)-1]
	}
	slices.SortFunc(tips, byID)
	return tips
}

// Forked reports whether the graph holds more than one branch of the key's ops.
func (g *Graph) Forked(key identity.PublicKey) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	a, ok := g.authors[key]
	return ok && len(a.chains) > 1
}

// Forks returns the forks found so far, in the order of arrival: for each op
// that began another branch, one pair that proves it. The slice is the caller's.
func (g *Graph) Forks() []Fork {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Clone(g.forks)
}

// OpRoster returns the roster of o's past and o's own statements: what an op
// with o as its only parent is judged by.
func (g *Graph) OpRoster(o *Op) *identity.Roster { return o.roster }

// Roster returns the roster of all ops, which is that of the heads; the
// empty roster if there are none.
func (g *Graph) Roster() *identity.Roster {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.roster
}

// Claimed reports whether any op claims that revision window.
func (g *Graph) Claimed(epoch uint64) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return epoch <= MaxEpoch && len(g.claims[uint32(epoch)]) > 0
}

func byID(a, b *Op) int { return a.id.Compare(b.id) }
