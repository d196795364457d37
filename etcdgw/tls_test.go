package etcdgw

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", true)
	return a
}

// issue writes name.crt and name.key. The authority's first certificate is its own.
func (a *authority) issue(t *testing.T, name string, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  isCA,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, b []byte) {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name+".crt", "CERTIFICATE", der)
	write(name+".key", "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// client is the TLS configuration of a client, with a certificate if named.
func (a *authority) client(t *testing.T, name string) *tls.Config {
	t.Helper()
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AddCert(a.cert)
	if name != "" {
		cert, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

func tryPut(t *testing.T, conn *grpc.ClientConn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("a")})
	return err
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	ca.issue(t, "server", false)
	ca.issue(t, "client", false)
	other.issue(t, "stranger", false)
	for _, clientCerts := range []bool{false, true} {
		cfg := testConfig()
		cfg.ClientURLs = []string{"https://127.0.0.1:0"}
		cfg.TLS = TLS{CertFile: ca.file("server.crt"), KeyFile: ca.file("server.key")}
		if clientCerts {
			cfg.TLS.ClientCAFile, cfg.TLS.ClientCertAuth = ca.file("ca.crt"), true
		}
		s := serve(t, cfg, newMemory(t, mvcc.Config{}))
		if !strings.HasPrefix(s.URLs()[0], "https://") {
			t.Errorf("URLs = %v, want https", s.URLs())
		}
		stranger := other.client(t, "stranger")
		stranger.RootCAs = ca.client(t, "").RootCAs
		for name, tt := range map[string]struct {
			tls *tls.Config
			ok  bool
		}{
			"with a certificate":            {ca.client(t, "client"), true},
			"without a certificate":         {ca.client(t, ""), !clientCerts},
			"with a stranger's certificate": {stranger, !clientCerts},
		} {
			err := tryPut(t, dial(t, s, grpc.WithTransportCredentials(credentials.NewTLS(tt.tls))))
			if (err == nil) != tt.ok {
				t.Errorf("client certificates demanded: %v: Put %s = %v, want success: %v", clientCerts, name, err, tt.ok)
			}
			// The same port serves HTTP to clients that offer both protocols.
			transport := &http.Transport{TLSClientConfig: tt.tls, ForceAttemptHTTP2: true, DisableKeepAlives: true}
			resp, err := (&http.Client{Transport: transport}).Get(s.URLs()[0] + "/health")
			if (err == nil) != tt.ok {
				t.Errorf("client certificates demanded: %v: GET /health %s = %v, want success: %v", clientCerts, name, err, tt.ok)
			}
			if err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(body) != `{"health":"true","reason":""}` {
					t.Errorf("GET /health = %q", body)
				}
			}
		}
		if err := tryPut(t, dial(t, s)); err == nil {
			t.Error("Put in plain text to a TLS port = nil, want an error")
		}
	}
}

// TestTLSReload checks that a new certificate is used without a restart.
func TestTLSReload(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(t, "server", false)
	cfg := testConfig()
	cfg.ClientURLs = []string{"https://127.0.0.1:0"}
	cfg.MetricsURLs = []string{"https://127.0.0.1:0"}
	cfg.TLS = TLS{CertFile: ca.file("server.crt"), KeyFile: ca.file("server.key")}
	s := serve(t, cfg, newMemory(t, mvcc.Config{}))
	serial := func(url string) *big.Int {
		t.Helper()
		conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), ca.client(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	before := serial(s.URLs()[0])
	cert, _ := ca.issue(t, "server", false)
	for _, url := range []string{s.URLs()[0], s.MetricsURLs()[0]} {
		if got := serial(url); got.Cmp(cert.SerialNumber) != 0 || got.Cmp(before) == 0 {
			t.Errorf("%s shows certificate %v, want the new one", url, got)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(t, "server", false)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	crt, key := ca.file("server.crt"), ca.file("server.key")
	for _, tt := range []struct {
		tls  TLS
		want string
	}{
		{TLS{CertFile: "/nowhere", KeyFile: key}, "/nowhere"},
		{TLS{CertFile: crt, KeyFile: ca.file("ca.key")}, "private key does not match public key"},
		{TLS{CertFile: crt, KeyFile: key, ClientCAFile: "/nowhere"}, "read trusted CA file"},
		{TLS{CertFile: crt, KeyFile: key, ClientCAFile: empty}, "it holds no certificate"},
	} {
		if _, err := tt.tls.serverConfig(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("serverConfig of %+v = %v, want %q", tt.tls, err, tt.want)
		}
	}
}
