package etcd

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// progressInterval is that of progress notifications at both sites.
const progressInterval = 500 * time.Millisecond

// callTimeout bounds one call. It is long because CI machines are busy.
const callTimeout = 60 * time.Second

// site is a server under test and what its answers are read by.
type site struct {
	name string
	addr string // host:port of clients
	conn *grpc.ClientConn

	cluster, member, term uint64 // of its headers
	base                  int64  // subtracted from revisions above 1
	hashes                bool   // compare HashKV as it comes

	token    string // sent with calls
	granting string // the token that the last Authenticate was answered with

	mu     sync.Mutex
	leases map[int64]int64 // IDs chosen by the server, by the ID that stands for them
	tokens map[int64]int64 // the inverse
}

// startEtcd starts a one-member etcd in this process. It ends with the test.
func startEtcd(t *testing.T) *site {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	clients, peers := freeURL(t), freeURL(t)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.WatchProgressNotifyInterval = progressInterval
	cfg.BcryptCost = bcryptCost
	cfg.UnsafeNoFsync = true // durability is not compared here
	cfg.LogLevel = "fatal"
	if os.Getenv("ETCD_LOG") != "" {
		cfg.LogLevel = "info"
	}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(harness.StartTimeout):
		t.Fatal("etcd did not start")
	}
	s := newSite(t, "etcd", clients.Host)
	s.identify(t)
	return s
}

// startFounder starts a node that founds a mesh.
func startFounder(t *testing.T) *site {
	t.Helper()
	n := harness.NewNode(t)
	n.Start(nodeFlags...)
	t.Cleanup(n.Stop)
	s := newSite(t, "founder", n.Client)
	s.identify(t)
	return s
}

// startJoined starts a node that joined a mesh, alone: the founder, once
// needed, is gone.
func startJoined(t *testing.T) *site {
	t.Helper()
	host, n := harness.NewNode(t), harness.NewNode(t)
	host.Start()
	n.Join(host)
	n.Start(nodeFlags...)
	t.Cleanup(n.Stop)
	host.Stop()
	s := newSite(t, "joined", n.Client)
	s.base = int64(n.Status().Story.Epoch)<<40 - 1
	s.identify(t)
	return s
}

// bcryptCost is the least, so that users cost no time.
const bcryptCost = 4

var nodeFlags = []string{"--bcrypt-cost", fmt.Sprint(bcryptCost), "--watch-progress-notify-interval", progressInterval.String(), "--log-level", "warn"}

func freeURL(t *testing.T) url.URL {
	t.Helper()
	return url.URL{Scheme: "http", Host: harness.FreeAddr(t)}
}

func newSite(t *testing.T, name, addr string) *site {
	t.Helper()
	if _, _, err := net.SplitHostPort(addr); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &site{name: name, addr: addr, conn: conn, leases: map[int64]int64{}, tokens: map[int64]int64{}}
}

// identify learns what stands in the site's headers.
func (s *site) identify(t *testing.T) {
	t.Helper()
	h := s.rawHeader(t)
	if h.ClusterId == 0 || h.MemberId == 0 || h.RaftTerm == 0 || h.Revision == 0 {
		t.Fatalf("%s: header = %v, want no field 0", s.name, h)
	}
	s.cluster, s.member, s.term = h.ClusterId, h.MemberId, h.RaftTerm
}

// rawHeader returns the header of a read as it came.
func (s *site) rawHeader(t testing.TB) *pb.ResponseHeader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	resp, err := pb.NewKVClient(s.conn).Range(ctx, &pb.RangeRequest{Key: []byte("x")}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return resp.Header
}

// outcome is the answer to a call: a message, or an error.
type outcome struct {
	resp proto.Message
	err  error
}

// call makes a unary call of the method that req belongs to.
func (s *site) call(ctx context.Context, req proto.Message) outcome {
	m := methodOf(req)
	resp := m.newResponse()
	if err := s.conn.Invoke(s.with(ctx), m.name, s.outgoing(req), resp); err != nil {
		return outcome{err: err}
	}
	if grant, ok := req.(*pb.LeaseGrantRequest); ok && grant.ID == 0 {
		s.granted(resp.(*pb.LeaseGrantResponse).ID)
	}
	if a, ok := resp.(*pb.AuthenticateResponse); ok {
		s.granting = a.Token
	}
	s.incoming(resp)
	return outcome{resp: resp}
}

// with returns ctx with the site's token.
func (s *site) with(ctx context.Context) context.Context {
	if s.token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, s.token)
}

// text describes an error by what clients see of it.
func text(err error) string {
	if err == nil {
		return "no error"
	}
	st, _ := status.FromError(err)
	return fmt.Sprintf("%v %q, %d details", st.Code(), st.Message(), len(st.Details()))
}
