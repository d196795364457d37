// Package rotation tests, over real nodes and disks, what becomes of a node
// whose place in the mesh somebody else uses too: a copy of its disk, a clone, a thief.
package rotation

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// patience bounds every wait.
const patience = 30 * time.Second

func TestMain(m *testing.M) { harness.Main(m) }

// site is a data directory and, while it runs, its node.
type site struct {
	t    *testing.T
	dir  string
	wait time.Duration // bound of the wait before a rotation

	cancel context.CancelFunc
	done   chan error
	mu     sync.Mutex
	node   *node.Node // the one opened last
}

// newSite returns a site on an empty directory. It does not wait before it rotates.
func newSite(t *testing.T) *site {
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "data"), wait: time.Nanosecond}
	t.Cleanup(func() {
		if s.cancel != nil {
			s.stop()
		}
	})
	return s
}

// copyOf returns a site on a copy of another one's directory, which must not run.
func copyOf(t *testing.T, s *site) *site {
	t.Helper()
	c := newSite(t)
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(c.dir, strings.TrimPrefix(path, s.dir))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs the node and waits until it is open.
func (s *site) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	opened := make(chan struct{})
	var once sync.Once
	cfg := node.Config{
		DataDir: s.dir, ListenClientURLs: []string{"http://127.0.0.1:0"}, RotateWait: s.wait,
		Logger: slog.New(slog.NewTextHandler(s.t.Output(), nil)).With("site", filepath.Base(filepath.Dir(s.dir))),
	}
	go func() {
		s.done <- node.Run(ctx, cfg, func(n *node.Node) {
			s.mu.Lock()
			s.node = n
			s.mu.Unlock()
			once.Do(func() { close(opened) })
		})
	}()
	select {
	case <-opened:
	case err := <-s.done:
		s.cancel = nil
		s.t.Fatalf("the node did not open: %v", err)
	}
}

// stop ends the node in good order.
func (s *site) stop() {
	s.t.Helper()
	s.cancel()
	if err := <-s.done; err != nil {
		s.t.Errorf("the node ended with %v", err)
	}
	s.cancel = nil
}

// join makes the site a member of host's mesh, and starts it.
func (s *site) join(host *site) {
	s.t.Helper()
	operator, err := identity.ReadKeyFile(filepath.Join(host.dir, node.OperatorKeyFile), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	admins := admin.NewClient(host.dir)
	at, err := admins.InviteSite(s.t.Context(), operator.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := admin.InviteRequest{}.Complete()
	if err != nil {
		s.t.Fatal(err)
	}
	ticket, _, err := node.Invite(at, operator, r, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := node.Join(s.t.Context(), s.dir, ticket, node.JoinOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// kv returns a client of the node that is open now.
func (s *site) kv() (pb.KVClient, func()) {
	s.t.Helper()
	s.mu.Lock()
	target := strings.TrimPrefix(s.node.ClientURLs()[0], "http://")
	s.mu.Unlock()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	return pb.NewKVClient(conn), func() { conn.Close() }
}

// put writes a key, as a client that tries again while the node is not there or does not write.
func (s *site) put(key, value string) {
	s.t.Helper()
	kv, hangUp := s.kv()
	defer hangUp()
	s.until("a put of "+key, func() error {
		_, err := kv.Put(s.t.Context(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
		return err
	})
}

// has waits until the site shows these keys with their names as values.
func (s *site) has(keys ...string) {
	s.t.Helper()
	kv, hangUp := s.kv()
	defer hangUp()
	for _, key := range keys {
		s.until("the key "+key, func() error {
			r, err := kv.Range(s.t.Context(), &pb.RangeRequest{Key: []byte(key)})
			if err == nil && (len(r.Kvs) != 1 || string(r.Kvs[0].Value) != key) {
				err = fmt.Errorf("shows %v", r.Kvs)
			}
			return err
		})
	}
}

// lacks waits until the site shows none of these keys.
func (s *site) lacks(keys ...string) {
	s.t.Helper()
	kv, hangUp := s.kv()
	defer hangUp()
	for _, key := range keys {
		s.until("the key "+key+" to go", func() error {
			r, err := kv.Range(s.t.Context(), &pb.RangeRequest{Key: []byte(key)})
			if err == nil && len(r.Kvs) > 0 {
				err = fmt.Errorf("shows %v", r.Kvs)
			}
			return err
		})
	}
}

// status returns the node's status, by its socket.
func (s *site) status() (admin.Status, error) {
	return admin.NewClient(s.dir).Status(s.t.Context())
}

// becomes waits until the node's status is what want looks for, and returns it.
func (s *site) becomes(what string, want func(admin.Status) bool) (st admin.Status) {
	s.t.Helper()
	s.until(what, func() (err error) {
		if st, err = s.status(); err == nil && !want(st) {
			err = fmt.Errorf("status: %+v", st.Key)
		}
		return err
	})
	return st
}

// rotated waits until the node writes again with its n-th key, and returns its status.
func (s *site) rotated(n int) admin.Status {
	s.t.Helper()
	return s.becomes(fmt.Sprintf("rotation %d", n), func(st admin.Status) bool {
		return st.Ready && st.Key.State == "writing" && len(st.Key.Past) == n
	})
}

// until tries until it succeeds.
func (s *site) until(what string, try func() error) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// agree waits until the sites hold the same operations and show the same.
func agree(t *testing.T, sites ...*site) {
	t.Helper()
	sites[0].until("agreement", func() error {
		first, err := sites[0].status()
		if err != nil {
			return err
		}
		for _, s := range sites[1:] {
			st, err := s.status()
			if err != nil {
				return err
			}
			if st.StateHash != first.StateHash || st.Ops != first.Ops {
				return fmt.Errorf("%d and %d ops, %s and %s", first.Ops, st.Ops, first.StateHash, st.StateHash)
			}
		}
		return nil
	})
}
