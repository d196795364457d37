package etcdgw

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// listenURL is a parsed URL to listen on.
type listenURL struct {
	scheme  string // http, https, unix or unixs
	network string // tcp or unix
	address string // host:port, or the path of a socket
	secure  bool
}

// parseURL parses a client URL as etcd's flags do.
func parseURL(text string) (listenURL, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	if err != nil {
		return listenURL{}, err
	}
	switch u.Scheme {
	case "http", "https":
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return listenURL{}, fmt.Errorf(`URL address does not have the form "host:port": %s`, text)
		}
		if u.Path != "" {
			return listenURL{}, fmt.Errorf("URL must not contain a path: %s", text)
		}
		return listenURL{u.Scheme, "tcp", u.Host, u.Scheme == "https"}, nil
	case "unix", "unixs":
		address := u.Host + u.Path
		if address == "" {
			return listenURL{}, fmt.Errorf("URL names no socket: %s", text)
		}
		return listenURL{u.Scheme, "unix", address, u.Scheme == "unixs"}, nil
	default:
		return listenURL{}, fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", text)
	}
}

// parseListenURL parses a URL to bind to: its host is an IP address, localhost
// or empty (all addresses).
func parseListenURL(text string) (listenURL, error) {
	u, err := parseURL(text)
	if err != nil || u.network == "unix" {
		return u, err
	}
	host, _, err := net.SplitHostPort(u.address)
	if err != nil {
		return listenURL{}, err
	}
	if host != "" && host != "localhost" && net.ParseIP(host) == nil {
		return listenURL{}, fmt.Errorf("expected IP in URL for binding (%s)", strings.TrimSpace(text))
	}
	return u, nil
}

// boundListener is a listener with the URL that reaches it.
type boundListener struct {
	net.Listener
	url string
	tls *tls.Config // nil: plain text
}

// listen binds the URL. It never waits.
func listen(ctx context.Context, text string, tlsConfig *tls.Config) (*boundListener, error) {
	u, err := parseListenURL(text)
	if err != nil {
		return nil, err
	}
	if u.network == "unix" {
		if err := removeStaleSocket(ctx, u.address); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", text, err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, u.network, u.address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w", text, ErrAddressInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", text, err)
	}
	b := &boundListener{Listener: l, url: u.scheme + "://" + l.Addr().String()}
	if u.secure {
		b.tls = tlsConfig
	}
	return b, nil
}

// removeStaleSocket removes a socket that no process listens on any more.
func removeStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return ErrAddressInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
