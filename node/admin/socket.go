package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// SocketName and PathName are the files of a data directory that lead to the
// node's socket: the socket itself, or, where its path would be longer than
// the system allows, a file that holds the path of a socket elsewhere.
const (
	SocketName = "admin.sock"
	PathName   = "admin.path"
)

// maxSocketPath is the longest path a unix socket can be bound to: sun_path
// has 108 bytes on Linux and 104 on the BSDs and macOS, a zero byte included.
const maxSocketPath = 103

// probeTimeout bounds the test whether an existing socket still has a server.
const probeTimeout = time.Second

// listen opens the node's socket for dataDir and returns it with what removes
// its files again. A socket that a dead node left behind is replaced; one that
// answers is ErrInUse.
func listen(ctx context.Context, dataDir string) (net.Listener, func(), error) {
	if path, err := findSocket(dataDir); err == nil && alive(ctx, path) {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("admin socket: %w", err) // nothing answered: there was no time
		}
		return nil, nil, fmt.Errorf("%w: %s answers", ErrInUse, path)
	}
	removeSocket(dataDir)
	path, err := placeSocket(dataDir)
	if err != nil {
		return nil, nil, err
	}
	// The mode is set on the socket before it is bound to its name, so that
	// there is no moment at which others could connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, nil, fmt.Errorf("admin socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // where Fchmod is not supported
		l.Close()
		return nil, nil, fmt.Errorf("admin socket %s: %w", path, err)
	}
	return l, func() { removeSocket(dataDir) }, nil
}

// placeSocket returns the path to bind: in dataDir, or if that is too long in
// a new private directory that dataDir then names.
func placeSocket(dataDir string) (string, error) {
	path := shortest(filepath.Join(dataDir, SocketName))
	if len(path) <= maxSocketPath {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "causeway-")
	if err == nil && len(filepath.Join(dir, SocketName)) > maxSocketPath {
		os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "causeway-")
	}
	if err != nil {
		return "", fmt.Errorf("admin socket: %s is too long for a socket: %w", path, err)
	}
	path = filepath.Join(dir, SocketName)
	if err := writePath(filepath.Join(dataDir, PathName), path); err != nil {
		os.Remove(dir)
		return "", fmt.Errorf("admin socket: %w", err)
	}
	return path, nil
}

// shortest returns the shorter of path and the same path relative to the
// working directory.
func shortest(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// writePath writes name in one step: a reader finds all of it or nothing.
func writePath(name, path string) error {
	tmp := name + ".new"
	if err := os.WriteFile(tmp, []byte(path+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// findSocket returns the path of dataDir's socket, whether or not a socket is
// there: the one PathName holds, else the one in dataDir. Where that would be
// too long it is an fs.ErrNotExist error.
func findSocket(dataDir string) (string, error) {
	name := filepath.Join(dataDir, PathName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		path := shortest(filepath.Join(dataDir, SocketName))
		if len(path) > maxSocketPath {
			return "", err
		}
		return path, nil
	}
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(string(b), "\n")
	if len(path) > maxSocketPath || !filepath.IsAbs(path) || filepath.Base(path) != SocketName {
		return "", fmt.Errorf("%s does not hold a socket's path", name)
	}
	return path, nil
}

// removeSocket removes the socket of dataDir and what leads to it.
func removeSocket(dataDir string) {
	here := filepath.Join(dataDir, SocketName)
	os.Remove(here)
	if path, err := findSocket(dataDir); err == nil && path != shortest(here) {
		os.Remove(path)
		os.Remove(filepath.Dir(path)) // succeeds only if it is empty
	}
	os.Remove(filepath.Join(dataDir, PathName))
}

// alive reports whether somebody accepts connections on the socket.
func alive(ctx context.Context, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := dial(ctx, path)
	if err != nil {
		// A full backlog, say, is not a dead server.
		return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) &&
			!errors.Is(err, syscall.ENOTSOCK) && !errors.Is(err, syscall.EPROTOTYPE)
	}
	c.Close()
	return true
}

// dial connects to the socket at path.
func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}
