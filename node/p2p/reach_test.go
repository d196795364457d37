package p2p

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// foreignRelay is a circuit relay of nobody's mesh.
func foreignRelay(t *testing.T, m *dagtest.Mesh, opts ...relay.Option) (host.Host, []string) {
	t.Helper()
	h, err := newHost(m.Key("relay"), hostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	r, err := relay.New(h, append(opts, relay.WithReservationAddressFilter(func(multiaddr.Multiaddr) bool { return true }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := listenOn(h, DefaultListen); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for _, a := range h.Addrs() {
		addrs = append(addrs, a.String()+"/p2p/"+h.ID().String())
	}
	return h, addrs
}

// relayAddr waits until s has an address by way of a relay, and returns it.
func relayAddr(t *testing.T, s *site) (addr string) {
	t.Helper()
	eventually(t, "it is reached through the relay", func() bool {
		for _, a := range s.Addrs() {
			if strings.Contains(a, "/p2p-circuit/") {
				addr = a
			}
		}
		return addr != ""
	})
	return addr
}

// onlyRelayed reports whether two sites are connected, by way of relays alone.
func onlyRelayed(a, b *site) bool {
	conns := a.host.Network().ConnsToPeer(b.ID())
	return len(conns) > 0 && !slices.ContainsFunc(conns, func(c network.Conn) bool { return !relayed(c) })
}

// TestRelayOnly has two nodes sync that nobody can connect to, through a relay
// that is not of the mesh: one that relays what comes, and one that ends each
// connection after 1 MiB, where a longer history comes in pieces.
func TestRelayOnly(t *testing.T) {
	for name, opts := range map[string][]relay.Option{"unbounded": {relay.WithInfiniteLimits()}, "bounded": {relay.WithLimit(&relay.RelayLimit{Duration: time.Minute, Data: 1 << 20})}} {
		t.Run(name, func(t *testing.T) {
			m := dagtest.New(t, 2)
			_, relays := foreignRelay(t, m, opts...)
			behind := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, listen: []string{},
				edit: func(c *Config) { c.Relays = relays[:1] }})
			for range 40 {
				behind.put(t, "early", strings.Repeat("v", 64<<10))
			}
			dialler := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, listen: []string{},
				peers: []string{relayAddr(t, behind)}})
			eventually(t, "the history arrived", equalHeads(behind, dialler))
			if name == "unbounded" && !onlyRelayed(behind, dialler) {
				t.Error("they are connected otherwise than through the relay")
			}
			if cut := dialler.count(t, "causeway_p2p_syncs_total", "failed"); name == "bounded" && cut == 0 {
				t.Error("no session was cut at the relay's bound")
			}
			there, back := behind.put(t, "k", "from behind"), dialler.put(t, "l", "to behind")
			eventually(t, "both hold both ops", func() bool { return dialler.holds(there) && behind.holds(back) })
			for _, s := range []*site{behind, dialler} {
				for _, p := range s.Peers() {
					if p.Misconduct != "" {
						t.Errorf("a peer was blamed for %s", p.Misconduct)
					}
				}
			}
		})
	}
}

// TestRelayOfTheMesh has a node of the mesh relay: to its nodes without bounds,
// and no place for a stranger.
func TestRelayOfTheMesh(t *testing.T) {
	m := dagtest.New(t, 3)
	hub := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: func(c *Config) { c.RelayService = true }})
	behind := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, listen: []string{},
		edit: func(c *Config) { c.Relays = hub.Addrs() }})
	addr := relayAddr(t, behind)
	far := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(2), ops: m.Enrolled, listen: []string{}, peers: []string{addr}})
	eventually(t, "they sync with each other", func() bool {
		s, _ := far.peers.get(behind.ID())
		return onlyRelayed(far, behind) && !s.lastSync.IsZero()
	})
	if slices.ContainsFunc(far.host.Network().ConnsToPeer(behind.ID()), func(c network.Conn) bool { return c.Stat().Limited }) {
		t.Error("the relay of the mesh bounds the connection")
	}
	eventually(t, "they gossip with each other", func() bool { return slices.Contains(far.gossip.topic.ListPeers(), behind.ID()) })

	l := newLiar(t, m.Key("nobody"), hub)
	if _, err := client.Reserve(t.Context(), l.Host, peer.AddrInfo{ID: hub.ID()}); err == nil {
		t.Error("a stranger was given a place at the relay")
	}
	// A stranger may come by, to join. It gets no further than at the front door.
	info, err := ParsePeerAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Connect(t.Context(), info); err != nil {
		t.Fatalf("a stranger cannot reach the node behind the relay: %v", err)
	}
	s, err := l.NewStream(t.Context(), behind.ID(), SyncProtocol)
	if err != nil {
		t.Fatal(err)
	}
	f := newFramer(s, 1<<20, time.Second)
	if err := f.write(hello()); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(s)
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled {
		t.Errorf("a sync of the stranger: %v, want a reset with code %d", err, codeNotEnrolled)
	}
}

// TestRelayReturns restarts a relay: the node behind it asks for its place again.
func TestRelayReturns(t *testing.T) {
	m := dagtest.New(t, 2)
	store := siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: func(c *Config) { c.RelayService = true }}
	hub := openSite(t, store)
	behind := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, listen: []string{},
		edit: func(c *Config) { c.Relays = hub.Addrs()[:1] }})
	relayAddr(t, behind)
	addr, _, _ := strings.Cut(hub.Addrs()[0], "/p2p/")
	if err := hub.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the place is lost", func() bool { return len(behind.relays.all()) == 0 })
	store.listen = []string{addr}
	openSite(t, store)
	eventually(t, "it has its place again", func() bool { return len(behind.relays.all()) > 0 })
}

// TestDirectConnection has two nodes that met through a relay find a direct
// way: what they exchange moves there, and the relayed connection ends.
func TestDirectConnection(t *testing.T) {
	m := dagtest.New(t, 3)
	hub := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: func(c *Config) { c.RelayService = true }})
	behind := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, edit: func(c *Config) { c.Relays = hub.Addrs() }})
	far := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(2), ops: m.Enrolled, listen: []string{}, peers: []string{relayAddr(t, behind)}})
	eventually(t, "they are connected through the relay", func() bool { return far.connected(behind.ID()) })
	far.host.Peerstore().AddAddrs(behind.ID(), behind.host.Network().ListenAddresses(), peerstore.PermanentAddrTTL)
	ctx := network.WithForceDirectDial(t.Context(), "test")
	if _, err := far.host.Network().DialPeer(ctx, behind.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "only the direct connection stays", func() bool {
		conns := far.host.Network().ConnsToPeer(behind.ID())
		return len(conns) > 0 && !slices.ContainsFunc(conns, relayed)
	})
	id := behind.put(t, "k", "v")
	eventually(t, "the op arrives", func() bool { return far.holds(id) })
}

// TestJoinThroughRelay redeems a ticket of a node that only a relay reaches.
func TestJoinThroughRelay(t *testing.T) {
	m := dagtest.New(t, 1)
	_, relays := foreignRelay(t, m)
	behind := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, listen: []string{},
		edit: func(c *Config) { c.Relays = relays }})
	relayAddr(t, behind)
	ticket := invite(t, m, behind, "1", time.Now().Add(time.Hour).Truncate(time.Millisecond))
	j, err := redeemAs(t, m, ticket, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if key, err := identity.ParsePublicKey(behind.self.String()); err != nil || j.Host != key {
		t.Errorf("joined at %v, want %v", j.Host, key)
	}
}

// TestAdvertise has a node told where others reach it.
func TestAdvertise(t *testing.T) {
	m := dagtest.New(t, 1)
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled,
		edit: func(c *Config) { c.Advertise = []string{"/dns4/site.example/tcp/7600"} }})
	want := []string{"/dns4/site.example/tcp/7600/p2p/" + s.ID().String()}
	if got := s.Addrs(); !slices.Equal(got, want) {
		t.Errorf("Addrs = %v, want %v", got, want)
	}
	for _, bad := range []Config{
		{Advertise: []string{"site.example:7600"}}, {Advertise: want}, {Relays: []string{"/ip4/127.0.0.1/tcp/1"}},
		{Advertise: slices.Repeat([]string{"/ip4/192.0.2.1/tcp/1"}, maxTicketAddrs+1)}, {Relays: slices.Repeat(want, maxRelays+1)},
	} {
		if err := CheckReach(bad.Advertise, bad.Relays); err == nil {
			t.Errorf("CheckReach(%v, %v) succeeded", bad.Advertise, bad.Relays)
		}
	}
}
