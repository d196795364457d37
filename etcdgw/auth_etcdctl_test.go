package etcdgw

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestEtcdctlAuth does what etcd's guide to authentication does, with the real
// etcdctl.
func TestEtcdctlAuth(t *testing.T) {
	s := newSite(t, cheapHashes)
	refused := func(text string, args ...string) {
		t.Helper()
		if out, errs, err := s.etcdctl(t, "", args...); err == nil || !strings.Contains(errs, text) {
			t.Errorf("etcdctl %s printed %q %q, %v, want %q", strings.Join(args, " "), out, errs, err, text)
		}
	}
	// A client with a user connects while authentication is disabled.
	s.want(t, "OK\n", "--user", "root:secret", "put", "r/1", "v")
	refused("etcdserver: root user does not exist", "auth", "enable")
	s.want(t, "User root created\n", "user", "add", "root:secret")
	s.want(t, "Role root created\n", "role", "add", "root")
	s.want(t, "Role root is granted to user root\n", "user", "grant-role", "root", "root")
	s.want(t, "User alice created\n", "user", "add", "alice:wonder")
	s.want(t, "User cert created\n", "user", "add", "cert", "--no-password")
	s.want(t, "Role reader created\n", "role", "add", "reader")
	s.want(t, "Role reader updated\n", "role", "grant-permission", "reader", "read", "r/", "--prefix")
	s.want(t, "Role reader updated\n", "role", "grant-permission", "reader", "readwrite", "own")
	s.want(t, "Role reader updated\n", "role", "grant-permission", "reader", "write", "z", "--from-key")
	s.want(t, "Role reader is granted to user alice\n", "user", "grant-role", "alice", "reader")
	s.want(t, "Authentication Enabled\n", "auth", "enable")

	refused("etcdserver: user name is empty", "get", "r/1")
	refused("etcdserver: authentication failed, invalid user ID or password", "--user", "alice:wrong", "get", "r/1")
	s.want(t, "r/1\nv\n", "--user", "alice:wonder", "get", "r/", "--prefix")
	refused("etcdserver: permission denied", "--user", "alice:wonder", "put", "r/1", "w")
	s.want(t, "OK\n", "--user", "alice:wonder", "put", "own", "w")
	s.want(t, "OK\n", "--user", "alice:wonder", "put", "zebra", "w")
	refused("etcdserver: permission denied", "--user", "alice:wonder", "get", "zebra")
	refused("etcdserver: permission denied", "--user", "alice:wonder", "user", "list")
	refused("etcdserver: permission denied", "--user", "alice:wonder", "watch", "own2")
	s.want(t, "alice\ncert\nroot\n", "--user", "root:secret", "user", "list")
	s.want(t, "reader\nroot\n", "--user", "root:secret", "role", "list")
	s.want(t, "User: alice\nRoles: reader\n", "--user", "alice:wonder", "user", "get", "alice")
	s.want(t, "Permission of range [r/, r0) is revoked from role reader\n", "--user", "root:secret", "role", "revoke-permission", "reader", "r/", "--prefix")
	refused("etcdserver: permission denied", "--user", "alice:wonder", "get", "r/1")
	s.want(t, "Role reader is revoked from user alice\n", "--user", "root:secret", "user", "revoke-role", "alice", "reader")
	s.want(t, "Role reader deleted\n", "--user", "root:secret", "role", "delete", "reader")
	s.want(t, "User alice deleted\n", "--user", "root:secret", "user", "delete", "alice")
	s.want(t, "Authentication Disabled\n", "--user", "root:secret", "auth", "disable")
	s.want(t, "r/1\nv\n", "get", "r/1")
}

// TestEtcdctlLock checks that etcdctl holds a lock and an office, which it does
// with keys, leases and watches of its own.
func TestEtcdctlLock(t *testing.T) {
	s := newSite(t)
	path, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Skip("etcdctl is not on PATH (Debian: apt-get install etcd-client)")
	}
	for _, args := range [][]string{{"lock", "m"}, {"elect", "m", "proposal"}} {
		start := func() (firstLine <-chan string, stop func()) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			cmd := exec.CommandContext(ctx, path, append([]string{"--endpoints", address(s.server)}, args...)...)
			cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			out, err := cmd.StdoutPipe()
			fatal(t, err)
			fatal(t, cmd.Start())
			lines := make(chan string, 1)
			go func() {
				scanner := bufio.NewScanner(out)
				for first := true; scanner.Scan(); first = false {
					if first {
						lines <- scanner.Text()
					}
				}
				close(lines)
			}()
			return lines, func() {
				cancel()
				for range lines {
				}
				_ = cmd.Wait()
			}
		}
		first, stopFirst := start()
		key := <-first
		if !strings.HasPrefix(key, "m/") {
			t.Errorf("etcdctl %s printed %q, want its key", args[0], key)
		}
		second, stopSecond := start()
		s.awaitKeys(t, "m/", 2)
		select {
		case line := <-second:
			t.Errorf("a second etcdctl %s printed %q", args[0], line)
		case <-time.After(100 * time.Millisecond):
		}
		stopFirst()
		if line := <-second; !strings.HasPrefix(line, "m/") || line == key {
			t.Errorf("the second etcdctl %s printed %q, want its key", args[0], line)
		}
		stopSecond()
		s.awaitKeys(t, "m/", 0)
	}
}
