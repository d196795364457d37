package virtual

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A site is a node: its log, which outlives its process, and while it runs its
// pipeline and its network.
type site struct {
	t     *testing.T
	mesh  *dagtest.Mesh
	wire  *wire
	watch *watch
	at    int // its number
	peers []int
	lie   lie // nil for a correct node

	store    *memstore.Store
	pipeline *commit.Pipeline
	network  *p2p.Network
	end      func() error
}

// open starts the node.
func (s *site) open() {
	key := s.mesh.Node(1 + s.at)
	var err error
	if s.pipeline, err = commit.Open(commit.Config{Store: s.store, Key: key, Mesh: s.mesh.Founding.ID(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		s.t.Fatal(err)
	}
	if s.pipeline.Graph().Len() == 0 {
		if err := errors.Join(s.pipeline.Admit(s.t.Context(), s.mesh.Enrolled)...); err != nil {
			s.t.Fatal(err)
		}
	}
	var peers []string
	for _, i := range s.peers {
		id, err := p2p.PeerID(s.mesh.Author(1 + i))
		if err != nil {
			s.t.Fatal(err)
		}
		peers = append(peers, multiaddr(i)+"/p2p/"+id.String())
	}
	var backend p2p.Backend = watched{s.pipeline, s}
	if s.lie != nil {
		backend = s.lie(backend, key)
	}
	var opts []libp2p.Option
	opts, s.end = s.wire.options(s.at)
	s.network, err = p2p.Open(s.t.Context(), p2p.Config{
		Key: key, Mesh: s.mesh.Founding.ID(), Backend: backend, Meta: s.store,
		Listen: []string{multiaddr(s.at)}, Peers: peers, HostOptions: opts, NoPeerExchange: true, // a degree of its own
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// close stops the node, if it runs.
func (s *site) close() {
	if s.network == nil {
		return
	}
	if err := errors.Join(s.network.Close(), s.end(), s.pipeline.Close()); err != nil {
		s.t.Errorf("node %d: %v", s.at, err)
	}
	s.network, s.pipeline = nil, nil
}

// put has the node write, as a client of it would.
func (s *site) put(key, value string) {
	_, err := s.pipeline.Submit(s.t.Context(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil && s.lie == nil { // a forker that is sent what it signed stops
		s.t.Errorf("node %d: put: %v", s.at, err)
	}
}

// state tells nodes apart that hold different ops, or make something else of them.
func (s *site) state() string {
	heads := ""
	for _, op := range s.pipeline.Graph().Heads() {
		heads += op.ID().String()
	}
	return fmt.Sprintf("%x %s", s.pipeline.View().StateHash(), heads)
}

// watched tells when a node holds an op.
type watched struct {
	*commit.Pipeline
	site *site
}

// Admit implements p2p.Backend.
func (w watched) Admit(ctx context.Context, ops []*dag.Signed) []error {
	errs := w.Pipeline.Admit(ctx, ops)
	for i, err := range errs {
		if err == nil {
			w.site.watch.held(w.site, ops[i].ID())
		}
	}
	return errs
}

// OnOp implements p2p.Backend.
func (w watched) OnOp(fn func(op *dag.Op, block, body []byte)) {
	w.Pipeline.OnOp(func(op *dag.Op, block, body []byte) {
		w.site.watch.wrote(w.site, op.ID())
		fn(op, block, body)
	})
}

// A watch is how far each op got, by virtual time.
type watch struct {
	mu      sync.Mutex
	correct int // nodes
	ops     map[dag.ID]*spread
}

// spread is how far an op of a correct node got.
type spread struct {
	written time.Time
	holders int
	most    time.Duration // after it was written, when 99% of the correct nodes held it
}

func (w *watch) wrote(s *site, id dag.ID) {
	if s.lie != nil {
		return
	}
	w.mu.Lock()
	w.ops[id] = &spread{written: time.Now(), holders: 1}
	w.mu.Unlock()
}

func (w *watch) held(s *site, id dag.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.ops[id]
	if s.lie != nil || op == nil {
		return
	}
	if op.holders++; op.holders*100 >= w.correct*99 && op.most == 0 {
		op.most = time.Since(op.written)
	}
}

// since returns how long ops written from then on took to 99% of the nodes, and
// how many have not got there.
func (w *watch) since(then time.Time) (mean, most time.Duration, ops, missing int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range w.ops {
		switch {
		case op.written.Before(then):
		case op.most == 0:
			missing++
		default:
			mean, most, ops = mean+op.most, max(most, op.most), ops+1
		}
	}
	return mean / time.Duration(max(1, ops)), most, ops, missing
}
