package etcdgw

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/etcdgw/v3electionpb"
	"github.com/causeway-sync/causeway/etcdgw/v3lockpb"
)

const (
	// httpHeaderTimeout bounds the wait for an HTTP request's header, and
	// httpIdleTimeout that for the next request of a connection.
	httpHeaderTimeout = 10 * time.Second
	httpIdleTimeout   = 2 * time.Minute
	// httpMaxHeaderBytes is ample for the requests that are served.
	httpMaxHeaderBytes = 16 * 1024
)

// Server serves one node's clients. Create it with [Listen].
type Server struct {
	cfg     Config
	backend Backend
	view    *mvcc.View
	log     *slog.Logger
	metrics *metrics
	auth    *auth.Store

	grpc     *grpc.Server
	json     *jsonGateway // nil if it is not served
	http     *http.Server // of the client URLs
	pages    *http.Server // of the metrics URLs
	sniffers []*sniffer
	extra    []*boundListener // HTTP only

	stopping context.Context // done when Shutdown begins; that ends every stream
	stop     context.CancelFunc
	serving  chan struct{}  // closed when Serve returns; nil until it is called
	starting sync.Mutex     // guards serving
	streams  sync.WaitGroup // the receiving goroutines of streams
}

// Listen binds all URLs of the configuration and returns a server that accepts
// connections there but does not serve them before [Server.Serve]. Its errors
// wrap [ErrConfig], [ErrAddressInUse], or those of reading the TLS files; then
// nothing stays bound.
func Listen(ctx context.Context, cfg Config, b Backend) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	m, err := newMetrics(cfg, b)
	if err != nil {
		return nil, err
	}
	codec, err := newCountedCodec(m.receivedBytes, m.sentBytes)
	if err != nil {
		return nil, err
	}
	var tlsConfig *tls.Config
	if cfg.TLS.CertFile != "" {
		if tlsConfig, err = cfg.TLS.serverConfig(); err != nil {
			return nil, err
		}
	}
	users, err := auth.Open(auth.Config{
		Storage: cfg.AuthStorage, BcryptCost: cfg.BcryptCost, TokenTTL: cfg.AuthTokenTTL, Now: cfg.Now, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err := m.registry.Register(authRevision(users)); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, backend: b, view: b.View(), log: cfg.Logger, metrics: m, auth: users,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, url := range cfg.ClientURLs {
		l, err := listen(ctx, url, tlsConfig)
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		if l.tls == nil && tlsConfig != nil {
			s.log.Warn("the certificate is not used by a plain text client URL", "url", l.url)
		}
		s.sniffers = append(s.sniffers, newSniffer(l, s.log))
	}
	for _, url := range cfg.MetricsURLs {
		l, err := listen(ctx, url, tlsConfig)
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		s.extra = append(s.extra, l)
	}
	s.grpc = s.newGRPC(codec)
	m.addMethods(s.grpc.GetServiceInfo())
	if !cfg.DisableJSONGateway {
		if s.json, err = newJSONGateway(); err != nil {
			s.closeListeners()
			return nil, err
		}
	}
	s.pages = s.newHTTP(s.pagesHandler())
	s.http = s.newHTTP(s.clientHandler())
	s.http.ConnContext = withTLSState
	return s, nil
}

func (s *Server) newHTTP(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpMaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// newGRPC returns the gRPC server. Its buffer and window sizes and its way of
// starting handlers are gRPC's defaults: with 1,000 clients on 100 connections
// (BenchmarkPut) no other choice made a difference beyond the noise.
func (s *Server) newGRPC(codec *countedCodec) *grpc.Server {
	g := grpc.NewServer(
		grpc.ForceServerCodecV2(codec),
		grpc.Creds(acceptedCredentials{}),
		grpc.UnaryInterceptor(s.interceptUnary),
		grpc.StreamInterceptor(s.interceptStream),
		grpc.MaxRecvMsgSize(s.cfg.MaxRequestBytes+grpcOverheadBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(s.cfg.MaxConcurrentStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: s.cfg.KeepAliveMinTime}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: s.cfg.KeepAliveInterval, Timeout: s.cfg.KeepAliveTimeout}),
		// Stop returns only when no handler runs any more.
		grpc.WaitForHandlers(true),
	)
	pb.RegisterKVServer(g, &kvServer{Server: s})
	pb.RegisterWatchServer(g, &watchServer{Server: s})
	pb.RegisterLeaseServer(g, &leaseServer{Server: s})
	pb.RegisterMaintenanceServer(g, newMaintenanceServer(s))
	pb.RegisterClusterServer(g, &clusterServer{Server: s})
	pb.RegisterAuthServer(g, &authServer{Server: s})
	v3lockpb.RegisterLockServer(g, &lockServer{candidates: newCandidates(s)})
	v3electionpb.RegisterElectionServer(g, &electionServer{candidates: newCandidates(s)})
	healthpb.RegisterHealthServer(g, &healthServer{Server: s})
	return g
}

// URLs returns the client URLs that are listened on, with the ports taken.
func (s *Server) URLs() []string {
	urls := make([]string, len(s.sniffers))
	for i, sn := range s.sniffers {
		urls[i] = sn.listener.url
	}
	return urls
}

// MetricsURLs returns the further URLs that are listened on for HTTP alone.
func (s *Server) MetricsURLs() []string {
	urls := make([]string, len(s.extra))
	for i, l := range s.extra {
		urls[i] = l.url
	}
	return urls
}

// Serve serves clients until [Server.Shutdown], then returns [ErrClosed]. Any
// other error is that of a listener that failed; the others are closed then. It
// is called once.
func (s *Server) Serve() error {
	s.starting.Lock()
	if s.stopping.Err() != nil {
		s.starting.Unlock()
		return ErrClosed
	}
	s.serving = make(chan struct{})
	s.starting.Unlock()
	defer close(s.serving)

	g, ctx := errgroup.WithContext(context.Background())
	for _, sn := range s.sniffers {
		g.Go(func() error { return s.unlessStopping(sn.serve()) })
		g.Go(func() error { return s.unlessStopping(s.grpc.Serve(sn.grpc)) })
		g.Go(func() error { return s.unlessStopping(s.http.Serve(sn.http)) })
	}
	for _, l := range s.extra {
		g.Go(func() error {
			if l.tls != nil {
				return s.unlessStopping(s.pages.Serve(tls.NewListener(l, httpOnly(l.tls))))
			}
			return s.unlessStopping(s.pages.Serve(l))
		})
	}
	if s.json != nil {
		g.Go(func() error { return s.unlessStopping(s.grpc.Serve(s.json.inner)) })
	}
	g.Go(func() error {
		select {
		case <-ctx.Done(): // one of the above failed
			s.abort()
		case <-s.stopping.Done():
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return ErrClosed
}

// Shutdown stops the server: it takes no more connections, ends watches and
// other streams with Unavailable, and lets unary calls finish until ctx is done;
// then it cancels them. It returns when no goroutine of the server is left; the
// error is that of ctx if it had to cancel. Further calls wait likewise.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.closeListeners()

	var graceful sync.WaitGroup
	graceful.Go(s.grpc.GracefulStop)
	graceful.Go(func() { _ = s.http.Shutdown(ctx) })
	graceful.Go(func() { _ = s.pages.Shutdown(ctx) })
	finished := make(chan struct{})
	go func() {
		graceful.Wait()
		close(finished)
	}()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = ctx.Err()
		s.grpc.Stop()
		_ = s.http.Close()
		_ = s.pages.Close()
		<-finished
	}
	s.json.close()
	s.starting.Lock()
	serving := s.serving // none begins any more: stopping is done
	s.starting.Unlock()
	if serving != nil {
		<-serving
	}
	s.streams.Wait()
	return err
}

// abort closes everything at once.
func (s *Server) abort() {
	s.stop()
	s.closeListeners()
	s.grpc.Stop()
	_ = s.http.Close()
	_ = s.pages.Close()
	s.json.close()
}

func (s *Server) closeListeners() {
	for _, sn := range s.sniffers {
		sn.close()
	}
	for _, l := range s.extra {
		l.Close()
	}
}

// unlessStopping returns the error that ended a listener, nil if it was closed
// because the server stops.
func (s *Server) unlessStopping(err error) error {
	if s.stopping.Err() != nil {
		return nil
	}
	return err
}

// httpOnly is the TLS configuration of a listener that speaks HTTP/1.1 alone.
func httpOnly(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.GetConfigForClient = nil
	cfg.NextProtos = []string{"http/1.1"}
	return cfg
}

// header returns a response header with the revision given.
func (s *Server) header(revision int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{
		ClusterId: s.cfg.ClusterID,
		MemberId:  s.cfg.MemberID,
		Revision:  revision,
		RaftTerm:  raftTerm,
	}
}

// fill completes a response header made by the view or the backend, which know
// the revision at which the request was answered.
func (s *Server) fill(h **pb.ResponseHeader) {
	if *h == nil {
		*h = s.header(s.view.Revision())
		return
	}
	(*h).ClusterId, (*h).MemberId, (*h).RaftTerm = s.cfg.ClusterID, s.cfg.MemberID, raftTerm
	if (*h).Revision == 0 {
		(*h).Revision = s.view.Revision()
	}
}
