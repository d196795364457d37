package p2p

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// DefaultListen is where a node listens when nothing is configured: loopback,
// on ports the system chooses, over QUIC and TCP.
var DefaultListen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}

// Config says how a [Network] runs. Key, Mesh, Backend and Meta are required.
type Config struct {
	// Key is the node's key: its peer ID is derived from it.
	Key *identity.PrivateKey
	// Mesh is the ID of the founding operation.
	Mesh dag.ID
	// Backend and Meta are the node's.
	Backend Backend
	Meta    Meta

	// Listen holds the multiaddrs to listen on; nil means [DefaultListen],
	// an empty slice means not to listen.
	Listen []string
	// Peers holds multiaddrs of peers, each ending in /p2p/<peer ID>, that
	// this node connects to and keeps connected, at most 256.
	Peers []string
	// Advertise holds multiaddrs, without peer ID, at which other nodes reach
	// this one where it does not know so by itself, as behind a router that
	// forwards a port; at most 16. They are told in place of those listened on.
	Advertise []string
	// Relays holds multiaddrs of circuit relays (version 2), each ending in
	// /p2p/<peer ID>, at most 8: for a node that others cannot connect to. It keeps a
	// place at each, and tells peers that they reach it there. A relay need not be
	// of the mesh: what passes is encrypted.
	Relays []string
	// RelayService has the node relay connections to other nodes of the mesh.
	RelayService bool
	// MDNS has the node announce itself on the local network, and look there for
	// nodes of the mesh. It needs an address to listen on that is not loopback.
	MDNS bool
	// NoPeerExchange has the node neither tell peers where others are, nor ask
	// them, nor be told of by those who keep to this.
	NoPeerExchange bool
	// HolePunching has the node try to replace relayed connections by direct
	// ones: it then also tells the peer of such a connection the addresses at which others
	// see it.
	HolePunching bool

	// Spaces are what ops take up. While one is short, those of proven forkers and
	// of revoked authors wait. Nil: none ever is.
	Spaces []Space

	// HostOptions are applied to the libp2p host after all others: a simulation
	// gives it a network of its own. Nil but there.
	HostOptions []libp2p.Option

	// Logger receives the package's log; nil means to log nothing.
	Logger *slog.Logger
	// Registerer receives the package's metrics; nil means not to export them.
	Registerer prometheus.Registerer

	// Timing holds the intervals; its zero fields take their defaults.
	Timing Timing

	room room // for tests
}

// room is how many peers there is room for. A zero field takes its default.
type room struct {
	peers, strangers        int // connected
	sessionsIn, sessionsOut int
}

func (r room) withDefaults() room {
	for _, f := range []struct {
		v *int
		d int
	}{{&r.peers, maxConnected}, {&r.strangers, maxStrangers}, {&r.sessionsIn, maxSessionsIn}, {&r.sessionsOut, maxSessionsOut}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return r
}

// Timing holds the intervals of a [Network]. A zero field takes its default.
type Timing struct {
	// SyncActive is the mean interval between two syncs with a random peer
	// while there are changes (default 2 s, jittered by half), SyncIdle the
	// greatest it backs off to when there are none (default 30 s).
	SyncActive, SyncIdle time.Duration
	// Announce is how long after a change heads are announced (default 500 ms, jittered).
	Announce time.Duration
	// Settle is how long gossip may take to bring an op's missing past
	// before a sync asks for it (default 100 ms).
	Settle time.Duration
	// Stall is how long a peer may take for a frame's next 64 KiB (default 10 s).
	Stall time.Duration
	// DialMin and DialMax bound the wait between two attempts to reach a peer
	// (defaults 500 ms, 30 s), which doubles.
	DialMin, DialMax time.Duration
	// LaneMin and LaneMax bound the wait between two sessions of the statement
	// lane with a peer that is shut out (defaults 1 s, 5 min), which doubles
	// until the roster changes.
	LaneMin, LaneMax time.Duration
	// BanMin and BanMax bound the time a peer that lied is shut out
	// (defaults 30 s, 1 h), which doubles with each lie.
	BanMin, BanMax time.Duration
	// LogEvery is how often one kind of misbehaviour of one peer is logged (default 1 min).
	LogEvery time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, f := range []struct {
		v *time.Duration
		d time.Duration
	}{
		{&t.SyncActive, 2 * time.Second}, {&t.SyncIdle, 30 * time.Second},
		{&t.Announce, 500 * time.Millisecond}, {&t.Settle, 100 * time.Millisecond},
		{&t.Stall, 10 * time.Second},
		{&t.DialMin, 500 * time.Millisecond}, {&t.DialMax, 30 * time.Second},
		{&t.LaneMin, time.Second}, {&t.LaneMax, 5 * time.Minute},
		{&t.BanMin, 30 * time.Second}, {&t.BanMax, time.Hour},
		{&t.LogEvery, time.Minute},
	} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return t
}

// Validate checks the configuration. The error wraps [ErrConfig], and
// [ErrAddress] where an address is at fault.
func (c *Config) Validate() error {
	switch {
	case c.Key == nil:
		return fmt.Errorf("%w: no node key", ErrConfig)
	case c.Mesh == dag.ID{}:
		return fmt.Errorf("%w: no mesh", ErrConfig)
	case c.Backend == nil:
		return fmt.Errorf("%w: no backend", ErrConfig)
	case c.Meta == nil:
		return fmt.Errorf("%w: no store for named values", ErrConfig)
	case len(c.Peers) > maxPeers:
		return fmt.Errorf("%w: %d peers, at most %d", ErrConfig, len(c.Peers), maxPeers)
	}
	if err := CheckAddrs(c.Listen, c.Peers); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := CheckReach(c.Advertise, c.Relays); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for _, d := range []time.Duration{c.Timing.SyncActive, c.Timing.SyncIdle, c.Timing.Announce, c.Timing.Settle, c.Timing.Stall,
		c.Timing.DialMin, c.Timing.DialMax, c.Timing.LaneMin, c.Timing.LaneMax, c.Timing.BanMin, c.Timing.BanMax, c.Timing.LogEvery} {
		if d < 0 {
			return fmt.Errorf("%w: negative interval %v", ErrConfig, d)
		}
	}
	return nil
}

// CheckAddrs checks the form of addresses to listen on and of peers to connect
// with. The error wraps [ErrAddress].
func CheckAddrs(listen, peers []string) error {
	for _, s := range listen {
		if _, err := multiaddr.NewMultiaddr(s); err != nil {
			return fmt.Errorf("listen on %q: %w: %v", s, ErrAddress, err)
		}
	}
	for _, s := range peers {
		if _, err := ParsePeerAddr(s); err != nil {
			return err
		}
	}
	return nil
}

// CheckReach checks the form of addresses to advertise and of relays. The error
// wraps [ErrAddress].
func CheckReach(advertise, relays []string) error {
	if len(relays) > maxRelays {
		return fmt.Errorf("%w: %d relays, at most %d", ErrAddress, len(relays), maxRelays)
	}
	for _, s := range relays {
		if _, err := ParsePeerAddr(s); err != nil {
			return fmt.Errorf("relay: %w", err)
		}
	}
	_, err := parseAdvertised(advertise)
	return err
}
