package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/causeway-sync/causeway/dag/leveldb"
)

// A closed leveldb lets one goroutine live on for a second.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// config returns that of a node on free ports.
func config(dir string) Config {
	return Config{DataDir: dir, ListenClientURLs: []string{"http://127.0.0.1:0"}, ListenPeerAddrs: []string{"/ip4/127.0.0.1/tcp/0"}}
}

func TestOpenFoundsAndReopens(t *testing.T) {
	dir := t.TempDir()
	var status [2]string
	for i := range status {
		n, err := Open(t.Context(), config(dir))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-n.Ready():
		default:
			t.Error("a founder is not ready at once")
		}
		if _, err := Open(t.Context(), config(dir)); !errors.Is(err, leveldb.ErrLocked) {
			t.Errorf("opening the directory twice: %v, want ErrLocked", err)
		}
		s, err := n.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		status[i] = s.Mesh.String() + s.Node.String()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if status[0] != status[1] {
		t.Errorf("mesh and node = %s, then %s: want the same", status[0], status[1])
	}
}

// TestLostStore removes the store beside the node's key: a node must not begin
// anew with a key that has history.
func TestLostStore(t *testing.T) {
	dir := t.TempDir()
	if _, err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, storeDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(dir)); !errors.Is(err, leveldb.ErrMissing) {
		t.Errorf("opening without the store: %v, want ErrMissing", err)
	}
}

func TestInitTwice(t *testing.T) {
	dir := t.TempDir()
	if _, err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(dir, InitOptions{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("second Init: %v, want ErrNotEmpty", err)
	}
}

// TestPeerPortsAreKept checks that a node that chose its ports is found on
// them after a restart.
func TestPeerPortsAreKept(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.ListenPeerAddrs = nil
	var addrs [2][]string
	for i := range addrs {
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = n.PeerAddrs()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(addrs[0]) == 0 || addrs[0][0] != addrs[1][0] {
		t.Errorf("peer addresses = %v, then %v: want the same", addrs[0], addrs[1])
	}
}

// TestBadConfigWritesNothing opens an empty directory with what cannot work:
// no mesh may be founded by a mistyped flag.
func TestBadConfigWritesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"client URL":    func(c *Config) { c.ListenClientURLs = []string{"ftp://127.0.0.1:1"} },
		"peer address":  func(c *Config) { c.ListenPeerAddrs = []string{"127.0.0.1:1"} },
		"peer":          func(c *Config) { c.Peers = []string{"/ip4/127.0.0.1/tcp/1"} },
		"max txn ops":   func(c *Config) { c.MaxTxnOps = -1 },
		"no TLS at all": func(c *Config) { c.ListenClientURLs = []string{"https://127.0.0.1:0"} },
	} {
		dir := filepath.Join(t.TempDir(), "data")
		cfg := config(dir)
		spoil(&cfg)
		n, err := Open(t.Context(), cfg)
		if err == nil {
			n.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the data directory was made (%v)", name, err)
		}
	}
}

// TestTakenPeerPort opens a node whose peer address another one has: it must
// fail, and let go of all that it had opened.
func TestTakenPeerPort(t *testing.T) {
	first, err := Open(t.Context(), config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	cfg := config(t.TempDir())
	taken, _, _ := strings.Cut(first.PeerAddrs()[0], "/p2p/")
	cfg.ListenPeerAddrs = []string{taken}
	if n, err := Open(t.Context(), cfg); err == nil {
		n.Close()
		t.Fatal("opened on a taken peer address")
	}
	cfg.ListenPeerAddrs = []string{"/ip4/127.0.0.1/tcp/0"}
	second, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("after a failed Open: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
