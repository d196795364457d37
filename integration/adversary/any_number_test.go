package adversary

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestTwoAmongTwenty: two correct nodes and eighteen liars, each of its own sort, all
// connected to both. What the two write arrives, what is false does not, and they agree.
func TestTwoAmongTwenty(t *testing.T) {
	m := New(t, Config{Name: "twenty", Sites: 2, Liars: 18})
	w := m.Watch(t)
	mirror := m.NewMirror(t)
	g := mirror.Graph()
	put := func(value string) []dag.Transaction { return []dag.Transaction{liar.PutOf("/liar/of-twenty", value)} }
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	again := func(f func()) { // and again, until the test ends
		wg.Go(func() {
			for ctx.Err() == nil {
				f()
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	for i := range 18 {
		key := m.Liar()
		p := m.NewPeer(t, key, m.Sites...)
		target := m.Sites[i%2]
		switch i % 9 {
		case 0: // says that it holds everything, gives nothing
			p.Answer(p.stating(g))
		case 1: // takes every session and never ends it
			p.Answer(func(s network.Stream) { hold(ctx, s, time.Second, []byte{0, 0, 0, 0}) })
		case 2: // forged
			again(func() { p.SendOps(target, forged(liar.Sign(t, g, key, liar.Draft{Transactions: put("forged")}))) })
		case 3: // forks: one branch for each
			for _, s := range m.Sites {
				p.SendOps(s, encoded(liar.Sign(t, g, key, liar.Draft{First: true, Transactions: put("for " + s.Name)})))
			}
		case 4: // orphans
			p.Answer(p.nothing)
			again(func() {
				parent := unknown()
				op := liar.Sign(t, g, key, liar.Draft{First: true, Transactions: put("orphan"), Edit: func(h *dag.Header) { h.Parents = []dag.ID{parent} }})
				p.SendOps(target, encoded(op))
			})
		case 5: // holds nothing, again and again
			again(func() {
				if s := p.Sync(target, nil, append(p.Open(), endFrame())...); s != nil {
					_ = s.SetReadDeadline(time.Now().Add(time.Second))
					drain(s)
				}
			})
		case 6: // garbage
			again(func() { p.Sync(target, []byte("garbage"), hello()) })
		case 7: // false heads
			again(func() { p.Gossip(gossipHeads(key.Public(), sorted(slicesOf(100, unknown))...)) })
		case 8: // outside its grant
			again(func() {
				p.SendOps(target, encoded(liar.Sign(t, g, key, liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/stolen", "x")}})))
			})
		}
	}
	big := strings.Repeat("x", 300<<10) // too large for gossip
	for i := range size(5, 50) {
		for j, s := range m.Sites {
			key, value := fmt.Sprintf("/true/%d", i), fmt.Sprintf("%s says %d", s.Name, i)
			s.Put(t, key, value)
			m.Sites[1-j].Becomes(t, key, value)
			s.Put(t, "/big", value+big)
			m.Sites[1-j].Becomes(t, "/big", value+big)
		}
	}
	for _, s := range m.Sites {
		if got := s.Get(t, "/stolen"); got != "" {
			t.Errorf("%s shows %q", s.Name, got)
		}
		for _, reason := range []string{"refused-bad-signature", "refused-outside-grant"} {
			if s.Metric(t, "causeway_p2p_misbehaviour_total", Label("reason", reason)) == 0 {
				t.Errorf("%s: no metric counts %s", s.Name, reason)
			}
		}
	}
	cancel()
	wg.Wait()
	w.Survived(t, Budget{Memory: 160 << 20, Disk: 48 << 20, Log: int64(size(16, 48)) << 20})
}
