package p2p

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
)

// relays keeps a place at each configured relay, so that peers reach this node
// through it. It is safe for concurrent use.
type relays struct {
	n *Network

	mu    sync.Mutex
	addrs map[peer.ID][]multiaddr.Multiaddr // of this node, by way of each relay
	lost  map[peer.ID]chan struct{}         // the connection with a relay ended
}

// newRelays parses the addresses of relays. The error wraps [ErrAddress].
func newRelays(n *Network, addrs []string) (*relays, []peer.AddrInfo, error) {
	r := &relays{n: n, addrs: make(map[peer.ID][]multiaddr.Multiaddr), lost: make(map[peer.ID]chan struct{})}
	var infos []peer.AddrInfo
	for _, s := range addrs {
		info, err := ParsePeerAddr(s)
		if err != nil {
			return nil, nil, err
		}
		if i := slices.IndexFunc(infos, func(known peer.AddrInfo) bool { return known.ID == info.ID }); i >= 0 {
			infos[i].Addrs = append(infos[i].Addrs, info.Addrs...)
			continue
		}
		if info.ID != n.id {
			infos = append(infos, info)
			r.lost[info.ID] = make(chan struct{}, 1)
		}
	}
	return r, infos, nil
}

// keep keeps a place at one relay until ctx ends.
func (r *relays) keep(ctx context.Context, info peer.AddrInfo) {
	n := r.n
	n.host.ConnManager().Protect(info.ID, "relay")
	var wait time.Duration
	for ctx.Err() == nil {
		again, err := r.reserve(ctx, info)
		if err != nil && ctx.Err() == nil {
			if r.set(info.ID, nil) || wait == 0 {
				n.log.Warn("no place at a relay", "relay", info.ID.String(), "error", err)
			}
			wait = min(n.timing.DialMax, max(n.timing.DialMin, 2*wait))
			again = jitter(wait)
		} else {
			wait = 0
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.lost[info.ID]:
			if !n.connected(info.ID) {
				r.set(info.ID, nil)
			}
		}
		timer.Stop()
	}
}

// reserve asks a relay for a place, and returns when to ask again.
func (r *relays) reserve(ctx context.Context, info peer.AddrInfo) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if s, ok := r.n.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	res, err := client.Reserve(ctx, r.n.host, info)
	if err != nil {
		return 0, err
	}
	suffix, err := multiaddr.NewMultiaddr("/p2p/" + info.ID.String() + "/p2p-circuit")
	if err != nil {
		return 0, fmt.Errorf("p2p: address of a relay: %w", err)
	}
	var addrs []multiaddr.Multiaddr
	for _, a := range append(slices.Clone(info.Addrs), res.Addrs...) {
		bare, _ := peer.SplitAddr(a)
		if bare == nil || len(addrs) == maxRelayAddrs {
			continue
		}
		if full := bare.Encapsulate(suffix); !containsAddr(addrs, full) && len(full.Bytes()) <= maxAddr {
			addrs = append(addrs, full)
		}
	}
	if r.set(info.ID, addrs) {
		r.n.log.Info("peers can reach this node through a relay", "relay", info.ID.String(), "bounded", res.LimitData > 0 || res.LimitDuration > 0)
	}
	return max(time.Until(res.Expiration)/2, r.n.timing.DialMin), nil
}

// set sets by which addresses this node is reached through a relay, and
// reports whether it was reached before and is not now, or the other way round.
func (r *relays) set(id peer.ID, addrs []multiaddr.Multiaddr) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (len(addrs) == 0) != (len(r.addrs[id]) == 0)
	r.addrs[id] = addrs
	return changed
}

// all returns the addresses of this node by way of relays.
func (r *relays) all() (addrs []multiaddr.Multiaddr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.addrs {
		addrs = append(addrs, a...)
	}
	return addrs
}

// disconnected says that the last connection with a peer ended.
func (r *relays) disconnected(p peer.ID) {
	if c := r.lost[p]; c != nil {
		poke(c)
	}
}

// relayed reports whether a connection goes by way of a relay.
func relayed(c network.Conn) bool {
	_, err := c.RemoteMultiaddr().ValueForProtocol(multiaddr.P_CIRCUIT)
	return err == nil
}

// direct ends the relayed connections with p a while after a direct one was
// made, so that streams move over.
func (n *Network) direct(ctx context.Context, p peer.ID) {
	if !slices.ContainsFunc(n.host.Network().ConnsToPeer(p), relayed) || !sleep(ctx, relayGrace) {
		return
	}
	conns := n.host.Network().ConnsToPeer(p)
	if !slices.ContainsFunc(conns, func(c network.Conn) bool { return !relayed(c) }) {
		return
	}
	for _, c := range conns {
		if relayed(c) {
			_ = c.Close()
		}
	}
}

// serveRelay has h relay connections to the nodes of the mesh.
func serveRelay(n *Network, h host.Host) (*relay.Relay, error) {
	r, err := relay.New(h,
		relay.WithResources(relay.Resources{
			Limit:          nil, // between nodes of the mesh: syncs take as long as they take
			ReservationTTL: relayTTL, MaxReservations: maxConnected, MaxCircuits: maxCircuits, BufferSize: relayBuffer,
			MaxReservationsPerIP: maxAddrConns, MaxReservationsPerASN: maxConnected,
		}),
		relay.WithACL(&relayGate{n: n, strangers: newBucket(relayStrangerRate, relayStrangerBurst, time.Now())}),
		relay.WithReservationAddressFilter(func(multiaddr.Multiaddr) bool { return true }),
	)
	if err != nil {
		return nil, fmt.Errorf("p2p: relay: %w", err)
	}
	return r, nil
}

// relayGate decides who is relayed: connections to nodes that may sync here, of
// such nodes, and at a limited rate of others, who may want to join.
type relayGate struct {
	n         *Network
	mu        sync.Mutex
	strangers bucket
}

func (g *relayGate) AllowReserve(p peer.ID, _ multiaddr.Multiaddr) bool {
	return g.n.admitted(p) == nil
}

func (g *relayGate) AllowConnect(src peer.ID, _ multiaddr.Multiaddr, dest peer.ID) bool {
	if g.n.admitted(dest) != nil {
		return false
	}
	if g.n.admitted(src) == nil {
		return true
	}
	if _, banned := g.n.standings.banned(src); banned {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.strangers.take(1, time.Now())
}
