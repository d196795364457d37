package harness

import (
	"context"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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
}

// NewCauseway returns a Causeway node that is not started: a site of its own
// that has founded a mesh.
func NewCauseway(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	s := &Store{Endpoint: "http://" + FreeAddr(t), Dir: t.TempDir()}
	_, port, err := net.SplitHostPort(FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"serve", "--data-dir", s.Dir,
		"--listen-client-urls", s.Endpoint,
		"--listen-peer-addrs", "/ip4/127.0.0.1/tcp/" + port,
	}, flags...)
	s.Process = newProcess(t, logs, "causeway", program(t, buildCauseway), args...)
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

// Start runs the store and waits until it answers.
func (s *Store) Start() {
	s.t.Helper()
	s.Process.Start()
	client := s.Client()
	defer client.Close()
	deadline := time.Now().Add(readyTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := client.Get(ctx, "harness/ready")
		cancel()
		switch {
		case err == nil:
			return
		case !s.Running():
			s.t.Fatalf("%s ended at its start:\n%s", s.name, s.Log())
		case time.Now().After(deadline):
			s.t.Fatalf("%s does not answer after %v: %v", s.name, readyTimeout, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Client returns a client of the store, which the caller closes.
func (s *Store) Client() *clientv3.Client {
	s.t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{s.Endpoint},
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// FreeAddr returns a loopback address that was free a moment ago.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
