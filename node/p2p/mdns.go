package p2p

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// mdnsService is the name under which nodes are found on the local network. It
// is the same for all meshes: a peer ID is a node's key, and the roster says
// whether that is one of ours, so that who listens need not be told of which mesh it is.
const mdnsService = "_causeway._udp"

// errNothingLocal says that a node listens on no address of a local network.
var errNothingLocal = errors.New("p2p: mDNS needs an address to listen on that is not loopback")

// startMDNS announces h on the local network, and learns of others there.
func startMDNS(n *Network, h host.Host) (io.Closer, error) {
	local := localHost{h}
	addrs, err := local.Network().InterfaceListenAddresses()
	if err != nil {
		return nil, fmt.Errorf("p2p: mDNS: %w", err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrConfig, errNothingLocal)
	}
	s := mdns.NewMdnsService(local, mdnsService, found{n})
	if err := s.Start(); err != nil {
		return nil, fmt.Errorf("p2p: mDNS: %w", err)
	}
	return s, nil
}

// found takes what mDNS finds. Whoever is on the local network can say anything.
type found struct{ n *Network }

func (f found) HandlePeerFound(info peer.AddrInfo) { f.n.learn(info) }

// localHost is a host that has no loopback addresses.
type localHost struct{ host.Host }

func (h localHost) Network() network.Network { return localNetwork{h.Host.Network()} }

type localNetwork struct{ network.Network }

func (n localNetwork) InterfaceListenAddresses() ([]multiaddr.Multiaddr, error) {
	addrs, err := n.Network.InterfaceListenAddresses()
	return slices.DeleteFunc(addrs, func(a multiaddr.Multiaddr) bool {
		_, err := manet.ToIP(a)
		return err != nil || manet.IsIPLoopback(a)
	}), err
}
