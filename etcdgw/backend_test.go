package etcdgw

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// memory is a backend without storage: one goroutine evaluates what waits, then
// publishes, then answers, as a node does after its sync.
type memory struct {
	view     *mvcc.View
	waiting  chan submission
	notReady atomic.Bool
	spaceLow atomic.Bool
	hold     atomic.Pointer[chan struct{}] // if set, writes wait until it is closed
	held     atomic.Int64                  // how many times that was so
	index    atomic.Uint64
	auth     mvcc.Authorizer
	open     []*mvcc.Change // not yet sealed; the writer's
	calls    chan func()    // to be run by the writer
	stop     chan struct{}
	wg       sync.WaitGroup
}

type submission struct {
	req   proto.Message
	reply chan reply
}

type reply struct {
	resp proto.Message
	err  error
}

const expiryInterval = 50 * time.Millisecond

func newMemory(t testing.TB, cfg mvcc.Config) *memory {
	m := &memory{
		view:    mvcc.New(cfg),
		waiting: make(chan submission, 1024),
		calls:   make(chan func()),
		stop:    make(chan struct{}),
	}
	m.wg.Go(m.run)
	t.Cleanup(func() {
		close(m.stop)
		m.wg.Wait()
	})
	return m
}

func (m *memory) run() {
	expiry := time.NewTicker(expiryInterval)
	defer expiry.Stop()
	for {
		var batch []submission
		var replies []reply
		evaluate := func(req proto.Message) reply {
			resp, change, err := m.view.Evaluate(req, m.auth, time.Now())
			if change != nil {
				m.index.Add(1)
				if change.Number != 0 {
					m.open = append(m.open, change)
				}
			}
			return reply{resp, err}
		}
		select {
		case s := <-m.waiting:
			if hold := m.hold.Load(); hold != nil {
				m.held.Add(1)
				<-*hold
			}
			batch = append(batch, s)
			for len(m.waiting) > 0 {
				batch = append(batch, <-m.waiting)
			}
			for _, s := range batch {
				replies = append(replies, evaluate(s.req))
			}
		case <-expiry.C:
			for _, id := range m.view.Expired(time.Now()) {
				evaluate(mvcc.Expire(id))
			}
		case f := <-m.calls:
			f()
		case <-m.stop:
			return
		}
		m.view.Publish()
		for i, s := range batch {
			s.reply <- replies[i]
		}
	}
}

func (m *memory) Submit(ctx context.Context, req proto.Message) (proto.Message, error) {
	s := submission{req, make(chan reply, 1)}
	select {
	case m.waiting <- s:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-s.reply:
		return r.resp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.stop:
		return nil, rpctypes.ErrGRPCStopped
	}
}

// write runs f in the writer's goroutine and publishes what it did.
func (m *memory) write(f func()) {
	done := make(chan struct{})
	m.calls <- func() { f() }
	m.calls <- func() { close(done) } // f's changes are published by then
	<-done
}

func (m *memory) View() *mvcc.View  { return m.view }
func (m *memory) Ready() bool       { return !m.notReady.Load() }
func (m *memory) LogSpaceLow() bool { return m.spaceLow.Load() }
func (m *memory) Status() Status {
	bytes := m.view.Stats().Bytes
	return Status{Size: bytes + 4096, SizeInUse: bytes, Quota: 1 << 30, Index: m.index.Load()}
}

// testConfig is a server's configuration on a free port of the loopback.
func testConfig() Config {
	return Config{ClientURLs: []string{"http://127.0.0.1:0"}, ClusterID: 0xc1, MemberID: 0xa1, Name: "site-a"}
}

// serve runs a server until the test ends.
func serve(t testing.TB, cfg Config, b Backend) *Server {
	t.Helper()
	s, err := Listen(context.Background(), cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown = %v, want nil", err)
		}
		if err := <-done; err != ErrClosed {
			t.Errorf("Serve = %v, want %v", err, ErrClosed)
		}
	})
	return s
}

// address is the host and port of the server's first URL.
func address(s *Server) string { return s.sniffers[0].listener.Addr().String() }

// dial connects to the server until the test ends.
func dial(t testing.TB, s *Server, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	if len(opts) == 0 {
		opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	opts = append(opts, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	conn, err := grpc.NewClient(address(s), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// site is a server over a backend in memory, and a client of it.
type site struct {
	*memory
	server *Server
	conn   *grpc.ClientConn
	kv     pb.KVClient
	lease  pb.LeaseClient
	watch  pb.WatchClient
}

func newSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	cfg := testConfig()
	for _, c := range change {
		c(&cfg)
	}
	m := newMemory(t, mvcc.Config{})
	s := serve(t, cfg, m)
	conn := dial(t, s)
	return &site{m, s, conn, pb.NewKVClient(conn), pb.NewLeaseClient(conn), pb.NewWatchClient(conn)}
}

// put puts a value and returns the revision.
func (s *site) put(t testing.TB, key, value string) int64 {
	t.Helper()
	resp, err := s.kv.Put(testContext(t), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil {
		t.Fatalf("Put(%q) = %v", key, err)
	}
	return resp.Header.Revision
}

// testContext ends with the test, or after ten seconds.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
