package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// endpoint is a client URL with what TLS needs, as etcdctl's flags.
type endpoint struct {
	url               string
	caFile            string
	certFile, keyFile string
	insecure          bool
}

// address takes the URL apart. Without a scheme it is host:port, with TLS if
// there is anything to do it with.
func (e *endpoint) address() (network, address string, secure bool, err error) {
	if !strings.Contains(e.url, "://") {
		return "tcp", e.url, e.caFile != "" || e.certFile != "" || e.insecure, checkHostPort(e.url)
	}
	u, err := url.Parse(e.url)
	if err != nil {
		return "", "", false, err
	}
	switch u.Scheme {
	case "http", "https":
		return "tcp", u.Host, u.Scheme == "https", checkHostPort(u.Host)
	case "unix", "unixs":
		if u.Host+u.Path == "" {
			return "", "", false, errors.New("it names no socket")
		}
		return "unix", u.Host + u.Path, u.Scheme == "unixs", nil
	}
	return "", "", false, errors.New("its scheme is not http, https, unix or unixs")
}

func checkHostPort(s string) error {
	if strings.Contains(s, ",") {
		return errors.New("a snapshot is of one node")
	}
	_, _, err := net.SplitHostPort(s)
	return err
}

// dial returns a connection, which is made with the first call. Mistakes in
// the flags are usage errors.
func (e *endpoint) dial() (*grpc.ClientConn, error) {
	network, address, secure, err := e.address()
	if err != nil {
		return nil, usageError{fmt.Errorf("--endpoint %s: %w", e.url, err)}
	}
	cred := insecure.NewCredentials()
	if secure {
		cfg, err := e.tls()
		if err != nil {
			return nil, err
		}
		cred = credentials.NewTLS(cfg)
	}
	target := "passthrough:///" + address
	if network == "unix" {
		target = "passthrough:///localhost"
	}
	return grpc.NewClient(target, grpc.WithTransportCredentials(cred),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}))
}

func (e *endpoint) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: e.insecure}
	if e.caFile != "" {
		b, err := os.ReadFile(e.caFile)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--cacert %s holds no certificate", e.caFile)
		}
	}
	if (e.certFile == "") != (e.keyFile == "") {
		return nil, usageError{errors.New("--cert and --key must be given together")}
	}
	if e.certFile != "" {
		c, err := tls.LoadX509KeyPair(e.certFile, e.keyFile)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{c}
	}
	return cfg, nil
}
