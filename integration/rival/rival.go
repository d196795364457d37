// Package rival builds and runs the servers that benchmarks compare: causeway
// and the real etcd that integration/reference pins. They are real processes
// that talk over loopback TCP.
package rival

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/integration/freeport"
	"github.com/causeway-sync/causeway/integration/usage"
)

// Names of the servers.
const (
	Causeway = "causeway"
	Etcd     = "etcd"
)

// startTimeout bounds how long a server may take until it answers: with a
// million keys on a busy machine.
const startTimeout = 5 * time.Minute

// maxMessage is the size of the largest message taken, in bytes.
const maxMessage = 1 << 30

// Server is a program to measure. Args returns its command line for a data
// directory and free loopback addresses.
type Server struct {
	Name string
	Path string
	Args func(dir, client, peer string) []string
}

// Build compiles causeway and etcd into dir. It must run within the module.
func Build(ctx context.Context, dir string) ([]Server, error) {
	causeway, err := BuildCauseway(ctx, dir)
	if err != nil {
		return nil, err
	}
	module, err := module(ctx)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, "-C", filepath.Join(module, "integration", "reference"), "-o", dir, "tool"); err != nil {
		return nil, err
	}
	return []Server{
		{Causeway, causeway, func(dir, client, peer string) []string {
			_, port, _ := net.SplitHostPort(peer)
			return []string{"serve", "--data-dir", dir, "--listen-client-urls", "http://" + client,
				"--listen-peer-addrs", "/ip4/127.0.0.1/tcp/" + port}
		}},
		{Etcd, filepath.Join(dir, "server"), func(dir, client, peer string) []string {
			return []string{"--data-dir", dir, "--log-level", "error", "--quota-backend-bytes", "8589934592",
				"--listen-client-urls", "http://" + client, "--advertise-client-urls", "http://" + client,
				"--listen-peer-urls", "http://" + peer, "--initial-advertise-peer-urls", "http://" + peer,
				"--initial-cluster", "default=http://" + peer}
		}},
	}, nil
}

// BuildCauseway compiles causeway into dir and returns its path. It must run
// within the module.
func BuildCauseway(ctx context.Context, dir string) (string, error) {
	module, err := module(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "causeway"), build(ctx, "-C", module, "-o", dir, "./cmd/causeway")
}

// module returns the folder of the module.
func module(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return string(bytes.TrimSpace(root)), nil
}

func build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %v: %w\n%s", args, err, out)
	}
	return nil
}

// Process is a started server.
type Process struct {
	Addr    string        // host:port of its clients
	Started time.Duration // from its start to its first answer
	cmd     *exec.Cmd
	log     bytes.Buffer
}

// Start runs s on dir, with further arguments, and waits until it answers a
// linearizable read.
func Start(ctx context.Context, s Server, dir string, args ...string) (*Process, error) {
	client, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	peer, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	p := &Process{Addr: client}
	p.cmd = exec.CommandContext(ctx, s.Path, append(s.Args(dir, client, peer), args...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := Dial(client)
	if err != nil {
		p.Stop()
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		if err == nil {
			p.Started = time.Since(begin)
			return p, nil
		}
		if ctx.Err() != nil {
			p.Stop()
			return nil, fmt.Errorf("%s did not start: %w\n%s", s.Name, err, p.log.Bytes())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Usage returns what the process uses.
func (p *Process) Usage() (usage.Usage, error) { return usage.Of(p.cmd.Process.Pid) }

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = p.cmd.Wait()                          // its exit status is of no interest
}

// Dial returns a connection to a server, which need not be up yet.
func Dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		// gRPC would wait a second after finding that the server does not listen yet.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}, MinConnectTimeout: time.Second}))
}
