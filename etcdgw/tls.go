package etcdgw

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"

	"google.golang.org/grpc/credentials"
)

// TLS names the files of a TLS listener, as etcd's --cert-file, --key-file,
// --trusted-ca-file and --client-cert-auth. All are PEM.
type TLS struct {
	CertFile, KeyFile string
	// ClientCAFile holds the authorities that client certificates must come
	// from. Naming one demands a client certificate, as in etcd.
	ClientCAFile string
	// ClientCertAuth demands a client certificate; without ClientCAFile one
	// that the system's authorities vouch for.
	ClientCertAuth bool
}

// serverConfig reads the files. The certificate is read anew at each handshake,
// so that it can be replaced while the server runs, as in etcd.
func (t TLS) serverConfig() (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s and key %s: %w", t.CertFile, t.KeyFile, err)
		}
		return &cert, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
		NextProtos:     []string{"h2"},
	}
	if t.ClientCAFile != "" || t.ClientCertAuth {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if t.ClientCAFile != "" {
		pem, err := os.ReadFile(t.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("read trusted CA file: %w", err)
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read trusted CA file %s: it holds no certificate", t.ClientCAFile)
		}
	}
	// gRPC clients offer h2 alone. Whoever offers HTTP/1.1 as well (browsers,
	// curl, Go's HTTP client) comes for health or metrics, which are served by
	// HTTP/1.1 only: the gRPC transport would refuse such requests.
	http1 := cfg.Clone()
	http1.NextProtos = []string{"http/1.1"}
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, "http/1.1") {
			return http1, nil
		}
		return nil, nil
	}
	return cfg, nil
}

// acceptedCredentials tells gRPC that the listener has done the TLS handshake,
// and shows it the client's certificate.
type acceptedCredentials struct{}

func (acceptedCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, ok := conn.(*sniffedConn)
	if !ok || c.tls == nil {
		return conn, nil, nil
	}
	return conn, credentials.TLSInfo{
		State:          c.tls.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

func (acceptedCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, credentials.ErrConnDispatched
}

func (acceptedCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c acceptedCredentials) Clone() credentials.TransportCredentials { return c }

func (acceptedCredentials) OverrideServerName(string) error { return nil }
