package reconcile

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay the simulation of this seed only")
	seedsFlag = flag.Uint64("seeds", 200, "how many seeds to simulate")
)

// A world is a seeded simulation: correct nodes that write and meet, links that
// break, authors that fork, and peers that lie. It is a pure function of the seed.
type world struct {
	*testing.T
	seed    uint64
	rng     *rand.Rand
	mesh    *mesh
	nodes   []*replica // correct
	writers []int      // the author each node writes as, -1 for none
	forkers []int      // authors that no correct node writes as
	side    []int      // of each node in the present partition
	lied    [waysToLie]int
}

// simulate runs fn for every seed, or for the one given by -seed.
func simulate(t *testing.T, fn func(w *world)) {
	first, last := uint64(1), *seedsFlag
	if testing.Short() {
		last = min(last, 100)
	}
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	meshes := map[int]*mesh{}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		w := &world{T: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
		nodes := 2 + w.rng.IntN(4)
		m, ok := meshes[nodes]
		if !ok {
			m = newMesh(t, nodes+maxForkers)
			meshes[nodes] = m
		}
		w.mesh = m
		for i := range nodes {
			w.nodes = append(w.nodes, m.newReplica(i == 0 || w.rng.IntN(2) == 0))
			w.writers = append(w.writers, i)
		}
		w.side = make([]int, nodes)
		fn(w)
		if t.Failed() {
			t.Logf("replay with: go test ./dag/reconcile -run '%s' -seed %d", t.Name(), seed)
		}
	}
}

const maxForkers = 3

// TestHonest: without forks every session takes one round trip, sends exactly
// the difference and leaves both sides with the union.
func TestHonest(t *testing.T) {
	simulate(t, func(w *world) {
		for range 10 + w.rng.IntN(40) {
			switch n := w.rng.IntN(10); {
			case n < 5:
				w.write()
			case n < 9:
				w.meetExactly()
			default:
				w.split()
			}
		}
		clear(w.side)
		w.heal(w.meetExactly)
	})
}

// TestForks: whatever authors sign and however sessions break, an unbroken
// session leaves both sides with the union.
func TestForks(t *testing.T) {
	simulate(t, func(w *world) {
		w.addForkers()
		for range 10 + w.rng.IntN(40) {
			switch n := w.rng.IntN(20); {
			case n < 6:
				w.write()
			case n < 11:
				w.fork()
			case n < 16:
				w.meet(0, 0)
			case n < 17:
				w.meet(1+w.rng.IntN(6), 0) // the connection breaks
			case n < 18:
				w.meet(0, int64(1+w.rng.IntN(2000))) // the budget is small
			case n < 19:
				w.lose()
			default:
				w.split()
			}
		}
		clear(w.side)
		w.heal(func() { w.meet(0, 0) })
	})
}

// TestLiars: what a lying peer sends costs a correct node neither its
// operations nor its sessions with others.
func TestLiars(t *testing.T) {
	simulate(t, func(w *world) {
		w.addForkers()
		liar := w.mesh.newReplica(true)
		for range 10 + w.rng.IntN(40) {
			switch n := w.rng.IntN(20); {
			case n < 6:
				w.write()
			case n < 9:
				w.fork()
			case n < 12:
				w.meet(0, 0)
			case n < 19:
				w.meetLiar(liar)
			default:
				w.split()
			}
		}
		clear(w.side)
		w.heal(func() { w.meet(0, 0) })
	})
}

func (w *world) addForkers() {
	for range w.rng.IntN(maxForkers + 1) {
		w.forkers = append(w.forkers, len(w.nodes)+len(w.forkers))
	}
}

// write lets a random node write, once it holds its enrolment.
func (w *world) write() {
	i := w.rng.IntN(len(w.nodes))
	n := w.nodes[i]
	if n.graph.Len() == 0 || w.writers[i] < 0 {
		return
	}
	size := w.rng.IntN(64)
	if w.rng.IntN(20) == 0 {
		size = 100_000 + w.rng.IntN(300_000) // several frames, or a frame above the target
	}
	n.write(w.writers[i], size)
}

// fork lets a forker sign an op on any of its own ops that a node holds and on
// any others the validity rules allow, and gives it to that node.
func (w *world) fork() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	if len(w.forkers) == 0 || n.graph.Len() == 0 {
		return
	}
	author := w.forkers[w.rng.IntN(len(w.forkers))]
	key := w.mesh.keys[author].Public()
	ops := n.graph.Since(nil)
	var own []*dag.Op
	for _, op := range ops {
		if op.Author() == key {
			own = append(own, op)
		}
	}
	var prev *dag.Op
	if len(own) > 0 && w.rng.IntN(8) > 0 {
		prev = own[w.rng.IntN(len(own))]
	}
	parents := []*dag.Op{ops[0]}
	if prev != nil {
		parents[0] = prev
	}
	for range w.rng.IntN(4) {
		parents = append(parents, ops[w.rng.IntN(len(ops))])
	}
	// What makes the op invalid is refused by the node's graph: then nothing happened.
	_, _ = n.add(n.signAt(author, prev, dag.HeadsOf(parents), w.rng.IntN(64)))
}

// split puts each node on one side of a partition.
func (w *world) split() {
	for i := range w.side {
		w.side[i] = w.rng.IntN(2)
	}
}

// lose lets a node lose its disk, as long as others hold what it held.
func (w *world) lose() {
	i := w.rng.IntN(len(w.nodes))
	lost := w.nodes[i]
	for id := range lost.ids() {
		held := false
		for j, n := range w.nodes {
			_, ok := n.graph.Get(id)
			held = held || ok && j != i
		}
		if !held {
			return
		}
	}
	if lost.graph.Len() == 0 {
		return
	}
	// It keeps its anchors, and its peers keep theirs of it: all are wrong now. It
	// does not know what it signed last, so it must sign no more.
	n := w.mesh.newReplica(true)
	n.peers = lost.peers
	for _, peer := range w.nodes {
		peer.peers[n] = peer.peers[lost]
	}
	w.nodes[i] = n
	w.writers[i] = -1
}

// pair returns two different nodes on one side of the partition.
func (w *world) pair() (a, b *replica) {
	i, j := w.rng.IntN(len(w.nodes)), w.rng.IntN(len(w.nodes))
	if i == j || w.side[i] != w.side[j] {
		return nil, nil
	}
	return w.nodes[i], w.nodes[j]
}

// meetExactly runs a session between honest nodes and checks every promise.
func (w *world) meetExactly() {
	a, b := w.pair()
	if a == nil {
		return
	}
	w.Helper()
	union, lackA, lackB := unite(a, b)
	x := &exchange{a: a, b: b, fresh: w.rng.IntN(8) == 0, sketch: w.sketch()}
	if w.rng.IntN(4) == 0 {
		x.rng = w.rng
	}
	w.run(x)
	w.checkUnion(x, union)
	for _, c := range []struct {
		s    *Session
		sent int
	}{{x.sa, lackB}, {x.sb, lackA}} {
		mores := max(c.s.mores, c.s.wasMore)
		if st := c.s.Stats(); st.RoundTrips != 1+mores || mores > 0 && x.sketch == 0 || st.OpsSent != c.sent || st.PeerLacked != c.sent || st.Duplicates != 0 {
			w.Errorf("seed %d: session = %+v, want 1 round trip and %d, %d ops sent, no duplicates", w.seed, st, mores, c.sent)
		}
	}
	// Summaries, then ops, then fins: the ops are in after two flights.
	large := max(x.sa.Stats().OpBytesSent, x.sb.Stats().OpBytesSent) > window*TargetFrame/2
	if x.rng == nil && x.sketch == 0 && !large && (x.flights != 3 || x.settled > 2) {
		w.Errorf("seed %d: %d flights, settled after %d, want 3 and at most 2", w.seed, x.flights, x.settled)
	}
	if string(a.peers[b]) != string(b.peers[a]) {
		w.Errorf("seed %d: the two sides remember different anchors", w.seed)
	}
}

// meet runs a session between two correct nodes, perhaps a broken one.
func (w *world) meet(cut int, maxBytes int64) {
	a, b := w.pair()
	if a == nil {
		return
	}
	w.Helper()
	union, _, _ := unite(a, b)
	x := &exchange{a: a, b: b, cut: cut, maxBytes: maxBytes, sketch: w.sketch()}
	if w.rng.IntN(2) == 0 {
		x.rng = w.rng
	}
	before := a.graph.Len() + b.graph.Len()
	w.run(x)
	switch {
	case cut > 0:
	case maxBytes > 0:
		if before < 2*len(union) && a.graph.Len()+b.graph.Len() == before {
			w.Errorf("seed %d: a session cut at %d bytes made no progress", w.seed, maxBytes)
		}
	default:
		w.checkUnion(x, union)
	}
}

// sketch returns from how many authors on a session sends sketches: often never.
func (w *world) sketch() int {
	if w.rng.IntN(3) > 0 {
		return 0
	}
	return 1 + w.rng.IntN(4)
}

// run runs x, which neither side may end with an error.
func (w *world) run(x *exchange) {
	w.Helper()
	if err := x.run(); err != nil {
		w.Fatalf("seed %d: %v", w.seed, err)
	}
	if x.errA != nil || x.errB != nil {
		w.Fatalf("seed %d: session of correct nodes: %v, %v", w.seed, x.errA, x.errB)
	}
}

// checkUnion checks that a session which was not cut did what it is for.
func (w *world) checkUnion(x *exchange, union map[dag.ID]bool) {
	w.Helper()
	if !x.sa.Done() || !x.sb.Done() || !x.sa.Complete() || !x.sb.Complete() {
		w.Errorf("seed %d: session not complete: %+v, %+v", w.seed, x.sa.Stats(), x.sb.Stats())
	}
	for _, r := range []*replica{x.a, x.b} {
		if got := r.graph.Len(); got != len(union) {
			w.Errorf("seed %d: a side holds %d ops after the session, want %d", w.seed, got, len(union))
		}
	}
	rt := x.sa.Stats().RoundTrips
	large := max(x.sa.Stats().OpBytesSent, x.sb.Stats().OpBytesSent) > window*TargetFrame/2
	if rt > 3+max(x.sa.mores, x.sa.wasMore) || x.settled > 2*rt && !large || rt != x.sb.Stats().RoundTrips {
		w.Errorf("seed %d: %d round trips, %d at the other side, want at most 3 and those of sketches; settled after %d flights",
			w.seed, rt, x.sb.Stats().RoundTrips, x.settled)
	}
}

// unite returns what a and b hold together, and how much each lacks.
func unite(a, b *replica) (union map[dag.ID]bool, lackA, lackB int) {
	union = a.ids()
	for id := range b.ids() {
		union[id] = true
	}
	return union, len(union) - a.graph.Len(), len(union) - b.graph.Len()
}

// heal lets the nodes meet at random until all hold the same, and checks that
// they then have the same heads.
func (w *world) heal(meet func()) {
	w.Helper()
	all := map[dag.ID]bool{}
	for _, n := range w.nodes {
		for id := range n.ids() {
			all[id] = true
		}
	}
	for range 1000 {
		same := true
		for _, n := range w.nodes {
			same = same && n.graph.Len() == len(all)
		}
		if same || w.Failed() {
			break
		}
		meet()
	}
	want := w.nodes[0].graph.Heads()
	for _, n := range w.nodes {
		got := n.graph.Heads()
		if n.graph.Len() != len(all) || len(got) != len(want) {
			w.Fatalf("seed %d: a node holds %d ops under %d heads, want %d and %d", w.seed, n.graph.Len(), len(got), len(all), len(want))
		}
		for i := range got {
			if got[i].ID() != want[i].ID() {
				w.Fatalf("seed %d: heads differ", w.seed)
			}
		}
	}
}
