// Package harness runs the real causeway command for black-box tests: it
// builds the binary once per test process, starts nodes on loopback with their
// own directories, talks to them through gRPC and the command line, and ends
// every process it started; on Linux also if the test process is killed.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/integration/freeport"
)

// StartTimeout bounds how long a node may take until it answers.
const StartTimeout = 30 * time.Second

// BinaryEnv names, if set, a causeway command to be run in place of one built here.
const BinaryEnv = "CAUSEWAY_TEST_BINARY"

// buildOnce compiles the command into a directory that [Main] removes.
var buildOnce = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv(BinaryEnv); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "causeway-harness-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	bin := filepath.Join(dir, "causeway")
	build := exec.Command("go", "build", "-o", bin, "github.com/causeway-sync/causeway/cmd/causeway")
	// From here, so that tests of other modules get the command as users do, with
	// the dependencies of the root module.
	if _, here, _, ok := runtime.Caller(0); ok {
		build.Dir = filepath.Dir(here)
	}
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

var buildDir string

// Main is for TestMain: it runs the tests, removes the binary, and calls after
// for what else there is to remove.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	for _, f := range after {
		f()
	}
	os.Exit(code)
}

// Binary returns the path of the compiled command.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Node is a data directory and, while it runs, its process.
type Node struct {
	t       testing.TB
	Dir     string
	Client  string // host:port of the etcd API; the same at every start
	QUIC    bool   // it listens for other nodes with QUIC in place of TCP
	peer    string // host:port for other nodes
	cmd     *exec.Cmd
	log     *lockedBuffer
	conn    *grpc.ClientConn
	waiting chan error
}

// NewNode returns a node that is not started, on free loopback ports.
func NewNode(t testing.TB) *Node {
	t.Helper()
	n := &Node{t: t, Dir: t.TempDir(), Client: FreeAddr(t), peer: FreeAddr(t)}
	t.Cleanup(func() {
		n.Kill()
		if t.Failed() && n.log != nil {
			t.Logf("log of the node at %s:\n%s", n.Dir, n.log.tail(8<<10))
		}
	})
	return n
}

// FreeAddr returns a loopback address that was free a moment ago.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// Start runs `causeway serve` and waits until clients are served.
func (n *Node) Start(args ...string) {
	n.t.Helper()
	n.StartUnready(args...)
	n.WaitReady()
}

// StartUnready runs `causeway serve` and waits for nothing.
func (n *Node) StartUnready(args ...string) {
	n.t.Helper()
	_, port, err := net.SplitHostPort(n.peer)
	if err != nil {
		n.t.Fatal(err)
	}
	listen := "/ip4/127.0.0.1/tcp/" + port
	if n.QUIC {
		listen = "/ip4/127.0.0.1/udp/" + port + "/quic-v1"
	}
	n.cmd = exec.Command(Binary(n.t), append([]string{"serve", "--data-dir", n.Dir,
		"--listen-client-urls", "http://" + n.Client, "--listen-peer-addrs", listen}, args...)...)
	if n.log == nil {
		n.log = &lockedBuffer{}
	}
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := startTied(n.cmd); err != nil {
		n.t.Fatal(err)
	}
	n.waiting = make(chan error, 1)
	cmd, waiting := n.cmd, n.waiting
	go func() { waiting <- cmd.Wait() }()
	n.Dial()
}

// WaitReady waits until clients are served.
func (n *Node) WaitReady() {
	n.t.Helper()
	deadline := time.Now().Add(StartTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := n.KV().Range(ctx, &pb.RangeRequest{Key: []byte("harness/ready")})
		cancel()
		if err == nil {
			return
		}
		select {
		case err := <-n.waiting:
			n.cmd = nil
			n.t.Fatalf("the node ended at its start: %v\n%s", err, n.log.tail(8<<10))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("the node did not start within %v: %v\n%s", StartTimeout, err, n.log.tail(8<<10))
		}
	}
}

// Dial makes a fresh connection, which later calls use.
func (n *Node) Dial() {
	n.t.Helper()
	n.hangUp()
	conn, err := grpc.NewClient("passthrough:///"+n.Client, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)),
		// gRPC would wait a second after finding that the node does not listen yet.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond}, MinConnectTimeout: time.Second}))
	if err != nil {
		n.t.Fatal(err)
	}
	n.conn = conn
}

func (n *Node) hangUp() {
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
}

// KV and Watch return clients of a running node.
func (n *Node) KV() pb.KVClient       { return pb.NewKVClient(n.conn) }
func (n *Node) Watch() pb.WatchClient { return pb.NewWatchClient(n.conn) }

// Kill ends the process with SIGKILL and waits for it.
func (n *Node) Kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill() // it may have ended by itself
		<-n.waiting
		n.cmd = nil
	}
	n.hangUp()
}

// Stop ends the process with SIGTERM and fails the test if it exits non-zero.
func (n *Node) Stop() {
	n.t.Helper()
	n.hangUp()
	if n.cmd == nil {
		return
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Error(err)
	}
	select {
	case err := <-n.waiting:
		if err != nil {
			n.t.Errorf("after SIGTERM: %v\n%s", err, n.log.tail(8<<10))
		}
	case <-time.After(StartTimeout):
		n.t.Errorf("still running %v after SIGTERM", StartTimeout)
		_ = n.cmd.Process.Kill()
		<-n.waiting
	}
	n.cmd = nil
}

// PID returns the ID of the running process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Run runs a causeway command and returns its standard output; it fails the test if the command fails.
func Run(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, errs, err := command(t, stdin, args)
	if err != nil {
		t.Fatalf("causeway %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// TryRun runs a causeway command and returns its standard error and how it exited.
func TryRun(t testing.TB, stdin string, args ...string) (stderr string, err error) {
	t.Helper()
	_, stderr, err = command(t, stdin, args)
	return stderr, err
}

func command(t testing.TB, stdin string, args []string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = startTied(cmd); err == nil {
		err = cmd.Wait()
	}
	return out.String(), errs.String(), err
}

// Join makes n a member of the mesh of host, which must be running. args are
// further ones of `causeway invite`, such as the grant.
func (n *Node) Join(host *Node, args ...string) {
	n.t.Helper()
	ticket := Run(n.t, "", append([]string{"invite", "--data-dir", host.Dir}, args...)...)
	Run(n.t, ticket, "join", "--data-dir", n.Dir, "--operator-name", filepath.Base(n.Dir))
}

// Status is the part of `causeway status -o json` that tests look at.
type Status struct {
	Mesh      string   `json:"mesh"`
	Node      string   `json:"node"`
	Heads     []string `json:"heads"`
	Ops       int      `json:"ops"`
	Forks     int      `json:"forks"`
	Revision  int64    `json:"revision"`
	StateHash string   `json:"state_hash"`
	Ready     bool     `json:"ready"`
	PeerAddrs []string `json:"peer_addresses"`
	Story     struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
		Epoch  uint64 `json:"epoch"`
		Past   []struct {
			Key string `json:"key"`
		} `json:"past"`
	} `json:"key"`
	Peers []struct {
		ID        string `json:"id"`
		Connected bool   `json:"connected"`
		Refused   uint64 `json:"refused"`
	} `json:"peers"`
}

// Status runs `causeway status -o json`.
func (n *Node) Status() Status {
	n.t.Helper()
	var s Status
	if err := json.Unmarshal([]byte(Run(n.t, "", "status", "--data-dir", n.Dir, "-o", "json")), &s); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// WaitEqual waits until all nodes report the same heads and state, and returns it.
func WaitEqual(t testing.TB, within time.Duration, nodes ...*Node) Status {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		first := nodes[0].Status()
		equal := true
		for _, n := range nodes[1:] {
			s := n.Status()
			equal = equal && s.StateHash == first.StateHash && strings.Join(s.Heads, " ") == strings.Join(first.Heads, " ")
		}
		if equal {
			return first
		}
		if time.Now().After(deadline) {
			for _, n := range nodes {
				t.Logf("%s: %+v", n.Dir, n.Status())
			}
			t.Fatalf("the nodes did not agree within %v", within)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// lockedBuffer collects a process's output.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.buf.Bytes()
	return string(s[max(0, len(s)-n):])
}
