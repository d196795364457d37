package adversary

import (
	"fmt"
	"strings"
	"testing"
)

// surround connects liars with a site, who say that they hold what it holds and give it nothing.
func (m *Mesh) surround(t *testing.T, s *Site, liars int) {
	t.Helper()
	l := m.NewLiar(t, m.Liar(), s) // a graph of what is there
	l.Close()
	for range liars {
		p := m.NewPeer(t, m.Liar(), s)
		p.Answer(p.stating(l.Graph()))
		p.Gossip(gossipHeads(p.Key.Public()))
	}
}

// TestEclipsed: all whom a node is connected with are liars, who keep everything
// from it. It serves its own clients meanwhile, and once a correct node reaches it has all.
func TestEclipsed(t *testing.T) {
	m := New(t, Config{Name: "eclipsed", Sites: 2, Liars: 31, Apart: true})
	w := m.Watch(t)
	victim, good := m.Sites[0], m.Sites[1]
	m.surround(t, victim, size(20, 30))
	good.Put(t, "/outside", "unknown to the victim")
	victim.Put(t, "/inside", "served")
	if got := victim.Get(t, "/inside"); got != "served" {
		t.Errorf("an eclipsed node shows %q to its client", got)
	}
	if got := victim.Get(t, "/outside"); got != "" {
		t.Errorf("the eclipsed node shows %q: it was not eclipsed", got)
	}
	// It cannot know what it is not told, but shows who its company is.
	if got := victim.Metric(t, "causeway_p2p_configured_peers_connected"); got != 0 {
		t.Errorf("%v configured peers are connected", got)
	}
	if got := victim.Metric(t, "causeway_p2p_connected_operators"); got == 0 {
		t.Error("no operator of the liars is shown")
	}
	m.Link(t, victim, good) // the good one begins, and finds its way past the liars
	victim.Becomes(t, "/outside", "unknown to the victim")
	good.Becomes(t, "/inside", "served")
	w.Survived(t, Usual)
}

// TestEclipseWithPinnedPeer: the node was told of one correct node. However many
// liars come, it stays connected with it and misses nothing.
func TestEclipseWithPinnedPeer(t *testing.T) {
	m := New(t, Config{Name: "pinned", Sites: 2, Liars: 41})
	w := m.Watch(t)
	good, victim := m.Sites[0], m.Sites[1] // the second one was told of the first
	m.surround(t, victim, size(25, 40))
	for i := range 5 {
		key := fmt.Sprintf("/outside/%d", i)
		good.Put(t, key, strings.Repeat("x", 300<<10)) // too large for gossip
		victim.Becomes(t, key, strings.Repeat("x", 300<<10))
	}
	if p, _ := victim.Peer(t, good.Key); !p.Connected || !p.Pinned {
		t.Errorf("the pinned peer is connected: %v, pinned: %v", p.Connected, p.Pinned)
	}
	all, connected := victim.Metric(t, "causeway_p2p_configured_peers"), victim.Metric(t, "causeway_p2p_configured_peers_connected")
	if all != 1 || connected != 1 {
		t.Errorf("%v of %v configured peers are connected, by the metrics", connected, all)
	}
	good.Stop()
	Eventually(t, "a metric shows that the configured peer is gone", func() bool {
		return victim.Metric(t, "causeway_p2p_configured_peers_connected") == 0
	})
	good.Start()
	Eventually(t, "and that it is back", func() bool {
		return victim.Metric(t, "causeway_p2p_configured_peers_connected") == 1
	})
	w.Survived(t, stores(Usual, 4<<20)) // what one learns from the other
}
