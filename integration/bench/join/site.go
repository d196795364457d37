package main

import (
	"bytes"
	"context"
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

	"github.com/causeway-sync/causeway/integration/rival"
	"github.com/causeway-sync/causeway/integration/usage"
)

// A site is one node: its directory and, while it runs, its process.
type site struct {
	binary string
	dir    string
	client string // host:port
	cmd    *exec.Cmd
	log    bytes.Buffer
}

func newSite(binary, dir string) (*site, error) {
	client, err := rival.FreeAddr()
	return &site{binary: binary, dir: dir, client: client}, err
}

// start runs `causeway serve`. peer is where it listens for nodes, host:port.
func (s *site) start(ctx context.Context, peer string, args ...string) error {
	_, port, err := net.SplitHostPort(peer)
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(ctx, s.binary, append([]string{"serve", "--data-dir", s.dir, "--enable-pprof",
		"--listen-client-urls", "http://" + s.client, "--listen-peer-addrs", "/ip4/127.0.0.1/tcp/" + port}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	return s.cmd.Start()
}

// end ends the process by a signal and waits for it.
func (s *site) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended by itself
	_ = s.cmd.Wait()              // its exit status is of no interest
	s.cmd = nil
}

func (s *site) usage() (usage.Usage, error) { return usage.Of(s.cmd.Process.Pid) }

// causeway runs another command of causeway and returns what it prints.
func (s *site) causeway(ctx context.Context, in string, args ...string) (string, error) {
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

// get returns what the node serves at a path.
func (s *site) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.client+path, nil)
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

// metric returns a counter of the node, named as in its metrics.
func (s *site) metric(ctx context.Context, name string) (float64, error) {
	all, err := s.get(ctx, "/metrics")
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

// ready waits until the node answers.
func (s *site) ready(ctx context.Context) error {
	for {
		if _, err := s.get(ctx, "/metrics"); err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("no answer; its log:\n%s", s.log.Bytes()))
		}
	}
}

// profile writes a profile of the node's processor time to file.
func (s *site) profile(ctx context.Context, file string, d time.Duration) error {
	p, err := s.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(d.Seconds()))))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, p, 0o644)
}
