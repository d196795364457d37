package adversary

import (
	"crypto/sha256"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// TestConnectionFlood: connections that say nothing, that say garbage, and that
// show fresh keys, hundreds at once. The correct nodes stay connected.
func TestConnectionFlood(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	victim := m.Sites[0]
	info, err := p2p.ParsePeerAddr(victim.Address())
	if err != nil {
		t.Fatal(err)
	}
	protocol, raw := multiaddr.P_TCP, "tcp"
	if OverQUIC {
		protocol, raw = multiaddr.P_UDP, "udp"
	}
	port, err := info.Addrs[0].ValueForProtocol(protocol)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i := range size(100, 600) {
		key := identity.NewKeyFromSeed(sha256.Sum256([]byte(fmt.Sprint("stranger", i))))
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			p := NewPeer(t, key, m.World.Founding.ID())
			if p.TryDial(victim.Address()) == nil {
				p.Sync(victim, nil, p.Open()...)
			}
		})
	}
	wg.Wait()
	t.Logf("%v connections with a key", victim.Metric(t, "causeway_p2p_connected_peers"))
	Eventually(t, "a metric counts the strangers", func() bool {
		return victim.Metric(t, "causeway_p2p_misbehaviour_total", Label("reason", "not-enrolled")) > 0
	})
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range size(400, 3000) {
		c, err := net.DialTimeout(raw, "127.0.0.1:"+port, time.Second)
		if err != nil {
			continue // it takes no more
		}
		if i%2 == 0 {
			_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		} else if OverQUIC {
			_, _ = c.Write(initialPacket(i))
		}
		conns = append(conns, c)
	}
	t.Logf("%d raw connections", len(conns))
	for _, s := range m.Sites[1:] {
		if p, _ := s.Peer(t, victim.Key); !p.Connected {
			t.Errorf("%s lost its connection with the victim", s.Name)
		}
	}
	victim.Put(t, "/flooded", "x")
	for _, s := range m.Sites {
		s.Becomes(t, "/flooded", "x")
	}
	w.Survived(t, Budget{Memory: 192 << 20, Disk: 24 << 20})
}

// initialPacket looks like the first packet of a QUIC connection, and opens none.
func initialPacket(i int) []byte {
	b := make([]byte, 1200)
	for at := 0; at < len(b); at += sha256.Size {
		sum := sha256.Sum256(fmt.Append(nil, i, at))
		copy(b[at:], sum[:])
	}
	copy(b, []byte{0xc3, 0, 0, 0, 1, 8}) // a long header of version 1, its destination in 8 bytes
	b[14], b[15] = 0, 0                  // no source, no token
	b[16], b[17] = 0x44, 0x9e            // of 1182 bytes
	return b
}
