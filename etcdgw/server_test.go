package etcdgw

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

func TestListenBindsAllOrNothing(t *testing.T) {
	m := newMemory(t, mvcc.Config{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	cfg := testConfig()
	cfg.ClientURLs = []string{"http://" + free.Addr().String(), "http://" + taken.Addr().String()}
	if _, err := Listen(context.Background(), cfg, m); !errors.Is(err, ErrAddressInUse) {
		t.Fatalf("Listen = %v, want %v", err, ErrAddressInUse)
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("the free port stayed bound: %v", err)
	}
	again.Close()
	if _, err := Listen(context.Background(), Config{}, m); !errors.Is(err, ErrConfig) {
		t.Errorf("Listen without configuration = %v, want %v", err, ErrConfig)
	}
}

// TestShutdownBeforeServe checks that a server which was never served gives up
// its port.
func TestShutdownBeforeServe(t *testing.T) {
	s, err := Listen(context.Background(), testConfig(), newMemory(t, mvcc.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown = %v, want nil", err)
	}
	again, err := net.Listen("tcp", address(s))
	if err != nil {
		t.Fatalf("the port stayed bound: %v", err)
	}
	again.Close()
}

func TestServeOnSocket(t *testing.T) {
	cfg := testConfig()
	path := filepath.Join(t.TempDir(), "s")
	cfg.ClientURLs = append(cfg.ClientURLs, "unix://"+path)
	serve(t, cfg, newMemory(t, mvcc.Config{}))
	conn, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := pb.NewKVClient(conn).Put(testContext(t), &pb.PutRequest{Key: []byte("a")}); err != nil {
		t.Errorf("Put through a socket = %v, want nil", err)
	}
}

// TestShutdownEndsStreams checks that watches and renewals end with Unavailable,
// and that a write in progress is finished and answered.
func TestShutdownEndsStreams(t *testing.T) {
	m := newMemory(t, mvcc.Config{})
	s, err := Listen(context.Background(), testConfig(), m)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	conn := dial(t, s)
	ctx := testContext(t)
	watch, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("a")}}})
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	alive, err := pb.NewLeaseClient(conn).LeaseKeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alive.Send(&pb.LeaseKeepAliveRequest{ID: 1})
	if _, err := alive.Recv(); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	m.hold.Store(&hold)
	written := make(chan error, 1)
	go func() {
		_, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("b")})
		written <- err
	}()
	for len(m.waiting) > 0 || s.metrics.count(t, "grpc_server_started_total", "Put") == 0 {
		time.Sleep(time.Millisecond)
	}
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	_, err = watch.Recv()
	if got := status.Convert(err); got.Code() != codes.Unavailable || got.Message() != "etcdserver: server stopped" {
		t.Errorf("watch ended with %v, want Unavailable, server stopped", err)
	}
	if _, err = alive.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("renewals ended with %v, want Unavailable", err)
	}
	close(hold)
	if err := <-written; err != nil {
		t.Errorf("write in progress = %v, want nil", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown = %v, want nil", err)
	}
	if err := <-served; err != ErrClosed {
		t.Errorf("Serve = %v, want %v", err, ErrClosed)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("second Shutdown = %v, want nil", err)
	}
}

// TestShutdownBound checks that a write that does not end is cancelled when
// Shutdown's time is over.
func TestShutdownBound(t *testing.T) {
	m := newMemory(t, mvcc.Config{})
	hold := make(chan struct{})
	m.hold.Store(&hold)
	defer close(hold)
	s, err := Listen(context.Background(), testConfig(), m)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	conn := dial(t, s)
	written := make(chan error, 1)
	go func() {
		_, err := pb.NewKVClient(conn).Put(context.Background(), &pb.PutRequest{Key: []byte("b")})
		written <- err
	}()
	for s.metrics.count(t, "grpc_server_started_total", "Put") == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
	if err := <-written; err == nil {
		t.Error("the write that was cancelled = nil, want an error")
	}
	<-served
}

// TestServeFails checks that the failure of one listener ends Serve.
func TestServeFails(t *testing.T) {
	cfg := testConfig()
	cfg.MetricsURLs = []string{"http://127.0.0.1:0"}
	s, err := Listen(context.Background(), cfg, newMemory(t, mvcc.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	s.extra[0].Close()
	if err := s.Serve(); err == nil || err == ErrClosed {
		t.Errorf("Serve with a broken listener = %v, want its error", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown = %v, want nil", err)
	}
}

// TestSilentConnections checks that connections that say nothing, or not enough
// to tell what they speak, neither block others nor outlive the server.
func TestSilentConnections(t *testing.T) {
	s := newSite(t)
	for _, said := range []string{"", "PR", "\x16\x03\x01"} {
		conn, err := net.Dial("tcp", address(s.server))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
	}
	s.put(t, "a", "1")
}

func TestStatus(t *testing.T) {
	s := newSite(t)
	s.put(t, "a", "12345")
	m := pb.NewMaintenanceClient(s.conn)
	ctx := testContext(t)
	st, err := m.Status(ctx, &pb.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if st.Version != DefaultVersion || !strings.HasPrefix(st.Version, "3.6.") || st.StorageVersion != "3.6.0" ||
		st.DbSize != 4096+6 || st.DbSizeInUse != 6 || st.Leader != st.Header.MemberId || st.RaftIndex != 1 ||
		st.RaftTerm != raftTerm || st.Header.Revision != 2 || st.IsLearner || len(st.Errors) != 0 {
		t.Errorf("Status = %v", st)
	}
	members, err := pb.NewClusterClient(s.conn).MemberList(ctx, &pb.MemberListRequest{})
	if err != nil || len(members.Members) != 1 || members.Members[0].Name != "site-a" || members.Members[0].ID != 0xa1 ||
		members.Members[0].ClientURLs[0] != s.server.URLs()[0] {
		t.Errorf("MemberList = %v, %v", members, err)
	}
	alarms, err := m.Alarm(ctx, &pb.AlarmRequest{})
	if err != nil || len(alarms.Alarms) != 0 {
		t.Errorf("Alarm = %v, %v, want none", alarms, err)
	}
	if _, err := m.Defragment(ctx, &pb.DefragmentRequest{}); err != nil {
		t.Errorf("Defragment = %v, want nil", err)
	}
	if _, err := m.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: 0xa1}); err != nil {
		t.Errorf("MoveLeader to itself = %v, want nil", err)
	}
}

func TestHashKV(t *testing.T) {
	s := newSite(t)
	m := pb.NewMaintenanceClient(s.conn)
	hash := func(rev int64) *pb.HashKVResponse {
		t.Helper()
		resp, err := m.HashKV(testContext(t), &pb.HashKVRequest{Revision: rev})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if empty := hash(0); empty.Hash != 1084519789 || empty.CompactRevision != -1 {
		t.Errorf("HashKV of nothing = %v, want the hash and the compact revision -1 of an etcd", empty)
	}
	rev := s.put(t, "a", "1")
	before := hash(0)
	s.put(t, "a", "2")
	after, past := hash(0), hash(rev)
	if before.Hash == after.Hash || before.Hash != past.Hash || past.HashRevision != rev || after.HashRevision != rev+1 || past.Header.Revision != rev+1 {
		t.Errorf("HashKV before %v, after %v, at the revision before %v", before, after, past)
	}
	whole, err := m.Hash(testContext(t), &pb.HashRequest{})
	if err != nil || whole.Hash != after.Hash {
		t.Errorf("Hash = %v, %v, want %d", whole, err, after.Hash)
	}
}

func TestHealthService(t *testing.T) {
	s := newSite(t)
	h := healthpb.NewHealthClient(s.conn)
	for notReady, want := range map[bool]healthpb.HealthCheckResponse_ServingStatus{
		false: healthpb.HealthCheckResponse_SERVING, true: healthpb.HealthCheckResponse_NOT_SERVING,
	} {
		s.notReady.Store(notReady)
		if got, err := h.Check(testContext(t), &healthpb.HealthCheckRequest{}); err != nil || got.Status != want {
			t.Errorf("Check while not ready is %v = %v, %v, want %v", notReady, got, err, want)
		}
	}
	s.notReady.Store(true)
	w, err := h.Watch(testContext(t), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
		if got, err := w.Recv(); err != nil || got.Status != want {
			t.Errorf("Watch received %v, %v, want %v", got, err, want)
		}
		s.notReady.Store(false)
	}
}

// TestClientAPIVersion checks that clients cannot make up metric labels.
func TestClientAPIVersion(t *testing.T) {
	s := newSite(t)
	for _, version := range []string{"3.6", "3.99", "x", ""} {
		ctx := metadata.AppendToOutgoingContext(testContext(t), "client-api-version", version, "hasleader", "true")
		if _, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")}); err != nil {
			t.Errorf("Range by a client of version %q = %v, want nil", version, err)
		}
	}
	want := map[string]float64{"3.6": 1, "other": 3}
	for version, n := range want {
		if got := s.server.metrics.count(t, "etcd_server_client_requests_total", version); got != n {
			t.Errorf("%v requests of version %s, want %v", got, version, n)
		}
	}
}

// count sums the samples of a metric that have a label of the value.
func (m *metrics) count(t testing.TB, name, label string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, sample := range f.Metric {
			for _, l := range sample.Label {
				if l.GetValue() == label {
					sum += sample.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// TestMaxConcurrentStreams checks that a connection has as many streams as is
// allowed, and that further ones wait.
func TestMaxConcurrentStreams(t *testing.T) {
	s := newSite(t, func(c *Config) { c.MaxConcurrentStreams = 2 })
	for range 2 {
		w := s.newWatch(t)
		w.create(&pb.WatchCreateRequest{Key: []byte("a")})
		w.recv()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a third stream = %v, want it to wait", err)
	}
}
