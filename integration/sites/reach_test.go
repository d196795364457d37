package sites

import (
	"strings"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/integration/harness"
)

// TestSiteBehindARouter has a site at whose own address nobody arrives keep a
// place at a relay. Its ticket names that, so another joins through it; and the
// nodes, who knew one each, all find each other.
func TestSiteBehindARouter(t *testing.T) {
	hub, behind, late := harness.NewNode(t), harness.NewNode(t), harness.NewNode(t)
	hub.Start("--relay-service")
	behind.Join(hub, "--role", "admin") // it invites in turn
	behind.Start("--relays", hub.Status().PeerAddrs[0], "--advertise-peer-addrs", "/ip4/192.0.2.1/tcp/9")
	wait(t, "the site behind the router has a place at the relay", func() bool {
		return strings.Contains(strings.Join(behind.Status().PeerAddrs, " "), "/p2p-circuit/")
	})
	late.Join(behind)
	late.Start()
	put(t, late, "k", "by way of the relay")
	arrives(t, behind, "k", "by way of the relay")
	put(t, behind, "l", "and back")
	arrives(t, late, "l", "and back")
	for _, n := range []*harness.Node{hub, behind, late} {
		wait(t, "each is connected with both others", func() bool {
			connected := 0
			for _, p := range n.Status().Peers {
				if p.Connected {
					connected++
				}
			}
			return connected == 2
		})
	}
	harness.WaitEqual(t, within, hub, behind, late)
}

// wait waits until ok, generously.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 2*within {
			t.Fatalf("not within %v: %s", 2*within, what)
		}
	}
}
