package p2p

import (
	"fmt"
	"slices"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// parseAdvertised parses addresses at which others reach this node. The error
// wraps [ErrAddress].
func parseAdvertised(addrs []string) (out []multiaddr.Multiaddr, err error) {
	if len(addrs) > maxTicketAddrs {
		return nil, fmt.Errorf("advertise: %w: %d, at most %d", ErrAddress, len(addrs), maxTicketAddrs)
	}
	for _, s := range addrs {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil || len(a.Bytes()) > maxAddr {
			return nil, fmt.Errorf("advertise %q: %w: %v", s, ErrAddress, err)
		}
		if _, err := a.ValueForProtocol(multiaddr.P_P2P); err == nil {
			return nil, fmt.Errorf("advertise %q: %w: it holds a peer ID", s, ErrAddress)
		}
		out = append(out, a)
	}
	return out, nil
}

// advertised returns the addresses that peers are told: those that are
// configured, else those of this machine on which the node listens, and in any
// case those by way of relays. Where others say that they see this node is told
// to nobody but for hole punching: liars could name an address of somebody else.
func (n *Network) advertised(listening []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	addrs := n.advertise
	if len(addrs) == 0 {
		addrs = listening
		if n.cfg.HolePunching {
			addrs = ofThisMachine(addrs)
		}
	}
	return append(slices.Clone(addrs), n.relays.all()...)
}

// ofThisMachine returns the addresses whose IP address is one of the machine's.
func ofThisMachine(addrs []multiaddr.Multiaddr) (out []multiaddr.Multiaddr) {
	own, err := manet.InterfaceMultiaddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		ip, err := manet.ToIP(a)
		if err == nil && slices.ContainsFunc(own, func(o multiaddr.Multiaddr) bool {
			i, err := manet.ToIP(o)
			return err == nil && i.Equal(ip)
		}) {
			out = append(out, a)
		}
	}
	return out
}
