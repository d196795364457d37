package node

import (
	"context"
	"errors"
)

// Run runs the node in cfg.DataDir until ctx is done, and then returns nil, or
// until the node stops by itself, and then returns why. After a rotation of
// the node's key it opens the node again, at the same client URLs. opened, if not nil, is called
// with the node each time it is open; it must not keep it beyond its Done.
// Errors are those of [Open], and [Node.Err].
func Run(ctx context.Context, cfg Config, opened func(*Node)) error {
	for {
		n, err := Open(ctx, cfg)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // told to stop while it opened
		}
		if err != nil {
			return err
		}
		if opened != nil {
			opened(n)
		}
		// Ports that the system chose stay the node's.
		cfg.ListenClientURLs, cfg.ListenMetricsURLs = n.ClientURLs(), n.gateway.MetricsURLs()
		n.wait(ctx)
		rotated := errors.Is(n.Err(), ErrRotated)
		if rotated {
			err = n.Close()
		} else {
			err = errors.Join(n.Err(), n.Close())
		}
		if err != nil || !rotated || ctx.Err() != nil {
			return err
		}
		n.log.Info("opening again with the new key", "data_dir", cfg.DataDir)
	}
}

// wait returns once ctx is done or the node has stopped by itself, and logs
// when clients are served.
func (n *Node) wait(ctx context.Context) {
	n.log.Info("serving", "clients", n.ClientURLs(), "data_dir", n.cfg.DataDir)
	ready := n.Ready()
	select {
	case <-ready:
		ready = nil
	default:
		n.log.Info("clients are refused until the first sync is complete")
	}
	for {
		select {
		case <-ready:
			n.log.Info("the first sync is complete: clients are served")
			ready = nil
		case <-ctx.Done():
			n.log.Info("stopping")
			return
		case <-n.Done():
			return
		}
	}
}
