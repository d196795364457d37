package virtual

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
)

// What the network is like.
const (
	latency   = 100 * time.Millisecond // of every link, one way
	lossRate  = 0.01                   // of packets
	bandwidth = 20_000_000             // of every node, bits per second each way
	port      = 8000                   // of every node
)

// A wire is the network between all nodes: packets on it take their time, get
// lost, and do not get from one side of a partition to the other.
type wire struct {
	net *simnet.Simnet

	mu   sync.Mutex
	rng  *rand.Rand
	side map[string]int // by address, of the present partition
	down map[string]bool
}

func newWire(seed uint64) *wire {
	w := &wire{
		net: &simnet.Simnet{
			LatencyFunc: simnet.StaticLatency(latency),
			Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		},
		rng:  rand.New(rand.NewPCG(seed, 3)),
		side: make(map[string]int),
		down: make(map[string]bool),
	}
	w.net.Start()
	return w
}

// addr returns where node i listens.
func addr(i int) *net.UDPAddr { return &net.UDPAddr{IP: simnet.IntToPublicIPv4(i), Port: port} }

func multiaddr(i int) string { return fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", addr(i).IP, port) }

// passes reports whether a packet gets from one address to another.
func (w *wire) passes(from, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.side[from] == w.side[to] && !w.down[from] && !w.down[to] && w.rng.Float64() >= lossRate
}

// part puts each node on one side of a partition, 0 for all ends it.
func (w *wire) part(side func(i int) int, nodes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range nodes {
		w.side[addr(i).String()] = side(i)
	}
}

// options give a libp2p host a socket on the wire. end closes it, after the host.
func (w *wire) options(i int) (opts []libp2p.Option, end func() error) {
	var m *quicreuse.ConnManager
	open := func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey) (*quicreuse.ConnManager, error) {
		var err error
		m, err = quicreuse.NewConnManager(reset, token,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return sourceIP(addr(i).IP), nil }),
			quicreuse.OverrideListenUDP(func(_ string, a *net.UDPAddr) (net.PacketConn, error) {
				link := simnet.LinkSettings{BitsPerSecond: bandwidth}
				return &socket{w.net.NewEndpoint(a, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}), w}, nil
			}))
		return m, err
	}
	end = func() error {
		if m == nil {
			return nil
		}
		return m.Close()
	}
	return []libp2p.Option{libp2p.QUICReuse(open), libp2p.DisableIdentifyAddressDiscovery()}, end
}

// sourceIP is the address that a node sends from, whereto ever.
type sourceIP net.IP

// PreferredSourceIPForDestination implements quicreuse.SourceIPSelector.
func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}

// socket is a node's, from which packets get lost.
type socket struct {
	*simnet.SimConn
	wire *wire
}

// WriteTo implements net.PacketConn.
func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	if !s.wire.passes(s.LocalAddr().String(), to.String()) {
		return len(p), nil
	}
	return s.SimConn.WriteTo(p, to)
}
