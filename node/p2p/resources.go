package p2p

import (
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// newResources returns libp2p's bounds: of connections and streams our own, of
// memory and descriptors in proportion to the machine's. They are generous per
// network address, as several sites may be behind one router; what a peer may
// use is bounded by its key elsewhere. pinned addresses of peers have room
// beyond them.
func newResources(pinned []multiaddr.Multiaddr) (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	partial := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			ConnsInbound: maxConnsIn, ConnsOutbound: maxConnsIn, Conns: maxConns,
			StreamsInbound: maxStreams, StreamsOutbound: maxStreams, Streams: 2 * maxStreams,
		},
		Transient: rcmgr.ResourceLimits{ConnsInbound: maxHandshakes, Conns: 2 * maxHandshakes},
	}
	everywhere := func(bits, count int) rcmgr.ConnLimitPerSubnet {
		return rcmgr.ConnLimitPerSubnet{PrefixLength: bits, ConnCount: count}
	}
	often := func(bits int, factor float64) rate.SubnetLimit {
		return rate.SubnetLimit{PrefixLength: bits, Limit: rate.Limit{RPS: factor * addrConnRate, Burst: int(factor * addrConnBurst)}}
	}
	manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(partial.Build(limits.AutoScale())),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{everywhere(32, maxAddrConns)},
			[]rcmgr.ConnLimitPerSubnet{everywhere(56, maxAddrConns), everywhere(48, 2*maxAddrConns)}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{
				{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}, // no limit
			},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{often(32, 1)},
				IPv6SubnetLimits: []rate.SubnetLimit{often(56, 1), often(48, 2)},
				GracePeriod:      addrConnGrace,
			},
		}),
		rcmgr.WithAllowlistedMultiaddrs(withIP(pinned)),
	)
	if err != nil {
		return nil, fmt.Errorf("p2p: resource limits: %w", err)
	}
	return manager, nil
}

// withIP returns the addresses that begin with an IP address.
func withIP(addrs []multiaddr.Multiaddr) (out []multiaddr.Multiaddr) {
	for _, a := range addrs {
		if _, err := manet.ToIP(a); err == nil {
			out = append(out, a)
		}
	}
	return out
}
