package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// server is a program to measure. args returns its command line for a data
// directory and free loopback addresses.
type server struct {
	name string
	path string
	args func(dir, client, peer string) []string
}

const (
	nameCauseway = "causeway"
	nameEtcd     = "etcd"
	nameEcho     = "echo"
	echoCommand  = "echo-server"
	startTimeout = 30 * time.Second
)

// build compiles causeway and etcd into dir.
func build(ctx context.Context, dir string) ([]server, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	module := string(bytes.TrimSpace(root))
	for _, args := range [][]string{
		{"build", "-C", module, "-o", dir, "./cmd/causeway"},
		{"build", "-C", filepath.Join(module, "integration", "reference"), "-o", dir, "tool"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []server{
		{nameCauseway, filepath.Join(dir, "causeway"), func(dir, client, _ string) []string {
			return []string{"serve", "--data-dir", dir, "--listen-client-urls", "http://" + client}
		}},
		{nameEtcd, filepath.Join(dir, "server"), func(dir, client, peer string) []string {
			return []string{"--data-dir", dir, "--log-level", "error", "--quota-backend-bytes", "8589934592",
				"--listen-client-urls", "http://" + client, "--advertise-client-urls", "http://" + client,
				"--listen-peer-urls", "http://" + peer, "--initial-advertise-peer-urls", "http://" + peer,
				"--initial-cluster", "default=http://" + peer}
		}},
		{nameEcho, self, func(_, client, _ string) []string { return []string{echoCommand, client} }},
	}, nil
}

// process is a started server.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  bytes.Buffer
}

// start runs s on an empty dir and waits until it answers.
func start(ctx context.Context, s server, dir string) (*process, error) {
	client, err := freeAddr()
	if err != nil {
		return nil, err
	}
	peer, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &process{addr: client}
	p.cmd = exec.CommandContext(ctx, s.path, s.args(dir, client, peer)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := dial(client)
	if err != nil {
		p.stop()
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		_, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			p.stop()
			return nil, fmt.Errorf("did not start: %w\n%s", err, p.log.Bytes())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop ends the process and waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = p.cmd.Wait()                          // its exit status is of no interest
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// echo answers every Put with an empty response: what gRPC alone costs.
type echo struct{ pb.UnimplementedKVServer }

func (echo) Put(context.Context, *pb.PutRequest) (*pb.PutResponse, error) {
	return &pb.PutResponse{Header: &pb.ResponseHeader{ClusterId: 1, MemberId: 1, Revision: 1, RaftTerm: 1}}, nil
}

func serveEcho(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	g := grpc.NewServer()
	pb.RegisterKVServer(g, echo{})
	return g.Serve(l)
}
