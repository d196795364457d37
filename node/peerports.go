package node

import (
	"context"
	"errors"
	"strings"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/p2p"
)

// metaListen is the store's name for the addresses listened on last, one to a
// line, where the configuration left the ports to the system.
const metaListen = "node/listen"

// openNetwork opens the network. Where no addresses are configured it listens
// on those of last time, if they are free: peers remember them.
func (n *Node) openNetwork(ctx context.Context, cfg p2p.Config) (err error) {
	if cfg.Listen != nil {
		n.network, err = p2p.Open(ctx, cfg)
		return err
	}
	last, err := n.store.GetMeta(metaListen)
	if err != nil && !errors.Is(err, dag.ErrNotFound) {
		return err
	}
	if len(last) > 0 {
		cfg.Listen = strings.Split(string(last), "\n")
		if n.network, err = p2p.Open(ctx, cfg); err == nil {
			return nil
		}
		n.log.Warn("cannot listen where peers know this node; taking other ports", "err", err)
		cfg.Listen = nil
	}
	if n.network, err = p2p.Open(ctx, cfg); err != nil {
		return err
	}
	return n.store.PutMeta(metaListen, []byte(strings.Join(n.network.ListenAddrs(), "\n")))
}
