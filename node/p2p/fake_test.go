package p2p

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeBackend is a commit pipeline in memory: a graph, the ops it holds, and
// one writer at a time.
type fakeBackend struct {
	key   *identity.PrivateKey
	graph *dag.Graph

	mu  sync.Mutex
	ops map[dag.ID]*dag.Signed
	tip *dag.Op
	fn  func(op *dag.Op, block, body []byte)

	considered int // statements
}

func newFakeBackend(mesh dag.ID, key *identity.PrivateKey, ops ...*dag.Signed) *fakeBackend {
	b := &fakeBackend{key: key, graph: dag.NewGraphOf(mesh), ops: make(map[dag.ID]*dag.Signed)}
	for _, err := range b.Admit(context.Background(), ops) {
		if err != nil {
			panic(err)
		}
	}
	return b
}

func (b *fakeBackend) Admit(_ context.Context, ops []*dag.Signed) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	errs := make([]error, len(ops))
	for i, s := range ops {
		errs[i] = b.add(s)
	}
	return errs
}

func (b *fakeBackend) add(s *dag.Signed) error {
	// The op can be fetched as soon as the graph shows it.
	_, known := b.ops[s.ID()]
	b.ops[s.ID()] = s
	op, _, err := b.graph.Add(s)
	if err != nil && !known {
		delete(b.ops, s.ID())
	}
	if err == nil && op.Author() == b.key.Public() {
		b.tip = op
	}
	return err
}

func (b *fakeBackend) Carry(_ context.Context, statements [][]byte) (dag.ID, error) {
	return b.seal(dag.Body{Statements: statements}, 0)
}

// Consider carries all at once.
func (b *fakeBackend) Consider(_ context.Context, statements []*identity.Statement) ([]identity.StatementID, error) {
	var body dag.Body
	var ids []identity.StatementID
	for _, s := range statements {
		ids = append(ids, s.ID())
		body.Statements = append(body.Statements, s.Encoded())
	}
	b.mu.Lock()
	b.considered += len(ids)
	b.mu.Unlock()
	_, err := b.seal(body, 0)
	return ids, err
}

// put seals one op that puts a value.
func (b *fakeBackend) put(key, value string) (dag.ID, error) {
	t := dag.Transaction{dagtest.Put(key, value)}
	return b.seal(dag.Body{Transactions: [][]byte{t.Append(nil)}}, 1)
}

func (b *fakeBackend) seal(body dag.Body, writes int) (dag.ID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	prev := b.tip
	if before := b.graph.Prevs(b.key.Public()); prev == nil && len(before) > 0 {
		prev = before[0] // the key was rotated to
	}
	h, _ := b.graph.Draft(prev, len(body.Encode()), writes)
	s, err := dag.Sign(h, body, b.key)
	if err != nil {
		return dag.ID{}, err
	}
	if err := b.add(s); err != nil {
		return dag.ID{}, err
	}
	if b.fn != nil {
		b.fn(b.tip, s.Block(), s.Body())
	}
	return s.ID(), nil
}

func (b *fakeBackend) Fetch(id dag.ID) (block, body []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.ops[id]
	if !ok {
		return nil, nil, dag.ErrNotFound
	}
	return s.Block(), s.Body(), nil
}

func (b *fakeBackend) Graph() *dag.Graph { return b.graph }

func (b *fakeBackend) OnOp(fn func(op *dag.Op, block, body []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fn = fn
}

// logBuffer collects a node's log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.b.Bytes()) {
		if !slices.ContainsFunc(parts, func(s string) bool { return !bytes.Contains(line, []byte(s)) }) {
			return true
		}
	}
	return false
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a node of a test.
type site struct {
	*Network
	backend *fakeBackend
	store   *memstore.Store
	log     *logBuffer
	metrics *prometheus.Registry
}

// fast are intervals for tests.
var fast = Timing{
	SyncActive: 150 * time.Millisecond, SyncIdle: time.Second, Announce: 50 * time.Millisecond, Settle: 20 * time.Millisecond,
	Stall: 2 * time.Second, LaneMin: 100 * time.Millisecond, DialMin: 50 * time.Millisecond, DialMax: time.Second, BanMin: time.Minute,
}

type siteConfig struct {
	mesh   dag.ID
	key    *identity.PrivateKey
	ops    []*dag.Signed
	store  *memstore.Store
	peers  []string
	timing Timing
	listen []string
	wrap   func(*fakeBackend) Backend // what stands before the backend; nil for nothing
	edit   func(*Config)              // nil for nothing
}

func openSite(t *testing.T, c siteConfig) *site {
	t.Helper()
	if c.store == nil {
		c.store = memstore.New()
	}
	if c.timing == (Timing{}) {
		c.timing = fast
	}
	s := &site{backend: newFakeBackend(c.mesh, c.key, c.ops...), store: c.store, log: new(logBuffer), metrics: prometheus.NewRegistry()}
	cfg := Config{
		Key: c.key, Mesh: c.mesh, Backend: s.backend, Meta: c.store, Peers: c.peers, Timing: c.timing, Listen: c.listen,
		NoPeerExchange: true, // else all sites connect with all
		Logger:         slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: s.metrics,
	}
	if c.wrap != nil {
		cfg.Backend = c.wrap(s.backend)
	}
	if c.edit != nil {
		c.edit(&cfg)
	}
	var err error
	s.Network, err = Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", s.ID(), s.log)
		}
	})
	return s
}

// members opens a site for each of the first n authors of the mesh, all
// holding the founding, each connecting to those before it.
func members(t *testing.T, m *dagtest.Mesh, n int, timing Timing) []*site {
	t.Helper()
	var sites []*site
	for i := range n {
		var peers []string
		for _, s := range sites {
			peers = append(peers, s.Addrs()...)
		}
		sites = append(sites, openSite(t, siteConfig{
			mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled, peers: peers, timing: timing,
		}))
	}
	return sites
}

func (s *site) put(t *testing.T, key, value string) dag.ID {
	t.Helper()
	id, err := s.backend.put(key, value)
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return id
}

func (s *site) holds(id dag.ID) bool {
	_, ok := s.backend.graph.Get(id)
	return ok
}

func (s *site) heads() string {
	var ids []string
	for _, op := range s.backend.graph.Heads() {
		ids = append(ids, op.ID().String())
	}
	return fmt.Sprint(ids)
}

// misbehaved returns how often the site counted that reason, of any peer.
func (s *site) misbehaved(t *testing.T, reason string) float64 {
	t.Helper()
	return s.count(t, "causeway_p2p_misbehaviour_total", reason)
}

// count returns the sum of a metric's counters of which some label has that value.
func (s *site) count(t *testing.T, name, value string) (n float64) {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				if l.GetValue() == value {
					n += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// eventually waits until ok, for at most fifteen seconds, and returns how long
// that took.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > 15*time.Second {
			t.Fatalf("not within %v: %s", time.Since(start).Round(time.Millisecond), what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

func equalHeads(sites ...*site) func() bool {
	return func() bool {
		for _, s := range sites[1:] {
			if s.heads() != sites[0].heads() {
				return false
			}
		}
		return true
	}
}
