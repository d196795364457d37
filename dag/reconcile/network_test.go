package reconcile

import (
	"cmp"
	"container/heap"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
)

var nodesFlag = flag.Int("nodes", 300, "how many nodes TestNetwork simulates")

// What TestNetwork simulates. Time is virtual: the run is a pure function of the seed.
const (
	linkLatency  = 100 * time.Millisecond // of every link, one way
	lossRate     = 0.01                   // of gossiped ops; a lost frame of a session comes two latencies later, or breaks it
	liarRate     = 0.1                    // of nodes
	degree       = 10                     // neighbours of a node, about
	quietTime    = 4 * time.Second        // during which ops are written and nothing else goes wrong
	faultTime    = 4 * time.Second        // after that, during which there are partitions and outages too
	writeTime    = quietTime + faultTime
	sessionEvery = 2 * time.Second  // between the sessions a node starts, on average
	sessionLimit = 10 * time.Second // after which a session is given up
	giveUp       = 2 * time.Minute  // the nodes must have converged by then
	honestOps    = 60
	forkerOps    = 20
	netWriters   = 16 // authors who are correct nodes
	netForkers   = 4  // authors who are liars
)

// A network is nodes that gossip what they get and meet each other.
type network struct {
	*world
	now    time.Duration
	events events
	count  int // of events so far: the order among those of one time
	nodes  []*netNode
	ops    map[dag.ID]*spread
	total  struct{ gossip, sessions, broken, failed int }
}

// spread is how far an op got.
type spread struct {
	written time.Duration
	holders int
	most    time.Duration // after it was written, when 99% of correct nodes held it
}

type netNode struct {
	*replica
	liar       bool
	side       int           // of the partition, if there is one
	down       time.Duration // until when it hears nothing
	neighbours []*netNode
	meeting    map[*netNode]bool
}

type event struct {
	at    time.Duration
	count int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), e[i].count-e[j].count) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (w *network) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, event{w.now + d, w.count, do})
}

// TestNetwork: over lossy links, with a tenth of the nodes lying in every way, all
// correct nodes come to hold the same ops. It prints how long that took.
// -nodes 1000 -seed N runs another network.
func TestNetwork(t *testing.T) {
	nodes := *nodesFlag
	if testing.Short() {
		nodes = min(nodes, 100)
	}
	seed := max(*seedFlag, 1)
	w := newNetwork(t, seed, nodes)
	w.schedule()
	for ; len(w.events) > 0 && w.now < giveUp && !w.converged(); w.step() {
	}
	if !w.converged() {
		w.fail()
	}
	var most, sum time.Duration
	quiet := 0
	for _, s := range w.ops {
		if s.written < quietTime-time.Second {
			most, sum, quiet = max(most, s.most), sum+s.most, quiet+1
		}
	}
	t.Logf("seed %d: %d nodes, %d of them liars, %d ops, links of %v and %v%% loss: at 99%% of the correct nodes after %v on average, %v at most; after partitions and outages all at all of them in %v",
		seed, nodes, nodes-w.correct(), len(w.ops), linkLatency, 100*lossRate, (sum / time.Duration(quiet)).Round(time.Millisecond), most, (w.now - writeTime).Round(time.Millisecond))
	t.Logf("%d ops gossiped; %d sessions, %d of them broken, %d for an error; each way to lie used %d times at least, %d forks",
		w.total.gossip, w.total.sessions, w.total.broken, w.total.failed, slices.Min(w.lied[:]), len(w.nodes[0].graph.Forks()))
	if nodes >= 300 && (slices.Min(w.lied[:]) == 0 || len(w.nodes[0].graph.Forks()) == 0) {
		t.Errorf("seed %d: not every lie was told: %v, %d forks", seed, w.lied, len(w.nodes[0].graph.Forks()))
	}
}

func newNetwork(t *testing.T, seed uint64, nodes int) *network {
	m := newMesh(t, netWriters+netForkers)
	w := &network{world: &world{T: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), mesh: m}, ops: map[dag.ID]*spread{}}
	for i := range nodes {
		n := &netNode{replica: m.newReplica(true), meeting: map[*netNode]bool{}}
		n.liar = i >= netWriters && w.rng.Float64() < liarRate
		w.nodes = append(w.nodes, n)
	}
	for i, n := range w.nodes {
		for range degree / 2 {
			if peer := w.nodes[w.rng.IntN(nodes)]; peer != n && !slices.Contains(n.neighbours, peer) {
				n.neighbours, peer.neighbours = append(n.neighbours, peer), append(peer.neighbours, n)
			}
		}
		// A ring of the correct nodes: they must be connected without the liars.
		for j := 1; j < nodes && !n.liar; j++ {
			if peer := w.nodes[(i+j)%nodes]; !peer.liar {
				if peer != n && !slices.Contains(n.neighbours, peer) {
					n.neighbours, peer.neighbours = append(n.neighbours, peer), append(peer.neighbours, n)
				}
				break
			}
		}
	}
	return w
}

// schedule plans all that happens by itself: writes, forks and meetings.
func (w *network) schedule() {
	for range honestOps {
		author := w.rng.IntN(netWriters)
		w.after(w.within(writeTime), func() {
			n := w.nodes[author]
			op := n.write(author, w.rng.IntN(200))
			w.wrote(n, op)
		})
	}
	w.after(quietTime, w.partition)
	w.after(writeTime, func() { // all is well again
		for _, n := range w.nodes {
			n.side, n.down = 0, 0
		}
	})
	var liars []*netNode
	for _, n := range w.nodes {
		w.after(quietTime+w.within(faultTime), func() {
			if w.rng.IntN(4) == 0 {
				n.down = min(w.now+w.within(2*time.Second), writeTime)
			}
		})
		if n.liar {
			liars = append(liars, n)
		}
		var meet func()
		meet = func() {
			w.meet(n, n.neighbours[w.rng.IntN(len(n.neighbours))])
			w.after(w.within(2*sessionEvery), meet)
		}
		w.after(w.within(2*sessionEvery), meet)
	}
	for range forkerOps {
		if len(liars) == 0 {
			break
		}
		author, n := netWriters+w.rng.IntN(netForkers), liars[w.rng.IntN(len(liars))]
		w.after(w.within(writeTime), func() { w.forkAt(n, author) })
	}
}

// partition parts the nodes in two, and again as long as there are faults.
func (w *network) partition() {
	if w.now >= writeTime {
		return
	}
	for _, n := range w.nodes {
		n.side = w.rng.IntN(2)
	}
	w.after(faultTime/3, w.partition)
}

// linked reports whether anything gets from a to b now.
func (w *network) linked(a, b *netNode) bool {
	return a.side == b.side && a.down <= w.now && b.down <= w.now
}

// forkAt has a liar sign two ops in one place and give them to different neighbours.
func (w *network) forkAt(n *netNode, author int) {
	var prev *dag.Op
	parents := []*dag.Op{n.graph.Founding()}
	if tips := n.graph.Tips(w.mesh.keys[author].Public()); len(tips) > 0 {
		prev = tips[w.rng.IntN(len(tips))]
		parents[0] = prev
	}
	for side := range 2 {
		s := n.signAt(author, prev, parents, 200+2*len(w.ops)+side)
		for i, peer := range n.neighbours {
			if i%2 == side {
				w.send(n, peer, s)
			}
		}
	}
}

func (w *network) within(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// wrote gossips an op that n wrote.
func (w *network) wrote(n *netNode, op *dag.Op) {
	e := n.blobs[op.ID()]
	u, err := dag.Decode(e.block, e.body)
	if err != nil {
		w.Fatal(err)
	}
	w.held(n, op.ID())
	w.forward(n, nil, dag.AssumeVerified(u))
}

// held counts that a correct node holds an op now.
func (w *network) held(n *netNode, id dag.ID) {
	if n.liar {
		return
	}
	s := w.ops[id]
	if s == nil {
		s = &spread{written: w.now}
		w.ops[id] = s
	}
	if s.holders++; s.holders*100 >= w.correct()*99 && s.most == 0 {
		s.most = w.now - s.written
	}
}

// correct returns how many nodes are no liars.
func (w *network) correct() (correct int) {
	for _, n := range w.nodes {
		if !n.liar {
			correct++
		}
	}
	return correct
}

func (w *network) forward(n, from *netNode, s *dag.Signed) {
	for _, peer := range n.neighbours {
		if peer != from {
			w.send(n, peer, s)
		}
	}
}

// send gossips an op over one link. Liars keep what they get to themselves.
func (w *network) send(from, to *netNode, s *dag.Signed) {
	if w.rng.Float64() < lossRate {
		return
	}
	w.total.gossip++
	w.after(linkLatency, func() {
		if _, ok := to.graph.Get(s.ID()); ok || !w.linked(from, to) {
			return
		}
		_, err := to.add(s)
		var missing *dag.MissingError
		switch {
		case errors.As(err, &missing):
			w.meet(to, from)
		case err != nil:
			w.Errorf("seed %d: gossip: %v", w.seed, err)
		default:
			w.held(to, s.ID())
			if !to.liar {
				w.forward(to, from, s)
			}
		}
	})
}

func (w *network) step() {
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	e.do()
}

// converged reports whether all correct nodes hold all the ops, once no more are written.
func (w *network) converged() bool {
	if w.now < writeTime+linkLatency {
		return false
	}
	for _, s := range w.ops {
		if s.holders < w.correct() {
			return false
		}
	}
	return true
}

func (w *network) fail() {
	behind := 0
	for _, n := range w.nodes {
		if !n.liar && n.graph.Len() < 1+len(w.ops) {
			behind++
		}
	}
	w.Errorf("seed %d: after %v %d of %d correct nodes lack ops", w.seed, w.now, behind, w.correct())
}
