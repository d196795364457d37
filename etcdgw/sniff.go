package etcdgw

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// sniffTimeout bounds the TLS handshake and the wait for a connection's
	// first bytes: a client that says nothing holds nothing for longer. gRPC
	// clients speak first, and at once.
	sniffTimeout = 20 * time.Second
	// acceptRetryDelay is the pause after a passing failure of accept, as when
	// the process is out of file descriptors.
	acceptRetryDelay = 50 * time.Millisecond
)

// http2Preface is how an HTTP/2 connection begins; no HTTP/1 method begins so.
const http2Preface = "PRI "

// sniffer accepts connections on one listener, does their TLS handshake, and
// hands each to the gRPC or to the HTTP/1 server by its first bytes.
type sniffer struct {
	listener *boundListener
	log      *slog.Logger
	grpc     *handedListener
	http     *handedListener

	ctx    context.Context // done when the sniffer is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // the connections being sniffed

	mu      sync.Mutex
	pending map[net.Conn]struct{} // being sniffed; closed with the sniffer
}

func newSniffer(l *boundListener, log *slog.Logger) *sniffer {
	ctx, cancel := context.WithCancel(context.Background())
	return &sniffer{
		listener: l, log: log, ctx: ctx, cancel: cancel,
		grpc:    newHandedListener(l.Addr()),
		http:    newHandedListener(l.Addr()),
		pending: make(map[net.Conn]struct{}),
	}
}

// serve accepts until close; then it returns nil.
func (s *sniffer) serve() error {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			var passing interface{ Temporary() bool }
			if !errors.As(err, &passing) || !passing.Temporary() {
				return err
			}
			s.log.Warn("accepting a connection failed", "url", s.listener.url, "error", err)
			select {
			case <-time.After(acceptRetryDelay):
			case <-s.ctx.Done():
			}
			continue
		}
		s.mu.Lock()
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			conn.Close()
			return nil
		}
		s.pending[conn] = struct{}{}
		s.wg.Add(1)
		s.mu.Unlock()
		go s.sniff(conn)
	}
}

// sniff finds out what the connection speaks and hands it on.
func (s *sniffer) sniff(conn net.Conn) {
	defer s.wg.Done()
	sniffed, isHTTP2, err := s.handshake(conn)
	s.mu.Lock()
	delete(s.pending, conn)
	s.mu.Unlock()
	if err != nil {
		if s.ctx.Err() == nil && !errors.Is(err, io.EOF) {
			s.log.Debug("connection refused", "remote", conn.RemoteAddr().String(), "error", err)
		}
		conn.Close()
		return
	}
	to := s.http
	if isHTTP2 {
		to = s.grpc
	}
	if !to.hand(sniffed) {
		sniffed.Close()
	}
}

func (s *sniffer) handshake(conn net.Conn) (*sniffedConn, bool, error) {
	if err := conn.SetDeadline(time.Now().Add(sniffTimeout)); err != nil {
		return nil, false, err
	}
	c := &sniffedConn{Conn: conn}
	if s.listener.tls != nil {
		c.tls = tls.Server(conn, s.listener.tls)
		c.Conn = c.tls
		if err := c.tls.HandshakeContext(s.ctx); err != nil {
			return nil, false, err
		}
	}
	if _, err := io.ReadFull(c.Conn, c.first[:]); err != nil {
		return nil, false, err
	}
	c.unread = len(c.first)
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, false, err
	}
	return c, string(c.first[:]) == http2Preface, nil
}

// close stops accepting, drops the connections still being sniffed and waits
// for their goroutines.
func (s *sniffer) close() {
	s.mu.Lock()
	s.cancel()
	for conn := range s.pending {
		conn.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.grpc.Close()
	s.http.Close()
	s.wg.Wait()
}

// sniffedConn is a connection whose first bytes have been read already.
type sniffedConn struct {
	net.Conn
	tls    *tls.Conn // nil: plain text
	first  [len(http2Preface)]byte
	unread int // how many of first, from its end, Read has still to return
}

// Read returns the first bytes again, then reads on. As usual it is called by
// one goroutine at a time.
func (c *sniffedConn) Read(b []byte) (int, error) {
	if c.unread == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.first[len(c.first)-c.unread:])
	c.unread -= n
	return n, nil
}

// handedListener is a listener whose connections are handed to it.
type handedListener struct {
	addr  net.Addr
	conns chan net.Conn // unbuffered: a connection has always one owner
	done  chan struct{}
	once  sync.Once
}

func newHandedListener(addr net.Addr) *handedListener {
	return &handedListener{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// hand passes the connection to Accept; false once the listener is closed.
func (l *handedListener) hand(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements net.Listener.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *handedListener) Addr() net.Addr { return l.addr }
