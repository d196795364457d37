package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// maxDials bounds attempts to connect at one time, dialTimeout each.
const (
	maxDials    = 8
	dialTimeout = 10 * time.Second
)

// dialLoop keeps the peers of the book connected, until ctx ends.
func (n *Network) dialLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	slots := make(chan struct{}, maxDials)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-n.book.wake:
		}
		infos, again := n.book.due(n.connected, maxDials-len(slots), len(n.host.Network().Peers()) >= maxDialled)
		for _, info := range infos {
			slots <- struct{}{} // there is room: only this goroutine fills it
			started := n.start(func(ctx context.Context) {
				defer func() { <-slots }()
				n.book.dialled(info.ID, n.dial(ctx, info) == nil)
			})
			if !started {
				return
			}
		}
		timer.Reset(again)
	}
}

// dial connects to a peer. How often it is tried is the book's to say, so the
// swarm's own waiting time after a failure is cleared.
func (n *Network) dial(ctx context.Context, info peer.AddrInfo) error {
	if info.ID == n.id {
		return errors.New("p2p: the address is this node's own")
	}
	if s, ok := n.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	n.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, err := n.host.Network().DialPeer(network.WithAllowLimitedConn(ctx, "dial"), info.ID)
	if err != nil {
		n.log.Debug("cannot reach peer", "peer", info.ID.String(), "error", err)
		n.peers.failed(info.ID, err)
	}
	return err
}

// connected reports whether there is a connection with p, maybe by way of a
// relay that bounds it.
func (n *Network) connected(p peer.ID) bool {
	if p == n.id {
		return true
	}
	c := n.host.Network().Connectedness(p)
	return c == network.Connected || c == network.Limited
}

// reach returns a context for streams on connections that there are, also those
// that a relay bounds.
func reach(ctx context.Context, why string) context.Context {
	return network.WithAllowLimitedConn(network.WithNoDial(ctx, why), why)
}

// notifiee follows connections coming and going. Its methods must not block.
type notifiee struct{ *network.NotifyBundle }

func (n *Network) notifiee() network.Notifiee {
	return notifiee{&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			poke(n.lanes.wake)
			if n.admitted(c.RemotePeer()) == nil {
				n.doors.good.add(c.RemoteMultiaddr())
			}
			if !relayed(c) {
				n.start(func(ctx context.Context) { n.direct(ctx, c.RemotePeer()) })
			}
			n.start(func(ctx context.Context) { n.closeDead(ctx, c.RemotePeer()) })
			if c.Stat().Direction == network.DirOutbound {
				n.syncer.want(c.RemotePeer(), 0)
			} else {
				// The dialler begins; if it does not, we do.
				n.syncer.want(c.RemotePeer(), n.timing.SyncActive)
			}
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			p := c.RemotePeer()
			if n.connected(p) {
				return
			}
			n.book.retry(p)
			n.delivery.forget(p)
			n.relays.disconnected(p)
			n.directory.forget(p)
		},
	}}
}
