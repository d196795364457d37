package adversary

import (
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// TestEmptyHistory: liars say again and again that they hold nothing, to be sent
// the whole history. Sessions are bounded by rate, and what was sent before is
// sent from a small budget.
func TestEmptyHistory(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	victim := m.Sites[0]
	var wg sync.WaitGroup
	var got [8]int64
	var greedy *Peer
	for i := range got {
		p := m.NewPeer(t, m.Liar(), victim)
		greedy = p
		wg.Go(func() {
			for range size(20, 60) {
				s := p.Sync(victim, nil, append(p.Open(), endFrame())...)
				if s == nil {
					continue
				}
				_ = s.SetReadDeadline(time.Now().Add(Within))
				got[i] += swallow(s)
				_ = s.Reset()
			}
		})
	}
	wg.Wait()
	victim.Names(t, greedy.Key.Public(), "budget", func() { // a slow machine makes slow liars
		var streams []network.Stream
		for range 60 {
			if s := greedy.Sync(victim, nil, hello()); s != nil {
				streams = append(streams, s)
			}
		}
		for _, s := range streams {
			_ = s.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			drain(s)
			_ = s.Reset()
		}
	})
	var sum int64
	for _, n := range got {
		sum += n
	}
	t.Logf("%d liars were sent %.1f MiB in all", len(got), float64(sum)/(1<<20))
	w.Survived(t, Usual)
}
