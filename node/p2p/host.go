package p2p

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	conns "github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/identity"
)

// Protocol IDs of our streams (docs/p2p.md).
const (
	SyncProtocol protocol.ID = "/causeway/sync/0"
	LaneProtocol protocol.ID = "/causeway/statements/0"
	JoinProtocol protocol.ID = "/causeway/join/0"
)

// quicBufferWarning is the variable by which quic-go is told not to print,
// past our log, that the system bounds UDP buffers below what it would like.
// A mesh's traffic does not need them.
const quicBufferWarning = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"

// quiet keeps libp2p's and quic-go's own messages off standard error: errors
// reach our log where they matter. Neither library offers a setting per host. libp2p's log
// can still be had by its variable GOLOG_LOG_LEVEL.
var quiet = sync.OnceFunc(func() {
	if _, set := os.LookupEnv(quicBufferWarning); !set {
		_ = os.Setenv(quicBufferWarning, "true") // read when the first socket is opened
	}
	if _, set := os.LookupEnv("GOLOG_LOG_LEVEL"); !set {
		gologshim.SetDefaultHandler(slog.DiscardHandler)
	}
})

// hostConfig says how a host is reached. The zero value dials only.
type hostConfig struct {
	gater connmgr.ConnectionGater // nil lets everybody in
	// addrs makes the addresses that peers are told of those that it listens
	// on or is seen at; nil leaves them as they are.
	addrs func([]multiaddr.Multiaddr) []multiaddr.Multiaddr
	// punch has the host try to replace relayed connections by direct ones.
	punch bool
	// pinned are addresses of configured peers: they have room where others have none.
	pinned []multiaddr.Multiaddr
	// doors decide about connections that peers open; nil for some of its own.
	doors *doors
	// further options are applied after all others.
	further []libp2p.Option
}

// newHost makes a libp2p host that speaks QUIC and TCP (TLS or Noise) and
// reaches peers behind relays. It does not listen yet (see listenOn), and runs
// no discovery, no address translation and no ping, unless further options say so.
func newHost(key *identity.PrivateKey, c hostConfig) (host.Host, error) {
	quiet()
	priv, err := hostKey(key)
	if err != nil {
		return nil, err
	}
	if c.doors == nil {
		c.doors = newDoors(func() {})
	}
	resources, err := newResources(c.pinned)
	if err != nil {
		return nil, err
	}
	manager, err := conns.NewConnManager(connLow, connHigh, conns.WithGracePeriod(connGrace))
	if err != nil {
		resources.Close()
		return nil, fmt.Errorf("p2p: connection manager: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(priv),
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(newTCP(c.doors)),
		libp2p.Security(tls.ID, func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*pacedSecurity, error) {
			t, err := tls.New(id, key, muxers)
			return &pacedSecurity{t, c.doors}, err
		}),
		libp2p.Security(noise.ID, func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*pacedSecurity, error) {
			t, err := noise.New(id, key, muxers)
			return &pacedSecurity{t, c.doors}, err
		}),
		libp2p.ResourceManager(c.doors.at(resources)),
		libp2p.ConnectionManager(manager),
		libp2p.UserAgent("causeway"),
		libp2p.Ping(false),
		libp2p.ForceReachabilityPrivate(),
		libp2p.DisableMetrics(),
		libp2p.NoListenAddrs,
		libp2p.EnableRelay(), // NoListenAddrs ends it
	}
	if c.punch {
		opts = append(opts, libp2p.EnableHolePunching())
	} else {
		opts = append(opts, libp2p.DisableIdentifyAddressDiscovery())
	}
	if c.addrs != nil {
		opts = append(opts, libp2p.AddrsFactory(c.addrs))
	}
	if c.gater != nil {
		opts = append(opts, libp2p.ConnectionGater(c.gater))
	}
	h, err := libp2p.New(append(opts, c.further...)...)
	if err != nil {
		manager.Close()
		resources.Close()
		return nil, fmt.Errorf("p2p: make a host: %w", err)
	}
	return h, nil
}

// listenOn opens the sockets one by one: given several addresses at once, the
// host would be content with one that works.
func listenOn(h host.Host, addrs []string) error {
	for _, text := range addrs {
		a, err := multiaddr.NewMultiaddr(text)
		if err == nil {
			err = h.Network().Listen(a)
		}
		if err != nil {
			return fmt.Errorf("p2p: listen on %s: %w", text, err)
		}
	}
	return nil
}
