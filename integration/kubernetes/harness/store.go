package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// readyTimeout bounds how long a store may take until it answers.
const readyTimeout = 30 * time.Second

// Store is an etcd endpoint under test: a Causeway node or an etcd.
type Store struct {
	*Process
	// Endpoint is the URL of the etcd API, the same at every start.
	Endpoint string
	// Dir is the data directory.
	Dir string
	// Flags are what kube-apiserver needs to be told besides the endpoint.
	Flags []string
	// tls is how clients connect, nil for plain text.
	tls *tls.Config
}

// NewStore returns a store that is not started, with further flags of its program.
type NewStore func(t testing.TB, logs string, flags ...string) *Store

// NewCauseway returns a Causeway node that is not started: a site of its own
// that will found a mesh.
func NewCauseway(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	return newCauseway(t, logs, "causeway", "http://", flags)
}

// NewSecured returns a Causeway node that is not started, and serves clients
// over TLS only, if they have a certificate.
func NewSecured(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	ca := newAuthority(t, t.TempDir())
	server, client := ca.server(), ca.client("kube-apiserver-etcd-client")
	s := newCauseway(t, logs, "causeway", "https://", append([]string{
		"--cert-file", server.certFile, "--key-file", server.keyFile,
		"--client-cert-auth", "--trusted-ca-file", ca.file("ca.crt"),
	}, flags...))
	s.Flags = []string{"--etcd-cafile=" + ca.file("ca.crt"), "--etcd-certfile=" + client.certFile, "--etcd-keyfile=" + client.keyFile}
	cert, err := tls.LoadX509KeyPair(client.certFile, client.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	s.tls = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}
	return s
}

// NewJoined returns a Causeway node that is not started, and has joined the mesh
// of another one, which runs. Its revisions begin at a multiple of 2^40.
func NewJoined(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	founder := newCauseway(t, logs, "founder", "http://", nil)
	founder.Start()
	ticket := invite(t, founder)
	s := newCauseway(t, logs, "causeway", "http://", flags)
	join(t, s, ticket)
	return s
}

// join makes a node that is not started one of the mesh that a ticket is for.
func join(t testing.TB, s *Store, ticket []byte) {
	t.Helper()
	cmd := exec.Command(s.bin, "join", "--data-dir", s.Dir)
	cmd.Stdin = bytes.NewReader(ticket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("causeway join: %v\n%s", err, out)
	}
}

// invite returns a ticket to join the mesh of a node. The node's admin socket
// opens a moment after its client port.
func invite(t testing.TB, s *Store) []byte {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for {
		var msg bytes.Buffer
		cmd := exec.Command(s.bin, "invite", "--data-dir", s.Dir)
		cmd.Stderr = &msg
		ticket, err := cmd.Output()
		if err == nil {
			return ticket
		}
		if time.Now().After(deadline) {
			t.Fatalf("causeway invite: %v\n%s", err, &msg)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func newCauseway(t testing.TB, logs, name, scheme string, flags []string) *Store {
	t.Helper()
	s := &Store{Endpoint: scheme + FreeAddr(t), Dir: t.TempDir()}
	_, port, err := net.SplitHostPort(FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"serve", "--data-dir", s.Dir,
		"--listen-client-urls", s.Endpoint,
		"--listen-peer-addrs", "/ip4/127.0.0.1/tcp/" + port,
	}, flags...)
	s.Process = newProcess(t, logs, name, program(t, buildCauseway), args...)
	return s
}

// NewEtcd returns a one-member etcd that is not started.
func NewEtcd(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	s := &Store{Endpoint: "http://" + FreeAddr(t), Dir: t.TempDir()}
	peer := "http://" + FreeAddr(t)
	args := append([]string{
		"--data-dir", s.Dir, "--log-level", "warn",
		"--listen-client-urls", s.Endpoint, "--advertise-client-urls", s.Endpoint,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}, flags...)
	s.Process = newProcess(t, logs, "etcd", program(t, buildEtcd), args...)
	return s
}

// agedPuts is how many puts an etcd of NewAgedEtcd has seen.
const agedPuts = 200

// NewAgedEtcd returns a one-member etcd that is not started, and was in use before:
// one key was put agedPuts times.
func NewAgedEtcd(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	s := NewEtcd(t, logs, flags...)
	s.Start()
	client := s.Client()
	defer client.Close()
	for range agedPuts {
		if _, err := client.Put(t.Context(), "harness/used", ""); err != nil {
			t.Fatal(err)
		}
	}
	s.Stop()
	return s
}

// Start runs the store and waits until it answers.
func (s *Store) Start() {
	s.t.Helper()
	s.Process.Start()
	deadline := time.Now().Add(readyTimeout)
	for {
		err := s.answers()
		switch {
		case err == nil:
			return
		case !s.Running():
			s.t.Fatalf("%s ended at its start:\n%s", s.name, s.Log())
		case time.Now().After(deadline):
			s.t.Fatalf("%s does not answer after %v: %v", s.name, readyTimeout, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answers asks for a key once. A client of gRPC would back off for a second
// after a refused connection, so the port is tried first.
func (s *Store) answers() error {
	_, addr, _ := strings.Cut(s.Endpoint, "://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	conn.Close()
	client := s.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = client.Get(ctx, "harness/ready")
	return err
}

// Client returns a client of the store, which the caller closes.
func (s *Store) Client() *clientv3.Client {
	s.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Endpoint}, TLS: s.tls})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// givenPorts are those that FreeAddr returned.
var givenPorts sync.Map

// FreeAddr returns a loopback address that nobody listens on, each once in a process. Its port is below those that
// the system gives to outgoing connections, so that none of these takes it before its server does.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 10_000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(18_000))
		if _, given := givenPorts.LoadOrStore(addr, true); given {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
