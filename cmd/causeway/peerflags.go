package main

import (
	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node"
)

// peerFlags adds the flags by which the nodes of a mesh find each other. What it
// returns completes cfg once the command line is parsed.
func peerFlags(c *cobra.Command, cfg *node.Config) (parsed func()) {
	f := c.Flags()
	f.StringSliceVar(&cfg.ListenPeerAddrs, "listen-peer-addrs", nil, "multiaddrs on which other nodes may connect (default loopback, TCP and QUIC, on ports taken at the first start and kept)")
	f.StringSliceVar(&cfg.Peers, "peers", nil, "multiaddrs of nodes to stay connected with, each ending in /p2p/<peer ID>")
	f.StringSliceVar(&cfg.AdvertisePeerAddrs, "advertise-peer-addrs", nil, "multiaddrs at which other nodes reach this one, as behind a router that forwards a port (default those listened on)")
	f.StringSliceVar(&cfg.Relays, "relays", nil, "multiaddrs of circuit relays at which this node is reached, each ending in /p2p/<peer ID>; they need not be of the mesh")
	f.BoolVar(&cfg.RelayService, "relay-service", false, "relay connections between nodes of the mesh")
	f.BoolVar(&cfg.HolePunching, "hole-punching", true, "try to replace relayed connections by direct ones")
	f.BoolVar(&cfg.MDNS, "mdns", false, "find nodes of the mesh on the local network by multicast DNS, and be found")
	exchange := f.Bool("peer-exchange", true, "tell nodes of the mesh where others are, and ask them")
	return func() { cfg.NoPeerExchange = !*exchange }
}
