package p2p

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestHolePunching has two nodes with public addresses meet through a relay:
// with hole punching they find the direct way by themselves, without it they stay where
// they are. There is no router between them: that part is libp2p's.
func TestHolePunching(t *testing.T) {
	if !isolated(t, "ip link set lo up", "ip addr add 8.8.1.1/32 dev lo", "ip addr add 8.8.2.2/32 dev lo", "ip addr add 8.8.3.3/32 dev lo") {
		return
	}
	m := dagtest.New(t, 3)
	open := func(i int, ip string, punch bool, edit func(*Config), peers ...string) *site {
		return openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled, peers: peers,
			listen: []string{"/ip4/" + ip + "/udp/7600/quic-v1", "/ip4/" + ip + "/tcp/7600"},
			edit: func(c *Config) {
				c.HolePunching = punch
				edit(c)
			}})
	}
	hub := open(0, "8.8.1.1", false, func(c *Config) { c.RelayService = true })
	for _, punch := range []bool{false, true} {
		behind := open(1, "8.8.2.2", punch, func(c *Config) { c.Relays = hub.Addrs() })
		far := open(2, "8.8.3.3", punch, func(*Config) {})
		eventually(t, "both know a public address of theirs", func() bool {
			ready := func(s *site) bool { return slices.Contains(s.host.Mux().Protocols(), holepunch.Protocol) }
			return !punch || ready(behind) && ready(far)
		})
		if err := far.AddPeer(relayAddr(t, behind)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "they sync", func() bool {
			s, _ := far.peers.get(behind.ID())
			return far.connected(behind.ID()) && !s.lastSync.IsZero()
		})
		direct := func() bool {
			conns := far.host.Network().ConnsToPeer(behind.ID())
			return len(conns) > 0 && !slices.ContainsFunc(conns, relayed)
		}
		if punch {
			eventually(t, "they are connected directly, and only so", direct)
			id := far.put(t, "k", "v")
			eventually(t, "the op arrives", func() bool { return behind.holds(id) })
		} else if sleep(t.Context(), time.Second); !onlyRelayed(far, behind) {
			t.Error("without hole punching there is a direct connection")
		}
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		if err := behind.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
