// Package fleet runs real causeway nodes, as processes on loopback, for benchmarks
// that look at what each of them costs.
package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/causeway-sync/causeway/integration/freeport"
	"github.com/causeway-sync/causeway/integration/usage"
)

// A Site is one node: its directory and, while it runs, its process. Use it from
// one goroutine, but for what asks the running node.
type Site struct {
	Dir    string
	Client string // host:port of its clients, the same at every start
	binary string
	peer   string // host:port for other nodes
	cmd    *exec.Cmd
	ended  <-chan struct{} // the process has
	log    bytes.Buffer
}

// New returns a node of the program at binary that is not started, on free
// loopback ports.
func New(binary, dir string) (*Site, error) {
	client, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	peer, err := freeport.Addr()
	return &Site{Dir: dir, Client: client, binary: binary, peer: peer}, err
}

// Start runs `causeway serve`, with further arguments, and waits for nothing.
func (s *Site) Start(ctx context.Context, args ...string) error {
	_, port, err := net.SplitHostPort(s.peer)
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(ctx, s.binary, append([]string{"serve", "--data-dir", s.Dir, "--enable-pprof",
		"--listen-client-urls", "http://" + s.Client, "--listen-peer-addrs", "/ip4/127.0.0.1/tcp/" + port}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its exit status is of no interest
	}()
	return nil
}

// End ends the process by a signal and waits for it.
func (s *Site) End(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended by itself
	<-s.ended
	s.cmd = nil
}

// Usage returns what the process uses, which must run.
func (s *Site) Usage() (usage.Usage, error) { return usage.Of(s.cmd.Process.Pid) }

// Run runs a command of causeway, with in on its standard input, and returns what it prints.
func (s *Site) Run(ctx context.Context, in string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Stdin = strings.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("causeway %s: %w\n%s", args[0], err, errs.Bytes())
	}
	return string(out), nil
}

// Get returns what the node serves at a path.
func (s *Site) Get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Client+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// PeerAddrs returns the multiaddrs at which other nodes reach the running node,
// each with its peer ID.
func (s *Site) PeerAddrs(ctx context.Context) ([]string, error) {
	out, err := s.Run(ctx, "", "status", "--data-dir", s.Dir, "-o", "json")
	if err != nil {
		return nil, err
	}
	var status struct {
		PeerAddrs []string `json:"peer_addresses"`
	}
	return status.PeerAddrs, json.Unmarshal([]byte(out), &status)
}

// Metric returns a counter of the node, named as in its metrics.
func (s *Site) Metric(ctx context.Context, name string) (float64, error) {
	all, err := s.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(all)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, nil // it was not counted yet
}

// ErrEnded says that a node's process ended by itself; its log follows.
var ErrEnded = errors.New("fleet: the node ended")

// Ready waits until the node answers. The error wraps ErrEnded, or ctx's.
func (s *Site) Ready(ctx context.Context) error {
	for {
		if _, err := s.Get(ctx, "/metrics"); err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.ended:
			return fmt.Errorf("%w:\n%s", ErrEnded, s.log.Bytes())
		case <-ctx.Done():
			return fmt.Errorf("fleet: no answer from the node: %w", ctx.Err())
		}
	}
}

// Profile writes a profile of the node's processor time to file.
func (s *Site) Profile(ctx context.Context, file string, d time.Duration) error {
	p, err := s.Get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(d.Seconds()))))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, p, 0o644)
}
