package p2p

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

func addrOf(t *testing.T, text string) multiaddr.Multiaddr {
	t.Helper()
	a, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDoors: strangers do not get the last places for handshakes, addresses where a peer proved
// good do; a place is free again when the key is known, or the connection ended.
func TestDoors(t *testing.T) {
	crowded := 0
	d := newDoors(func() { crowded++ })
	m := d.at(&network.NullResourceManager{})
	stranger, friend := addrOf(t, "/ip4/192.0.2.1/tcp/1"), addrOf(t, "/ip4/192.0.2.2/tcp/1")
	d.good.add(friend)
	var scopes []network.ConnManagementScope
	for i := range maxHandshakes - keptHandshakes {
		s, err := m.OpenConnection(network.DirInbound, true, stranger)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		scopes = append(scopes, s)
	}
	if _, err := m.OpenConnection(network.DirInbound, true, stranger); !errors.Is(err, errCrowd) || crowded != 1 {
		t.Errorf("one stranger too many: %v, want %v; %d were counted", err, errCrowd, crowded)
	}
	if _, err := m.OpenConnection(network.DirInbound, true, friend); err != nil {
		t.Errorf("from an address that is known: %v", err)
	}
	if _, err := m.OpenConnection(network.DirOutbound, true, stranger); err != nil {
		t.Errorf("a connection that this node opens: %v", err)
	}
	if err := scopes[0].SetPeer("x"); err != nil {
		t.Fatal(err)
	}
	scopes[0].Done() // counts once
	scopes[1].Done()
	for i := range 3 {
		if _, err := m.OpenConnection(network.DirInbound, true, stranger); (err != nil) != (i == 2) {
			t.Errorf("after two ended, connection %d: %v", i, err)
		}
	}
}

// TestHostHasDoors: a host's connections over TCP are counted, and their handshakes wait for their turn.
func TestHostHasDoors(t *testing.T) {
	m := dagtest.New(t, 2)
	d := newDoors(func() {})
	h, err := newHost(m.Node(0), hostConfig{doors: d})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := listenOn(h, []string{"/ip4/127.0.0.1/tcp/0"}); err != nil {
		t.Fatal(err)
	}
	dialler, err := newHost(m.Node(1), hostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer dialler.Close()
	if err := d.pace.enter(t.Context(), false, false); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- dialler.Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}) }()
	eventually(t, "a handshake waits", func() bool {
		d.pace.mu.Lock()
		defer d.pace.mu.Unlock()
		return len(d.pace.wait[0]) == 1
	})
	if n := d.strangers.Load(); n != 1 {
		t.Errorf("%d strangers are at the door, want 1", n)
	}
	d.pace.leave(0)
	if err := <-done; err != nil {
		t.Error(err)
	}
	eventually(t, "nobody is at the door, and none computes", func() bool {
		d.pace.mu.Lock()
		defer d.pace.mu.Unlock()
		return d.strangers.Load() == 0 && !d.pace.busy
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.arrivals.tokens > acceptBurst-0.5 {
		t.Errorf("%v of %d connections may come at once, after one that came just now", d.arrivals.tokens, acceptBurst)
	}
}

// TestDoorsOfQUIC: handshakes over QUIC take from the same share, and cannot wait.
func TestDoorsOfQUIC(t *testing.T) {
	d := newDoors(func() {})
	m := d.at(&network.NullResourceManager{})
	a := addrOf(t, "/ip4/192.0.2.1/udp/1/quic-v1")
	var err error
	n := 0
	for began := time.Now(); err == nil && time.Since(began) < time.Minute; n++ {
		var s network.ConnManagementScope
		if s, err = m.OpenConnection(network.DirInbound, false, a); err == nil {
			s.Done()
		}
	}
	if !errors.Is(err, errCrowd) || n <= int(handshakeBurst/quicHandshake) {
		t.Errorf("after %d handshakes at once: %v, want %v", n, err, errCrowd)
	}
	d.pace.budget.last = time.Now().Add(-time.Second)
	if _, err := m.OpenConnection(network.DirInbound, false, a); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// TestGoodAddresses: they are networks, bounded, and not those of relays.
func TestGoodAddresses(t *testing.T) {
	as := newAddresses()
	as.add(addrOf(t, "/ip4/192.0.2.1/tcp/1"))
	as.add(addrOf(t, "/ip6/2001:db8:1:100::1/udp/1/quic-v1"))
	as.add(addrOf(t, "/ip4/198.51.100.1/tcp/1/p2p/12D3KooWQQAiMRkMba8PKpWBmK9CXcpZHGeQyHm3ChPt33Qwf9V6/p2p-circuit"))
	as.add(addrOf(t, "/dns4/example.org/tcp/1"))
	as.add(nil)
	check := func(text string, want bool) {
		t.Helper()
		if got := as.has(addrOf(t, text)); got != want {
			t.Errorf("%s is good: %v, want %v", text, got, want)
		}
	}
	check("/ip4/192.0.2.1/udp/9/quic-v1", true)
	check("/ip4/192.0.2.2/tcp/1", false)
	check("/ip6/2001:db8:1:1ff::2/tcp/1", true)
	check("/ip6/2001:db8:1:200::1/tcp/1", false)
	check("/ip4/198.51.100.1/tcp/1", false)
	as.drop(addrOf(t, "/ip4/192.0.2.1/tcp/2"))
	check("/ip4/192.0.2.1/tcp/1", false)
	for i := range 2 * maxGoodAddrs {
		as.add(addrOf(t, fmt.Sprintf("/ip4/10.0.%d.%d/tcp/1", i/256, i%256)))
	}
	if len(as.good) != maxGoodAddrs {
		t.Errorf("%d addresses are kept, want %d", len(as.good), maxGoodAddrs)
	}
}

// TestAcceptedConnectionsArePaced: beyond a burst, each waits for its place, and no longer than the listener is open.
func TestAcceptedConnectionsArePaced(t *testing.T) {
	d := newDoors(func() {})
	now := time.Now()
	var wait time.Duration
	for range acceptBurst + int(d.arrivals.rate) {
		wait = d.accepted(now)
	}
	if wait < 900*time.Millisecond || wait > time.Second {
		t.Errorf("after a burst and a second's worth more, one waits %v, want a second", wait)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := setBacklog(tcp, maxBacklog); err != nil {
		t.Error(err)
	}
	d.arrivals.tokens = -3600 * d.arrivals.rate
	l := &pacedListener{Listener: tcp, doors: d, closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	c, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a listener that was closed: %v", err)
	}
}
