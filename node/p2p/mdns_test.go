package p2p

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
)

// TestMDNS has two nodes of a mesh, and one of another, find each other on a
// local network: the two connect, nobody dials the third, and what is announced names
// no mesh.
func TestMDNS(t *testing.T) {
	if !isolated(t, "ip link set lo up", "ip link add v0 type veth peer name v1", "ip addr add 10.78.0.1/24 dev v0", "ip addr add 10.78.0.2/24 dev v0",
		"ip addr add 10.78.0.3/24 dev v0", "ip link set v0 up", "ip link set v1 up") {
		return
	}
	heard := listenMDNS(t)
	m := dagtest.New(t, 2)
	other := dagtest.NewMesh(t, dagtest.Config{Name: "other", Authors: 1})
	open := func(mesh *dagtest.Mesh, i int, ip string) *site {
		return openSite(t, siteConfig{mesh: mesh.Founding.ID(), key: mesh.Node(i), ops: mesh.Enrolled,
			listen: []string{"/ip4/" + ip + "/udp/0/quic-v1", "/ip4/" + ip + "/tcp/0"}, edit: func(c *Config) { c.MDNS = true }})
	}
	a, foreign, b := open(m, 0, "10.78.0.1"), open(other, 0, "10.78.0.3"), open(m, 1, "10.78.0.2")
	id := a.put(t, "k", "v")
	eventually(t, "the two sync", func() bool { return b.holds(id) })
	said := heard()
	if !bytes.Contains(said, []byte("_causeway")) || !bytes.Contains(said, []byte(a.ID().String())) {
		t.Error("the announcements were not heard")
	}
	for _, secret := range []string{m.Founding.ID().String(), string(mustBytes(m)), Topic(m.Founding.ID())} {
		if bytes.Contains(said, []byte(secret)) {
			t.Error("an announcement names the mesh")
		}
	}
	if len(foreign.host.Network().Peers()) > 0 {
		t.Errorf("the node of another mesh is connected with %v", foreign.host.Network().Peers())
	}
}

func mustBytes(m *dagtest.Mesh) []byte { id := m.Founding.ID(); return id[:] }

// listenMDNS gathers what is sent to the group of mDNS, until the result is
// called, which returns it.
func listenMDNS(t *testing.T) func() []byte {
	t.Helper()
	dev, err := net.InterfaceByName("v0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenMulticastUDP("udp4", dev, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte)
	go func() {
		var all []byte
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			if err != nil {
				done <- all
				return
			}
			all = append(all, b[:n]...)
		}
	}()
	var said []byte
	stop := func() []byte {
		if c != nil {
			c.Close()
			c, said = nil, <-done
		}
		return said
	}
	t.Cleanup(func() { stop() })
	return stop
}

// TestMDNSNeedsALocalNetwork has a node on loopback refuse to announce itself.
func TestMDNSNeedsALocalNetwork(t *testing.T) {
	m := dagtest.New(t, 1)
	n, err := Open(t.Context(), Config{Key: m.Node(0), Mesh: m.Founding.ID(), Backend: newFakeBackend(m.Founding.ID(), m.Node(0), m.Enrolled...),
		Meta: memstore.New(), MDNS: true, Timing: Timing{Stall: time.Second}})
	if !errors.Is(err, ErrConfig) || !errors.Is(err, errNothingLocal) {
		t.Errorf("Open = %v, %v, want errNothingLocal", n, err)
	}
}
