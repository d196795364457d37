package admin_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/node/admin"
)

func TestNotRunning(t *testing.T) {
	dir := shortDir(t)
	if _, err := admin.NewClient(dir).Status(t.Context()); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("Status() without a socket = %v, want %v", err, admin.ErrNotRunning)
	}
	leaveStale(t, dir)
	if _, err := admin.NewClient(dir).Status(t.Context()); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("Status() on a stale socket = %v, want %v", err, admin.ErrNotRunning)
	}
}

// leaveStale leaves a socket behind as a killed process does.
func leaveStale(t *testing.T, dir string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, admin.SocketName)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketMode(t *testing.T) {
	dir := shortDir(t)
	serve(t, dir, newFakeNode())
	info, err := os.Stat(filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode = %#o, want 0600", got)
	}
}

func TestStaleSocketReplaced(t *testing.T) {
	dir := shortDir(t)
	leaveStale(t, dir)
	if _, err := serve(t, dir, newFakeNode()).Status(t.Context()); err != nil {
		t.Errorf("Status() = %v", err)
	}
}

func TestStaleFileReplaced(t *testing.T) {
	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, admin.SocketName), []byte("no socket"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serve(t, dir, newFakeNode()).Status(t.Context()); err != nil {
		t.Errorf("Status() = %v", err)
	}
}

func TestLiveSocketKept(t *testing.T) {
	dir := shortDir(t)
	c := serve(t, dir, newFakeNode())
	if _, err := admin.Serve(t.Context(), dir, newFakeNode(), nil); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("Serve() on a served directory = %v, want %v", err, admin.ErrInUse)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("Status() = %v", err)
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start finds nothing of the first
		s, err := admin.Serve(t.Context(), dir, newFakeNode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := os.ReadFile(filepath.Join(dir, admin.PathName))
		if err != nil {
			t.Fatal(err)
		}
		socket := strings.TrimSpace(string(elsewhere))
		if info, err := os.Stat(filepath.Dir(socket)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory of the socket: %v, %v, want mode 0700", info, err)
		}
		if _, err := admin.NewClient(dir).Status(t.Context()); err != nil {
			t.Errorf("Status() = %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		for _, left := range []string{filepath.Dir(socket), filepath.Join(dir, admin.PathName)} {
			if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left behind: %v", left, err)
			}
		}
	}
}

func TestPathFileNotTrusted(t *testing.T) {
	dir := shortDir(t)
	for _, bad := range []string{"", "relative/admin.sock\n", "/etc/passwd\n", "/" + strings.Repeat("x", 200) + "/admin.sock\n"} {
		if err := os.WriteFile(filepath.Join(dir, admin.PathName), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.NewClient(dir).Status(t.Context()); err == nil || errors.Is(err, admin.ErrNotRunning) {
			t.Errorf("Status() with path file %q = %v, want another error", bad, err)
		}
	}
	// A server replaces it, and harms nothing it points to.
	if _, err := serve(t, dir, newFakeNode()).Status(t.Context()); err != nil {
		t.Errorf("Status() = %v", err)
	}
}

func TestCloseRemovesSocket(t *testing.T) {
	dir := shortDir(t)
	s, err := admin.Serve(t.Context(), dir, newFakeNode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, admin.SocketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// TestStoppedWhileStarting checks that a node told to stop before it has its
// socket does not blame another one.
func TestStoppedWhileStarting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := admin.Serve(ctx, shortDir(t), newFakeNode(), nil)
	if !errors.Is(err, context.Canceled) || errors.Is(err, admin.ErrInUse) {
		t.Errorf("Serve() = %v, want %v", err, context.Canceled)
	}
}
