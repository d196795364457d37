package commit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// picks is a source of randomness that makes a node pick these windows, in order.
func picks(epochs ...uint32) io.Reader {
	var b []byte
	for _, e := range epochs {
		b = binary.BigEndian.AppendUint32(b, e)
	}
	return bytes.NewReader(b)
}

// openPicking is open for a node that picks those windows.
func openPicking(t *testing.T, store dag.Store, mesh dag.ID, node string, epochs ...uint32) *Pipeline {
	t.Helper()
	p, err := Open(Config{Store: store, Key: key(node), Mesh: mesh, Random: picks(epochs...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func window(p *Pipeline) int64 { return int64(p.ownWindow.Load().epoch) }

// replayed returns the revision and the authors met that p's log gives again.
func replayed(t *testing.T, p *Pipeline) (int64, map[identity.PublicKey]bool) {
	t.Helper()
	again, err := Open(Config{Store: p.store, Key: p.cfg.Key, Mesh: p.cfg.Mesh, Random: picks()})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	return again.View().Revision(), again.met
}

// TestWindowsDiffer: nodes that have not heard of each other claim different
// windows, two copies of one disk included.
func TestWindowsDiffer(t *testing.T) {
	p := founder(t)
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	seen := make(map[int64]bool)
	for range 2 {
		q := open(t, memstore.New(), p.cfg.Mesh, "second")
		deliver(t, p, q)
		<-q.ReadyCh()
		if w := window(q); w < 1 || w > dag.MaxEpoch || seen[w] {
			t.Errorf("window = %d, want another one than %v, and 1 to %d", w, seen, dag.MaxEpoch)
		}
		seen[window(q)] = true
	}
}

// TestJoinerOfAnEmptyMesh: a node that joined where there never was a key is at
// revision 1 until there is one, by whomever, and again after a restart.
func TestJoinerOfAnEmptyMesh(t *testing.T) {
	p := founder(t)
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1), enrol(t, p, "third", 2)}); err != nil {
		t.Fatal(err)
	}
	q := openPicking(t, memstore.New(), p.cfg.Mesh, "second", 9, 20)
	r := openPicking(t, memstore.New(), p.cfg.Mesh, "third", 9, 20)
	check := func(q *Pipeline, epoch, revision int64) {
		t.Helper()
		again, _ := replayed(t, q)
		if got := q.View().Revision(); got != revision || again != revision || window(q) != epoch {
			t.Errorf("revision %d of window %d, %d after a replay, want %d of %d", got, window(q), again, revision, epoch)
		}
	}
	for _, q := range []*Pipeline{q, r} {
		deliver(t, p, q)
		<-q.ReadyCh()
		check(q, 9, 1)
	}
	if _, err := q.Submit(t.Context(), &pb.LeaseGrantRequest{ID: 5, TTL: 100}); err != nil {
		t.Fatal(err)
	}
	check(q, 9, 1)
	// They have claimed the same window, and met, before there is a key.
	meet(t, q, r)
	meet(t, q, r) // when both have done with what they met
	if wq, wr := window(q), window(r); wq == wr {
		t.Errorf("both are in window %d", wq)
	}
	check(q, window(q), 1)
	check(r, window(r), 1)
	put(t, p, "k", "v")
	for _, q := range []*Pipeline{q, r} {
		meet(t, p, q)
		w := q.ownWindow.Load()
		check(q, window(q), int64(w.epoch<<windowBits|w.part<<partBits)+1)
	}
	// Who joins now begins in its window, with that key.
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "fourth", 3)}); err != nil {
		t.Fatal(err)
	}
	late := openPicking(t, memstore.New(), p.cfg.Mesh, "fourth", 30)
	deliver(t, p, late)
	<-late.ReadyCh()
	check(late, 30, 30<<windowBits+1)
}

// TestLastWindow: the revisions of the last window are positive.
func TestLastWindow(t *testing.T) {
	p := founder(t)
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	q := openPicking(t, memstore.New(), p.cfg.Mesh, "second", dag.MaxEpoch)
	deliver(t, p, q)
	<-q.ReadyCh()
	if rev := put(t, q, "k", "v"); rev>>windowBits != dag.MaxEpoch {
		t.Errorf("revision = %d, want one of window %d", rev, dag.MaxEpoch)
	}
	if rev, _ := replayed(t, q); rev != q.View().Revision() {
		t.Errorf("revision after a replay = %d, want %d", rev, q.View().Revision())
	}
}

// TestWindowClaimedTwice lets two joiners pick one window; the greater op's node moves on.
func TestWindowClaimedTwice(t *testing.T) {
	p := founder(t)
	both := [][]byte{enrol(t, p, "second", 1), enrol(t, p, "third", 2)}
	if _, err := p.Carry(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	var nodes []*Pipeline
	for i, name := range []string{"second", "third"} {
		q := openPicking(t, memstore.New(), p.cfg.Mesh, name, 9, 9, 20+uint32(i)) // 9 again: not after having met
		deliver(t, p, q)
		<-q.ReadyCh()
		nodes = append(nodes, q)
	}
	a, b := nodes[0], nodes[1]
	if window(a) != 9 || window(b) != 9 {
		t.Fatal("the joiners did not claim the same window: the test tests nothing")
	}
	for i := range 5 { // b gives more revisions than a
		put(t, b, fmt.Sprintf("b%d", i), "")
	}
	put(t, a, "a", "")
	before := []int64{a.View().Revision(), b.View().Revision()}
	meet(t, a, b)
	// The new claim travels too.
	meet(t, a, b)
	// Whatever revision was given before, by either, is none of both any more.
	for _, q := range nodes {
		for _, rev := range before {
			for _, at := range []int64{rev, rev + 1} {
				_, err := q.View().Range(t.Context(), &pb.RangeRequest{Key: []byte("a"), Revision: at})
				if !errors.Is(err, rpctypes.ErrGRPCCompacted) {
					t.Errorf("read at %d of a node at %d: %v, want compacted", at, q.View().Revision(), err)
				}
			}
		}
		if got, _ := replayed(t, q); got != q.View().Revision() {
			t.Errorf("revision after a replay = %d, want %d", got, q.View().Revision())
		}
	}
	if wa, wb := window(a), window(b); wa == wb || wa != 9 && wb != 9 {
		t.Errorf("windows = %d, %d, want one to keep 9 and the other to move on", wa, wb)
	}
	if a.View().StateHash() != b.View().StateHash() {
		t.Error("the nodes differ after meeting")
	}
}

// A liar claims the windows of others with ops that pretend not to know theirs.
type liar struct {
	name  string
	graph *dag.Graph // what it pretends to know
}

// newLiar returns one that knows what p has: its enrolment among it.
func newLiar(t *testing.T, p *Pipeline, name string) *liar {
	t.Helper()
	l := &liar{name: name, graph: dag.NewGraphOf(p.cfg.Mesh)}
	empty := open(t, memstore.New(), p.cfg.Mesh, "nobody")
	for _, s := range fetchMissing(t, p, empty) {
		if _, _, err := l.graph.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// claim returns the liar's next op: it claims victim's window, and its ID is less than
// that of victim's own claim, or is not.
func (l *liar) claim(t *testing.T, victim *Pipeline, less bool) *dag.Signed {
	t.Helper()
	var tip *dag.Op
	if tips := l.graph.Tips(key(l.name).Public()); len(tips) > 0 {
		tip = tips[0]
	}
	h, _ := l.graph.Draft(tip, 0, 0)
	h.Wall = uint64(victim.Graph().Len()) << 32 // no two branches begin alike
	h.Epoch = uint64(window(victim))
	var own dag.ID
	for _, op := range victim.Graph().Since(nil) {
		if op.Author() == victim.self && op.Epoch() == h.Epoch {
			own = op.ID()
		}
	}
	for ; ; h.Wall++ {
		s, err := dag.Sign(h, dag.Body{}, key(l.name))
		if err != nil {
			t.Fatal(err)
		}
		if id := s.ID(); id.Compare(own) < 0 == less {
			if _, _, err := l.graph.Add(s); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
}

// TestWindowRival: whoever claims window after window of a node, with lesser
// IDs or greater ones, moves it once, also if it is restarted in between.
func TestWindowRival(t *testing.T) {
	for _, less := range []bool{true, false} {
		t.Run(fmt.Sprintf("less=%v", less), func(t *testing.T) {
			p := founder(t)
			all := [][]byte{enrol(t, p, "victim", 1), enrol(t, p, "liar", 2), enrol(t, p, "liar's friend", 3), enrol(t, p, "another friend", 4)}
			if _, err := p.Carry(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			victim := openPicking(t, memstore.New(), p.cfg.Mesh, "victim", 1000, 1000, 1000, 1000, 1000) // each but the first counts from the one before
			deliver(t, p, victim)
			<-victim.ReadyCh()
			admit := func(ops ...*dag.Signed) (moved bool) {
				t.Helper()
				before := *victim.ownWindow.Load()
				if err := errors.Join(victim.Admit(t.Context(), ops)...); err != nil {
					t.Fatal(err)
				}
				settle(t, victim) // the writer has done with the batch
				return *victim.ownWindow.Load() != before
			}
			l := newLiar(t, p, "liar")
			if !admit(l.claim(t, victim, less)) {
				t.Error("the node did not move when its window was claimed")
			}
			if less && admit(l.claim(t, victim, less)) {
				t.Error("the node moved again for one author")
			}
			for range 3 {
				if fork := newLiar(t, p, "liar"); admit(fork.claim(t, victim, less)) {
					t.Error("the node moved for a fork of that author")
				}
				if rev, met := replayed(t, victim); rev != victim.View().Revision() || !met[key("liar").Public()] {
					t.Errorf("after a replay: revision %d, authors met %v; want %d and the liar", rev, met, victim.View().Revision())
				}
			}
			friends := []*dag.Signed{newLiar(t, p, "liar's friend").claim(t, victim, less), newLiar(t, p, "another friend").claim(t, victim, less)}
			if !admit(friends...) {
				t.Error("the node did not move for other authors")
			}
			if _, met := replayed(t, victim); len(met) != 3 {
				t.Errorf("authors met after a replay = %d, want 3", len(met))
			}
			if moves := map[bool]int64{true: 3000, false: 1000}; window(victim) != moves[less] {
				t.Errorf("window = %d, want %d", window(victim), moves[less])
			}
		})
	}
}

// TestNoWindowFree: a node that finds all windows claimed serves no clients; one
// that has a window stays in it.
func TestNoWindowFree(t *testing.T) {
	p := founder(t)
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1), enrol(t, p, "third", 2)}); err != nil {
		t.Fatal(err)
	}
	q := openPicking(t, memstore.New(), p.cfg.Mesh, "second", make([]uint32, pickTries)...)
	deliver(t, p, q)
	q.Admit(t.Context(), nil) // the writer has done with what it was delivered
	if q.Ready() {
		t.Error("ready without a window")
	}
	r := openPicking(t, memstore.New(), p.cfg.Mesh, "third", append([]uint32{7}, make([]uint32, pickTries)...)...)
	deliver(t, p, r)
	<-r.ReadyCh()
	if err := errors.Join(r.Admit(t.Context(), []*dag.Signed{newLiar(t, p, "second").claim(t, r, true)})...); err != nil {
		t.Fatal(err)
	}
	put(t, r, "k", "v")
	if window(r) != 7 {
		t.Errorf("window = %d, want 7 still", window(r))
	}
}
