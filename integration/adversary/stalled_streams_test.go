package adversary

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// TestStalledStreams: many liars take every session that they can get, theirs and
// the node's own, and keep them: some say nothing more, some a byte now and then, some
// are alive and never get further. The node goes on syncing with the others.
func TestStalledStreams(t *testing.T) {
	m := three(t)
	victim := m.Sites[0]
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	w := m.Watch(t)
	var silent, trickling *Peer
	var taken atomic.Int64 // of the node's own sessions
	for i := range size(40, 60) {
		if i == 2 { // the two alone, then all that there are
			victim.Names(t, silent.Key.Public(), "stalled")
			victim.Names(t, trickling.Key.Public(), "stalled")
		}
		p := m.NewPeer(t, m.Liar(), victim)
		every, part := 2*time.Second, []byte{0, 0, 0, 0} // an empty frame
		switch i {
		case 0:
			silent, every = p, time.Hour
		case 1:
			trickling, every, part = p, 500*time.Millisecond, []byte{'x'}
		}
		keep := func(s network.Stream, frames []byte) {
			if p == trickling {
				frames = append(frames, 0, 4, 0, 0) // of 256 KiB, a byte at a time
			}
			_, _ = s.Write(frames)
			hold(ctx, s, every, part)
		}
		p.Answer(func(s network.Stream) {
			taken.Add(1)
			defer taken.Add(-1)
			keep(s, framed(claim{mesh: p.mesh}.encode()))
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				if s := p.Sync(victim, nil, hello()); s != nil {
					keep(s, framed(claim{mesh: p.mesh}.encode()))
				}
				select {
				case <-ctx.Done():
				case <-time.After(300 * time.Millisecond):
				}
			}
		})
	}
	// Too large for gossip: only a sync brings them.
	big := strings.Repeat("x", 300<<10)
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		// The liars take what they can get.
	}
	t.Logf("the liars hold %d sessions that the node began", taken.Load())
	for _, s := range m.Sites[1:] {
		s.Put(t, "/big/"+s.Name, big)
		victim.Becomes(t, "/big/"+s.Name, big)
	}
	victim.Put(t, "/big/victim", big)
	for _, s := range m.Sites[1:] {
		s.Becomes(t, "/big/victim", big)
	}
	cancel()
	wg.Wait()
	w.Survived(t, stores(Usual, 3*len(m.Sites)*len(big)))
}
