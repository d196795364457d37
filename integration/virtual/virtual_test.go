package virtual

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
)

var (
	nodesFlag = flag.Int("nodes", 10, "how many nodes")
	seedFlag  = flag.Uint64("seed", 0, "what decides the run; 0 for one run with each kind of liar")
)

// What happens in a run.
const (
	degree    = 6 // neighbours that a node connects to or is connected to by, about
	liarShare = 10
	quietPuts = 20 // while nothing fails
	faultPuts = 40 // while there are partitions and nodes come and go
	putEvery  = 500 * time.Millisecond
	faultTime = faultPuts * putEvery
	partTime  = faultTime / 4 // of a partition
	settle    = 20 * time.Second
	giveUp    = 5 * time.Minute
)

// TestMesh: nodes over lossy links, of whom one in ten lies, come to the same
// state, also after partitions and with nodes that stop and start.
func TestMesh(t *testing.T) {
	first, last := *seedFlag, *seedFlag
	if first == 0 {
		first, last = 1, uint64(len(lies))
	}
	mesh := dagtest.New(t, 1+*nodesFlag) // author 0 founds it, and is not there
	for seed := first; seed <= last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRun(t, mesh, *nodesFlag, seed)
			defer r.close()
			r.do()
		})
	}
}

// A run is one mesh from its start to its end.
type run struct {
	*testing.T
	seed  uint64
	rng   *rand.Rand
	wire  *wire
	watch *watch
	sites []*site
}

func newRun(t *testing.T, mesh *dagtest.Mesh, nodes int, seed uint64) *run {
	r := &run{
		T: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 4)), wire: newWire(seed),
		watch: &watch{ops: make(map[dag.ID]*spread)},
	}
	for i := range nodes {
		s := &site{t: t, mesh: mesh, wire: r.wire, watch: r.watch, at: i, store: memstore.New()}
		if i%liarShare == liarShare-1 {
			s.lie = lies[(i/liarShare+int(seed))%len(lies)]
		} else {
			r.watch.correct++
		}
		r.sites = append(r.sites, s)
	}
	for i, s := range r.sites {
		for range degree / 2 {
			if peer := r.rng.IntN(nodes); peer != i && !slices.Contains(s.peers, peer) {
				s.peers = append(s.peers, peer)
			}
		}
		// A ring of the correct nodes: they must be connected without the liars.
		for j := i + 1; j < i+nodes && s.lie == nil; j++ {
			if peer := r.sites[j%nodes]; peer.lie == nil {
				if !slices.Contains(s.peers, peer.at) && peer != s {
					s.peers = append(s.peers, peer.at)
				}
				break
			}
		}
	}
	for _, s := range r.sites {
		s.open()
	}
	return r
}

func (r *run) close() {
	for _, s := range r.sites {
		s.close()
		if err := s.store.Close(); err != nil {
			r.Error(err)
		}
	}
	r.wire.net.Close()
}

func (r *run) do() {
	began := time.Now()
	r.converge("started")
	r.Logf("seed %d: %d nodes, %d of them liars, links of %v and %v%% loss: connected and equal after %v",
		r.seed, len(r.sites), len(r.sites)-r.watch.correct, latency, 100*lossRate, time.Since(began).Round(time.Millisecond))
	time.Sleep(settle)

	quiet := time.Now()
	for range quietPuts {
		r.write()
		time.Sleep(putEvery)
	}
	time.Sleep(2 * time.Second)
	mean, most, ops, missing := r.watch.since(quiet)
	r.Logf("an operation at 99%% of the correct nodes after %v on average, %v at most (%d; %d not yet)",
		mean.Round(time.Millisecond), most.Round(time.Millisecond), ops, missing)
	r.converge("wrote")

	r.fail()
	healed := time.Now()
	r.converge("failed and healed")
	correct := r.sites[0].pipeline.Graph()
	r.Logf("after %v of partitions and of nodes that stop and start, all equal in %v: %d operations, %d forks",
		faultTime, time.Since(healed).Round(time.Millisecond), correct.Len(), len(correct.Forks()))
}

// write has a random node write, if it runs.
func (r *run) write() {
	s := r.sites[r.rng.IntN(len(r.sites))]
	key, value := fmt.Sprintf("k%d", r.rng.IntN(8)), fmt.Sprintf("%d of %d", r.rng.Uint64(), s.at)
	if s.network != nil && s.pipeline.Ready() {
		s.put(key, value)
	}
}

// fail parts the mesh in two again and again and stops and starts nodes, while
// others write. At the end all run and are connected.
func (r *run) fail() {
	for began, i := time.Now(), 0; time.Since(began) < faultTime; i++ {
		if i%int(partTime/putEvery) == 0 {
			r.wire.part(func(int) int { return r.rng.IntN(2) }, len(r.sites))
		}
		if s := r.sites[r.rng.IntN(len(r.sites))]; r.rng.IntN(4) == 0 {
			if s.network != nil {
				s.close()
			} else {
				s.open()
			}
		}
		r.write()
		time.Sleep(putEvery)
	}
	r.wire.part(func(int) int { return 0 }, len(r.sites))
	for _, s := range r.sites {
		if s.network == nil {
			s.open()
		}
	}
}

// converge waits until all correct nodes are in one state.
func (r *run) converge(after string) {
	r.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		states := make(map[string]int)
		for _, s := range r.sites {
			if s.lie == nil {
				states[s.state()]++
			}
		}
		if len(states) == 1 && r.ready() {
			return
		}
		if time.Since(began) > giveUp {
			r.Fatalf("seed %d: %v after they %s the correct nodes are in %d states", r.seed, giveUp, after, len(states))
		}
	}
}

// ready reports whether clients of all correct nodes are served.
func (r *run) ready() bool {
	return !slices.ContainsFunc(r.sites, func(s *site) bool { return s.lie == nil && !s.pipeline.Ready() })
}
