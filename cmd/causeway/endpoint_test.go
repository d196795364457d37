package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/node"
)

func TestEndpointAddress(t *testing.T) {
	for _, tc := range []struct {
		e                endpoint
		network, address string
		secure, ok       bool
	}{
		{endpoint{url: "http://127.0.0.1:2379"}, "tcp", "127.0.0.1:2379", false, true},
		{endpoint{url: "https://[::1]:2379"}, "tcp", "[::1]:2379", true, true},
		{endpoint{url: "localhost:2379"}, "tcp", "localhost:2379", false, true},
		{endpoint{url: "localhost:2379", caFile: "ca"}, "tcp", "localhost:2379", true, true},
		{endpoint{url: "unix://sock"}, "unix", "sock", false, true},
		{endpoint{url: "unixs:///run/sock"}, "unix", "/run/sock", true, true},
		{e: endpoint{url: "http://127.0.0.1"}},
		{e: endpoint{url: "http://a:1,http://b:1"}},
		{e: endpoint{url: "a:1,b:1"}},
		{e: endpoint{url: "ftp://a:1"}},
		{e: endpoint{url: "unix://"}},
		{e: endpoint{url: ""}},
	} {
		network, address, secure, err := tc.e.address()
		if (err == nil) != tc.ok || tc.ok && (network != tc.network || address != tc.address || secure != tc.secure) {
			t.Errorf("address of %+v = %s %s %v, %v", tc.e, network, address, secure, err)
		}
	}
}

// certificate writes a self-signed certificate for the loopback, which is its own
// authority, and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// TestSnapshotSaveTLS saves from a node that demands client certificates, over
// TCP and over a unix socket.
func TestSnapshotSaveTLS(t *testing.T) {
	certFile, keyFile := certificate(t)
	n, err := node.Open(t.Context(), node.Config{
		DataDir: t.TempDir(), ListenPeerAddrs: []string{"/ip4/127.0.0.1/tcp/0"},
		ListenClientURLs: []string{"https://127.0.0.1:0", "unixs://" + filepath.Join(t.TempDir(), "s")},
		TLS:              etcdgw.TLS{CertFile: certFile, KeyFile: keyFile, ClientCAFile: certFile, ClientCertAuth: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, url := range n.ClientURLs() {
		for name, c := range map[string]struct {
			flags []string
			code  int
		}{
			"all":            {[]string{"--cacert", certFile, "--cert", certFile, "--key", keyFile}, exitOK},
			"unchecked":      {[]string{"--insecure-skip-tls-verify", "--cert", certFile, "--key", keyFile}, exitOK},
			"no certificate": {[]string{"--cacert", certFile}, exitFailure},
			"no authority":   {[]string{"--cert", certFile, "--key", keyFile}, exitFailure},
		} {
			path := filepath.Join(t.TempDir(), "snapshot.db")
			var out, errOut strings.Builder
			code := run(t.Context(), append([]string{"snapshot", "save", path, "--endpoint", url}, c.flags...), stdio{in: os.Stdin, out: &out, err: &errOut})
			_, err := os.Stat(path)
			if code != c.code || (err == nil) != (c.code == exitOK) {
				t.Errorf("%s, %s: exit code %d, want %d; the file: %v\n%s", url, name, code, c.code, err, errOut.String())
			}
		}
	}
}
