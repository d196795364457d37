package p2p

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// tcpTransport is libp2p's, but that it accepts connections at a pace (docs/p2p.md, section 2).
type tcpTransport struct {
	*tcp.TcpTransport
	upgrader transport.Upgrader
	doors    *doors
}

// newTCP returns what makes the transport for a host with those doors.
func newTCP(d *doors) func(transport.Upgrader, network.ResourceManager) (*tcpTransport, error) {
	return func(u transport.Upgrader, m network.ResourceManager) (*tcpTransport, error) {
		// Without its option a port that another process has would be shared, not refused.
		t, err := tcp.NewTCPTransport(u, m, nil, tcp.DisableReuseport())
		return &tcpTransport{t, u, d}, err
	}
}

// tcpKeepAlive is how often the system looks whether the other side is there.
const tcpKeepAlive = 30 * time.Second

// Listen implements [transport.Transport].
func (t *tcpTransport) Listen(addr multiaddr.Multiaddr) (transport.Listener, error) {
	kind, text, err := manet.DialArgs(addr)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{KeepAlive: tcpKeepAlive}).Listen(context.Background(), kind, text)
	if err != nil {
		return nil, err
	}
	if err := setBacklog(l, maxBacklog); err != nil {
		l.Close()
		return nil, fmt.Errorf("p2p: bound the connections that wait at %s: %w", addr, err)
	}
	wrapped, err := manet.WrapNetListener(&pacedListener{Listener: l, doors: t.doors, closed: make(chan struct{})})
	if err != nil {
		l.Close()
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(wrapped)), nil
}

// A pacedListener accepts no more connections than the doors say. The others wait in
// the system's queue, where they cost nothing, and beyond that outside.
type pacedListener struct {
	net.Listener
	doors  *doors
	once   sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // a closed connection leaves nothing behind; what was not sent yet comes by sync
	}
	if wait := l.doors.accepted(time.Now()); wait > 0 {
		select {
		case <-time.After(wait):
		case <-l.closed:
			c.Close()
			return nil, net.ErrClosed
		}
	}
	return c, nil
}

// Close implements [net.Listener].
func (l *pacedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
