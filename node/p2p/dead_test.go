package p2p

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// A wire passes on what is sent to its address, until it is cut: then it takes all, passes
// nothing on, and ends nothing.
type wire struct {
	addr string // a multiaddr
	cut  atomic.Bool
}

func newWire(t *testing.T, s *site) *wire {
	t.Helper()
	at, err := multiaddr.NewMultiaddr(s.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	_, to, err := manet.DialArgs(at)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: addr.String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { a.Close() })
			b, err := net.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { b.Close() })
			go w.pass(a, b)
			go w.pass(b, a)
		}
	}()
	return w
}

func (w *wire) pass(to, from net.Conn) {
	for b := make([]byte, 4<<10); ; {
		n, err := from.Read(b)
		if w.cut.Load() {
			if err == nil {
				continue
			}
			return
		}
		_, werr := to.Write(b[:n])
		if err != nil || werr != nil {
			to.Close()
			return
		}
	}
}

// TestDeadConnection has a node disappear without a word while a session with it
// is under way, and come back: its peer finds that the earlier connection is dead, and blames nobody.
func TestDeadConnection(t *testing.T) {
	m := dagtest.New(t, 2)
	timing := fast
	timing.Stall = time.Minute // what hangs would hang for longer than the test waits
	site0 := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: timing, listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	w := newWire(t, site0)
	open := func(addr string) *site {
		return openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: timing, listen: []string{}, peers: []string{fmt.Sprint(addr, "/p2p/", site0.ID())}})
	}
	site0.put(t, "j", "v")
	back := open(w.addr)
	eventually(t, "they synced", equalHeads(site0, back))
	w.cut.Store(true)
	site0.put(t, "k", "v")
	eventually(t, "a session hangs", func() bool {
		_, busy, _ := site0.peers.outlook(back.ID(), nil)
		return busy
	})
	if err := back.Close(); err != nil {
		t.Fatal(err)
	}
	dead := site0.host.Network().ConnsToPeer(back.ID())
	back = open(site0.ListenAddrs()[0])
	eventually(t, "they sync again", equalHeads(site0, back))
	eventually(t, "the earlier connection is closed", func() bool {
		for _, c := range dead {
			if !c.IsClosed() {
				return false
			}
		}
		return site0.connected(back.ID())
	})
	if len(dead) == 0 {
		t.Error("there was no earlier connection")
	}
	for _, p := range site0.Peers() {
		if p.Misconduct != "" {
			t.Errorf("%s was blamed for %s", p.ID, p.Misconduct)
		}
	}
}

// TestNewerConnectionIsDead has a node cancel a dial just as it succeeds, and keep a
// connection it had: then the newer one is dead from the start.
func TestNewerConnectionIsDead(t *testing.T) {
	m := dagtest.New(t, 2)
	site0 := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	w := newWire(t, site0)
	here := newLiar(t, m.Node(1), site0)
	gone, err := newHost(m.Node(1), hostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	info, err := ParsePeerAddr(fmt.Sprint(w.addr, "/p2p/", site0.ID()))
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Connect(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	conns := func() []network.Conn { return site0.host.Network().ConnsToPeer(here.ID()) }
	eventually(t, "both connections stand", func() bool { return len(conns()) == 2 })
	w.cut.Store(true)
	site0.closeDead(t.Context(), here.ID())
	eventually(t, "one is left", func() bool { return len(conns()) == 1 })
	if err := hailed(t.Context(), conns()[0]); err != nil {
		t.Errorf("the one that is left: %v", err)
	}
}
