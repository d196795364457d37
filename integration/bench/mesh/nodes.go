package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/causeway-sync/causeway/integration/fleet"
	"github.com/causeway-sync/causeway/integration/rival"
)

// startTimeout bounds how long the mesh may take to start.
const startTimeout = 2 * time.Minute

// A mesh is running nodes, of whom the first is written to.
type mesh struct {
	options
	sites []*fleet.Site
	addrs []string // of all, for peers
}

// start builds causeway and starts the nodes, all connected with all.
func start(all context.Context, o options, scratch string) (*mesh, error) {
	m := &mesh{options: o}
	binary, err := rival.BuildCauseway(all, scratch)
	if err != nil {
		return m, err
	}
	ctx, cancel := context.WithTimeout(all, startTimeout)
	defer cancel()
	for i := range o.nodes {
		s, err := fleet.New(binary, filepath.Join(scratch, fmt.Sprintf("node-%d", i)))
		if err != nil {
			return m, err
		}
		if i > 0 {
			if err := m.join(ctx, s); err != nil {
				return m, err
			}
		}
		var args []string
		if i > 0 {
			args = []string{"--peers", strings.Join(m.addrs, ",")}
		}
		m.sites = append(m.sites, s)
		if err := s.Start(all, args...); err != nil {
			return m, err
		}
		if err := s.Ready(ctx); err != nil {
			return m, err
		}
		addrs, err := s.PeerAddrs(ctx)
		if err != nil {
			return m, err
		}
		m.addrs = append(m.addrs, addrs...)
	}
	for _, s := range m.sites {
		if err := m.connected(ctx, s); err != nil {
			return m, err
		}
	}
	return m, nil
}

// join makes s a node of the mesh. The first node lets only so many join from one
// address at a time.
func (m *mesh) join(ctx context.Context, s *fleet.Site) error {
	ticket, err := m.sites[0].Run(ctx, "", "invite", "--data-dir", m.sites[0].Dir)
	if err != nil {
		return err
	}
	for {
		_, err := s.Run(ctx, ticket, "join", "--data-dir", s.Dir, "--operator-name", filepath.Base(s.Dir))
		if err == nil || !strings.Contains(err.Error(), "too many requests") {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// connected waits until a node is connected with all others.
func (m *mesh) connected(ctx context.Context, s *fleet.Site) error {
	for {
		n, err := s.Metric(ctx, "causeway_p2p_connected_peers")
		if err != nil {
			return err
		}
		if int(n) == len(m.sites)-1 {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("a node is connected with %v of %d others: %w", n, len(m.sites)-1, ctx.Err())
		}
	}
}

func (m *mesh) stop() {
	for _, s := range m.sites {
		s.End(syscall.SIGTERM)
	}
}
