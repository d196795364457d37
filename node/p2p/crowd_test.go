package p2p

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
)

// TestPinnedPeerInACrowd fills a node with enrolled liars: as many connections
// as it has room for, each with a sync session that it holds open. The
// configured peer still gets in, and ops pass both ways.
func TestPinnedPeerInACrowd(t *testing.T) {
	const crowd = 12
	m := dagtest.New(t, 3+crowd+4)
	good := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: fast})
	addr := good.Addrs()
	if err := good.Close(); err != nil { // it comes late
		t.Fatal(err)
	}
	timing := fast
	timing.Stall = time.Minute // the liars' sessions last as long as the test
	timing.DialMin, timing.DialMax = time.Hour, time.Hour
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: timing, peers: addr[:1],
		edit: func(c *Config) {
			c.room = room{peers: crowd, sessionsIn: keptSessionsIn + 4, sessionsOut: keptSessionsOut + 2}
		}})
	var liars []*liar
	for i := range crowd {
		l := newLiar(t, m.Node(3+i), victim)
		l.SetStreamHandler(SyncProtocol, func(s network.Stream) { <-t.Context().Done(); s.Reset() })
		liars = append(liars, l)
	}
	for _, l := range liars {
		l.send(nil, hello(), summary(m.Founding.ID()))
	}
	eventually(t, "the liars hold all sessions that they can", func() bool {
		victim.syncer.in.slots.mu.Lock()
		defer victim.syncer.in.slots.mu.Unlock()
		return victim.syncer.in.slots.free == keptSessionsIn
	})
	info, err := ParsePeerAddr(victim.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(m.Node(2), hostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Connect(t.Context(), info); err == nil {
		eventually(t, "one more is turned away", func() bool { return h.Network().Connectedness(victim.ID()) != network.Connected })
	}
	if victim.count(t, "causeway_p2p_dropped_total", "connection") == 0 {
		t.Error("no metric counts who was turned away")
	}

	// The victim does not dial it any more: it has to be let in.
	good = openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: fast, peers: victim.Addrs()})
	there, back := good.put(t, "k", "v"), victim.put(t, "l", "v")
	eventually(t, "ops pass both ways", func() bool { return victim.holds(there) && good.holds(back) })
	if !good.connected(victim.ID()) {
		t.Error("the configured peer is not connected")
	}
	if err := good.Sync(t.Context(), victim.ID()); err != nil {
		t.Errorf("a sync with the victim: %v", err)
	}
}

// TestStrangersLeaveRoom has strangers connect: beyond some they are turned
// away, while nodes of the mesh are not.
func TestStrangersLeaveRoom(t *testing.T) {
	m := dagtest.New(t, 2)
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled,
		edit: func(c *Config) { c.room = room{strangers: 4} }})
	info, err := ParsePeerAddr(victim.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		h, err := newHost(m.Key(fmt.Sprint("stranger", i)), hostConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		_ = h.Connect(t.Context(), info) // it may be turned away after that
	}
	eventually(t, "some were turned away", func() bool { return victim.count(t, "causeway_p2p_dropped_total", "connection") >= 4 })
	if n := len(victim.host.Network().Peers()); n > 4 {
		t.Errorf("%d strangers are connected, want 4 at most", n)
	}
	member := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: victim.Addrs()})
	id := member.put(t, "k", "v")
	eventually(t, "a node of the mesh syncs", func() bool { return victim.holds(id) })
}

// TestManySitesAtOnce has twenty sites join by ticket at one node and sync with
// it, all at one time from one network address that is not loopback: none is
// throttled away.
func TestManySitesAtOnce(t *testing.T) {
	if !isolated(t, "ip link set lo up", "ip addr add 10.77.0.1/24 dev lo") {
		return
	}
	const sites = 20
	m := dagtest.New(t, 1)
	listen := []string{"/ip4/10.77.0.1/udp/7600/quic-v1", "/ip4/10.77.0.1/tcp/7600"}
	timing := fast
	timing.Stall = time.Minute // the machine may be slow; here only bounds on addresses count
	host := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, listen: listen, timing: timing})
	for i := range 100 {
		host.put(t, fmt.Sprint("k", i), "v")
	}
	var all []*site
	var wg sync.WaitGroup
	stores := make([]*memstore.Store, sites)
	for i := range sites {
		ticket := invite(t, m, host, fmt.Sprint(i), hour())
		cfg := RedeemConfig{Ticket: ticket, Node: m.Key(fmt.Sprint("node of site ", i)), Operator: m.Key(fmt.Sprint("operator of site ", i)), Name: fmt.Sprint("site", i)}
		stores[i] = memstore.New()
		wg.Go(func() {
			j, err := Redeem(t.Context(), cfg)
			if err == nil {
				err = SaveJoined(stores[i], j)
			}
			if err != nil {
				t.Errorf("site %d cannot join: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range sites {
		all = append(all, openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key(fmt.Sprint("node of site ", i)), store: stores[i], listen: []string{}, timing: timing}))
	}
	for _, s := range all {
		eventually(t, "every site holds the history and its own enrolment", func() bool {
			_, ok := s.backend.graph.Roster().Author(s.self)
			return ok && s.connected(host.ID()) && s.heads() == host.heads()
		})
	}
	for i, s := range all {
		s.put(t, fmt.Sprint("site", i), "v")
	}
	eventually(t, "all hold all", equalHeads(append(all, host)...))
	for _, p := range host.Peers() {
		if p.Misconduct != "" {
			t.Errorf("site %s was blamed for %s", p.ID, p.Misconduct)
		}
	}
}
