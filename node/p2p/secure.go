package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	manet "github.com/multiformats/go-multiaddr/net"
)

// pacedSecurity has the handshakes of inbound connections take turns.
type pacedSecurity struct {
	sec.SecureTransport
	doors *doors
}

// SecureInbound implements [sec.SecureTransport].
func (s pacedSecurity) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	addr, _ := manet.FromNetAddr(insecure.RemoteAddr()) // nil is nowhere
	c := &pacedConn{Conn: insecure, ctx: ctx, doors: s.doors, known: s.doors.good.has(addr)}
	defer c.end()
	return s.SecureTransport.SecureInbound(ctx, c, p)
}

// A pacedConn is a connection during its handshake: what comes in is handed on
// when it is the handshake's turn to compute, which ends when it waits for more. After
// that it is the connection and nothing else.
type pacedConn struct {
	net.Conn
	ctx   context.Context
	doors *doors
	known bool
	done  atomic.Bool // the handshake is over

	// Of the one goroutine that runs the handshake.
	reads int
	since time.Time // when its turn began; zero if it is not its turn
}

func (c *pacedConn) Read(p []byte) (int, error) {
	if c.done.Load() {
		return c.Conn.Read(p)
	}
	if c.reads++; c.reads > maxHandshakeReads {
		return 0, fmt.Errorf("%w: a handshake in more than %d pieces", errCrowd, maxHandshakeReads)
	}
	c.leave()
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	if err := c.doors.pace.enter(c.ctx, c.reads > 1, c.known); err != nil {
		if errors.Is(err, errCrowd) {
			c.doors.crowd()
		}
		return 0, err
	}
	c.since = time.Now()
	return n, nil
}

// Write implements [net.Conn]. It may block; and what a handshake computes is over when
// it is sent.
func (c *pacedConn) Write(p []byte) (int, error) {
	if !c.done.Load() {
		c.leave()
	}
	return c.Conn.Write(p)
}

func (c *pacedConn) leave() {
	if !c.since.IsZero() {
		c.doors.pace.leave(time.Since(c.since))
		c.since = time.Time{}
	}
}

// end says that the handshake is over.
func (c *pacedConn) end() {
	c.done.Store(true)
	c.leave()
}
