package etcdgw

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.etcd.io/etcd/api/v3/etcdserverpb/gw"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
)

// jsonGateway serves the services over HTTP with JSON, as etcd's gRPC gateway
// does: it calls the gRPC server through connections that never leave the
// process, so that a request over HTTP is admitted, checked and counted as any
// other.
type jsonGateway struct {
	inner *handedListener // the gRPC server's end of the connections
	conn  *grpc.ClientConn
	mux   *runtime.ServeMux
}

// gatewayAddr is the address of both ends of a connection of the gateway.
type gatewayAddr struct{}

func (gatewayAddr) Network() string { return "pipe" }
func (gatewayAddr) String() string  { return "json-gateway" }

func newJSONGateway() (*jsonGateway, error) {
	g := &jsonGateway{inner: newHandedListener(gatewayAddr{})}
	var err error
	g.conn, err = grpc.NewClient("passthrough:///"+gatewayAddr{}.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(g.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	// etcd's choices: fields have their names of the .proto files, those that are
	// empty are left out, and unknown ones are ignored.
	g.mux = runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
		Marshaler: &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		},
	}))
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gw.RegisterKVHandler,
		gw.RegisterWatchHandler,
		gw.RegisterLeaseHandler,
		gw.RegisterClusterHandler,
		gw.RegisterMaintenanceHandler,
		gw.RegisterAuthHandler,
	} {
		if err := register(context.Background(), g.mux, g.conn); err != nil {
			return nil, errors.Join(err, g.conn.Close())
		}
	}
	if err := g.registerLocks(); err != nil {
		return nil, errors.Join(err, g.conn.Close())
	}
	return g, nil
}

// dial hands the gRPC server one end of a pipe.
func (g *jsonGateway) dial(ctx context.Context, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case g.inner.conns <- server:
		return client, nil
	case <-g.inner.done:
	case <-ctx.Done():
	}
	client.Close()
	server.Close()
	return nil, net.ErrClosed
}

// close ends the calls that are left and the connections. A nil gateway has none.
func (g *jsonGateway) close() {
	if g == nil {
		return
	}
	g.inner.Close()
	_ = g.conn.Close() // fails only if it is closed already
}

// maxJSONBytes bounds a request's body: the largest message, in base64 (4/3),
// with as much again for what surrounds it. The body of a stream is bounded as a
// whole: over HTTP/1.1 all of it is sent before the answers.
func maxJSONBytes(maxRequestBytes int) int64 {
	return 2 * (int64(maxRequestBytes) + grpcOverheadBytes)
}

// jsonHandler serves the gateway's paths.
func (s *Server) jsonHandler() http.Handler {
	limit := maxJSONBytes(s.cfg.MaxRequestBytes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		s.json.mux.ServeHTTP(w, r)
	})
}

// accessControl is what etcd does with every HTTP request of a client URL: it
// refuses unknown hosts in plain text, adds CORS headers, answers OPTIONS, and
// takes /v3beta/ for /v3/.
func (s *Server) accessControl(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v3beta/"); ok {
			r.URL.Path = "/v3/" + rest
		}
		if host := hostName(r); tlsState(r.Context()) == nil && !allowed(s.cfg.HostWhitelist, host) {
			s.log.Warn("HTTP request with an unknown host name refused", "host", host)
			http.Error(w, unknownHost(host), http.StatusMisdirectedRequest)
			return
		}
		if s.namedByCertificate(r) {
			http.Error(w, "CommonName of client sending a request against gateway will be ignored and not used as expected", http.StatusBadRequest)
			return
		}
		if allowed(s.cfg.CORS, "*") {
			addCORSHeader(w, "*")
		} else if origin := r.Header.Get("Origin"); allowed(s.cfg.CORS, origin) {
			addCORSHeader(w, origin)
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namedByCertificate reports whether a request of the JSON gateway comes with a
// certificate that would name its user, were it not sent through the gateway:
// rather than have it act as nobody, it is refused, in etcd's words.
func (s *Server) namedByCertificate(r *http.Request) bool {
	if s.json == nil || !s.cfg.TLS.ClientCertAuth || !strings.HasPrefix(r.URL.Path, "/v3/") || !s.auth.Enabled() {
		return false
	}
	state := tlsState(r.Context())
	return state != nil && slices.ContainsFunc(state.VerifiedChains, func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && chain[0].Subject.CommonName != ""
	})
}

// tlsStateKey is the context key of an HTTP connection's TLS state.
type tlsStateKey struct{}

// withTLSState keeps the TLS state of a connection for its requests, which
// net/http knows only of connections that it has accepted itself.
func withTLSState(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*sniffedConn); ok && c.tls != nil {
		state := c.tls.ConnectionState()
		return context.WithValue(ctx, tlsStateKey{}, &state)
	}
	return ctx
}

// tlsState returns the TLS state of an HTTP request's connection, nil if it is
// plain text.
func tlsState(ctx context.Context) *tls.ConnectionState {
	state, _ := ctx.Value(tlsStateKey{}).(*tls.ConnectionState)
	return state
}

// allowed reports whether a list, in which "*" stands for all, names s.
func allowed(list []string, s string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, s)
}

func addCORSHeader(w http.ResponseWriter, origin string) {
	h := w.Header()
	h.Add("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Add("Access-Control-Allow-Origin", origin)
	h.Add("Access-Control-Allow-Headers", "accept, content-type, authorization")
}

// hostName is the host that a request names, without the port.
func hostName(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

func unknownHost(host string) string {
	return fmt.Sprintf(`
The request was received, but its Host header is not known here.

To mend this, choose one of:
- Serve TLS: then any HTTPS request is allowed.
- Name the host: --host-whitelist %q

This prevents "DNS rebinding" attacks (CVE-2018-5702).
`, host)
}
