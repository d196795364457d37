package p2p

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// slow leaves everything to gossip: no periodic sync happens during a test.
var slow = Timing{SyncActive: time.Hour, SyncIdle: time.Hour, Announce: time.Hour, DialMin: 50 * time.Millisecond}

// gossips waits until every site has every other in its gossip.
func gossips(t *testing.T, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		eventually(t, "all sites gossip", func() bool { return len(s.gossip.topic.ListPeers()) == len(sites)-1 })
	}
}

func TestTwoNodesConverge(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	for i := range 20 {
		sites[i%2].put(t, fmt.Sprintf("k%d", i), "v")
	}
	eventually(t, "both hold 21 ops and equal heads", func() bool {
		return sites[0].backend.graph.Len() == 21 && sites[1].backend.graph.Len() == 21 && equalHeads(sites...)()
	})
	eventually(t, "no lag", func() bool {
		for _, s := range sites {
			for _, p := range s.Peers() {
				if p.LagOps != 0 || !p.Connected || p.LastSync == nil || p.LastError != "" {
					return false
				}
			}
		}
		return true
	})
	got := sites[0].Peers()
	if len(got) != 1 || got[0].ID != sites[1].ID().String() || got[0].Operator != "founder" || got[0].State != PeerEnrolled || got[0].BytesIn == 0 {
		t.Errorf("Peers() = %+v, want the other site, enrolled, with traffic", got)
	}
}

func TestGossipIsQuick(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := members(t, m, 3, slow)
	gossips(t, sites...)
	for i := range 10 {
		id := sites[i%3].put(t, fmt.Sprintf("k%d", i), "v")
		took := eventually(t, "the op is everywhere", func() bool {
			return sites[0].holds(id) && sites[1].holds(id) && sites[2].holds(id)
		})
		if took > 700*time.Millisecond {
			t.Errorf("gossip took %v, want well below a second", took)
		}
	}
}

func TestSyncRepairsLostGossip(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	gossips(t, sites...)
	// Ops that never went through gossip.
	sites[0].backend.OnOp(func(*dag.Op, []byte, []byte) {})
	for i := range 50 {
		sites[0].put(t, fmt.Sprintf("k%d", i), "v")
	}
	eventually(t, "sync brought them", equalHeads(sites...))
}

func TestLargeOpTravelsBySync(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, Timing{SyncActive: time.Hour, SyncIdle: time.Hour, Announce: 50 * time.Millisecond})
	gossips(t, sites...)
	id := sites[0].put(t, "large", strings.Repeat("x", 1<<20))
	eventually(t, "the announcement led to a sync", func() bool { return sites[1].holds(id) })
}

// TestLine has the middle node carry what the outer ones write.
func TestLine(t *testing.T) {
	m := dagtest.New(t, 3)
	open := func(i int, peers ...string) *site {
		return openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled, peers: peers})
	}
	middle := open(1)
	left, right := open(0, middle.Addrs()...), open(2, middle.Addrs()...)
	for i := range 10 {
		left.put(t, fmt.Sprintf("l%d", i), "v")
		right.put(t, fmt.Sprintf("r%d", i), "v")
	}
	eventually(t, "all three are equal", func() bool {
		return left.backend.graph.Len() == 21 && equalHeads(left, middle, right)()
	})
}

func TestPartitionHeals(t *testing.T) {
	m := dagtest.New(t, 2)
	store := memstore.New()
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, store: store})
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: a.Addrs()})
	a.put(t, "before", "v")
	eventually(t, "equal before the cut", equalHeads(a, b))
	listen := a.Addrs()
	for i, s := range listen {
		listen[i], _, _ = strings.Cut(s, "/p2p/")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		a.put(t, fmt.Sprintf("a%d", i), "v")
		b.put(t, fmt.Sprintf("b%d", i), "v")
	}
	var ops []*dag.Signed
	for _, op := range a.backend.graph.Since(nil) {
		ops = append(ops, a.backend.ops[op.ID()])
	}
	back := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: ops, store: store, listen: listen})
	eventually(t, "equal after the return", func() bool {
		return back.backend.graph.Len() == 22 && equalHeads(back, b)()
	})
}

// TestRemembersPeers restarts a node without its configured peer, and on
// another port so that only its own memory can connect the two.
func TestRemembersPeers(t *testing.T) {
	m := dagtest.New(t, 2)
	store := memstore.New()
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: a.Addrs(), store: store})
	eventually(t, "b remembers a", func() bool {
		_, err := store.GetMeta(peerMeta + a.ID().String())
		return err == nil
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := store.GetMeta(anchorMeta + a.ID().String()); err != nil || len(v) == 0 {
		t.Errorf("anchor of a = %x, %v, want one", v, err)
	}
	again := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, store: store})
	id := again.put(t, "k", "v")
	eventually(t, "they meet again", func() bool { return a.holds(id) })
}

func TestManyOps(t *testing.T) {
	m := dagtest.New(t, 2)
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	value := strings.Repeat("v", 500)
	for i := range 3000 {
		a.put(t, fmt.Sprintf("k%d", i), value)
	}
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: a.Addrs()})
	took := eventually(t, "the history arrived", equalHeads(a, b))
	t.Logf("3000 ops in %v", took)
}

func TestOpenRefuses(t *testing.T) {
	m := dagtest.New(t, 1)
	good := Config{Key: m.Node(0), Mesh: m.Founding.ID(), Backend: newFakeBackend(m.Founding.ID(), m.Node(0)), Meta: memstore.New()}
	for name, edit := range map[string]func(*Config){
		"no key":       func(c *Config) { c.Key = nil },
		"no mesh":      func(c *Config) { c.Mesh = dag.ID{} },
		"no backend":   func(c *Config) { c.Backend = nil },
		"no meta":      func(c *Config) { c.Meta = nil },
		"bad listen":   func(c *Config) { c.Listen = []string{"127.0.0.1:0"} },
		"bad peer":     func(c *Config) { c.Peers = []string{"/ip4/127.0.0.1/tcp/1"} },
		"bad interval": func(c *Config) { c.Timing.Stall = -1 },
	} {
		cfg := good
		edit(&cfg)
		if n, err := Open(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Open = %v, %v, want ErrConfig", name, n, err)
		}
	}
	cfg := good
	cfg.Listen = []string{"/ip4/192.0.2.1/tcp/1"}
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Error("Open on an address that is not ours succeeded")
	}
}

func TestPeerID(t *testing.T) {
	m := dagtest.New(t, 1)
	id, err := PeerID(m.Author(0))
	if err != nil {
		t.Fatal(err)
	}
	if key, err := NodeKey(id); err != nil || key != m.Author(0) {
		t.Errorf("NodeKey(PeerID(k)) = %v, %v, want k", key, err)
	}
	if key, err := NodeKey("nonsense"); !errors.Is(err, ErrPeerID) || key != (identity.PublicKey{}) {
		t.Errorf("NodeKey of nonsense = %v, %v, want ErrPeerID", key, err)
	}
}

// TestSyncNow has a person ask for a sync.
func TestSyncNow(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, slow)
	gossips(t, sites...)
	sites[0].backend.OnOp(func(*dag.Op, []byte, []byte) {})
	id := sites[0].put(t, "k", "v")
	if err := sites[1].Sync(t.Context()); err != nil {
		t.Errorf("Sync: %v", err)
	}
	if !sites[1].holds(id) {
		t.Error("Sync returned and the op is not here")
	}
	if err := sites[1].Close(); err != nil {
		t.Fatal(err)
	}
	if err := sites[1].Sync(t.Context(), sites[0].ID()); !errors.Is(err, ErrClosed) {
		t.Errorf("Sync after Close = %v, want ErrClosed", err)
	}
}

// TestSharedRegistry has a second network fail to register the metrics of the first.
func TestSharedRegistry(t *testing.T) {
	m := dagtest.New(t, 2)
	first := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	cfg := first.cfg
	cfg.Key, cfg.Meta = m.Node(1), memstore.New()
	if n, err := Open(t.Context(), cfg); !errors.Is(err, ErrConfig) {
		t.Fatalf("Open with a registry in use = %v, %v, want ErrConfig", n, err)
	}
	families, err := first.metrics.Gather()
	if err != nil || len(families) == 0 {
		t.Errorf("the first network's metrics = %v, %v, want them still there", families, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if families, err = first.metrics.Gather(); err != nil || len(families) != 0 {
		t.Errorf("metrics after Close = %v, %v, want none", families, err)
	}
}
