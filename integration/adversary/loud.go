package adversary

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A Force is liars who attack one node as loudly as they can, from a process of
// their own.
type Force struct {
	tb     testing.TB
	world  *dagtest.Mesh
	victim *Site
	keys   []*identity.PrivateKey
}

// NewForce returns the liars of a mesh of that config, against the node at that address.
func NewForce(tb testing.TB, cfg Config, victim string) *Force {
	f := &Force{tb: tb, world: World(tb, cfg), victim: &Site{tb: tb, addr: victim}}
	for i := range cfg.Liars {
		f.keys = append(f.keys, f.world.Node(1+cfg.Sites+i))
	}
	return f
}

// Loud are the attacks that a Force knows, by name. Each goes on until ctx ends.
var Loud = map[string]func(f *Force, ctx context.Context){
	"connections":   (*Force).connections,
	"trickle":       (*Force).trickle,
	"forks":         (*Force).forks,
	"signatures":    (*Force).signatures,
	"amplification": (*Force).amplification,
}

// each runs f for so many of the liars at once, again and again.
func (f *Force) each(ctx context.Context, liars int, attack func(i int, p *Peer)) {
	var wg sync.WaitGroup
	for i, key := range f.keys[:min(liars, len(f.keys))] {
		p := NewPeer(f.tb, key, f.world.Founding.ID())
		wg.Go(func() {
			for ctx.Err() == nil {
				if p.TryDial(f.victim.Address()) == nil {
					attack(i, p)
				}
				pause(ctx, 20*time.Millisecond)
			}
		})
	}
	wg.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connections opens connections that say nothing or garbage, and ones of fresh
// keys that ask for a sync, as fast as they come about.
func (f *Force) connections(ctx context.Context) {
	info, err := p2p.ParsePeerAddr(f.victim.Address())
	if err != nil {
		f.tb.Fatal(err)
	}
	port, err := info.Addrs[0].ValueForProtocol(multiaddr.P_TCP)
	if err != nil {
		f.tb.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
				if err != nil {
					pause(ctx, 10*time.Millisecond)
					continue
				}
				_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				pause(ctx, time.Millisecond)
				c.Close()
			}
		})
	}
	for worker := range 2 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := identity.NewKeyFromSeed(sha256.Sum256(fmt.Append(nil, "stranger ", worker, i)))
				own := NewSuite() // so that nothing of the peer is kept
				p := NewPeer(own, key, f.world.Founding.ID())
				if p.TryDial(f.victim.Address()) == nil {
					p.Sync(f.victim, nil, p.Open()...)
				}
				own.End()
			}
		})
	}
	wg.Wait()
}

// trickle takes every session and sends it a byte at a time.
func (f *Force) trickle(ctx context.Context) {
	f.each(ctx, 40, func(i int, p *Peer) {
		part := []byte{0, 0, 0, 0} // an empty frame
		frames := framed(claim{mesh: p.mesh}.encode())
		if i%2 == 0 {
			frames, part = append(frames, 0, 4, 0, 0), []byte{'x'}
		}
		p.Answer(func(s network.Stream) {
			_, _ = s.Write(frames)
			hold(ctx, s, 20*time.Millisecond, part)
		})
		if s := p.Sync(f.victim, nil, hello()); s != nil {
			_, _ = s.Write(frames)
			hold(ctx, s, 20*time.Millisecond, part)
		}
	})
}

// forks signs one branch after another at one place, a thousand a liar.
func (f *Force) forks(ctx context.Context) {
	f.each(ctx, 4, func(i int, p *Peer) {
		for n := 0; n < 1000 && ctx.Err() == nil; n += 100 {
			var ops []encodedOp
			for j := range 100 {
				ops = append(ops, encoded(liar.Sign(f.tb, f.world.Graph, p.Key, liar.Draft{First: true,
					Transactions: []dag.Transaction{liar.PutOf(fmt.Sprintf("/liar/%d/%d", i, n+j), "x")}})))
			}
			if s := p.SendOps(f.victim, ops...); s != nil {
				_ = s.SetReadDeadline(time.Now().Add(time.Second))
				drain(s)
			}
		}
		pause(ctx, time.Second)
	})
}

// signatures sends as many ops as a frame holds, none of which is signed, with
// one key after another, by sync and by gossip.
func (f *Force) signatures(ctx context.Context) {
	good := liar.Sign(f.tb, f.world.Graph, f.keys[0], liar.Draft{First: true})
	var ops []encodedOp
	for len(ops)*len(good.Block()) < 250<<10 {
		ops = append(ops, forged(good))
	}
	f.each(ctx, len(f.keys), func(i int, p *Peer) {
		if s := p.SendOps(f.victim, ops...); s != nil {
			_ = s.SetReadDeadline(time.Now().Add(time.Second))
			drain(s)
		}
		pause(ctx, 200*time.Millisecond)
	})
}

// amplification asks for the whole history again and again.
func (f *Force) amplification(ctx context.Context) {
	f.each(ctx, 16, func(_ int, p *Peer) {
		s := p.Sync(f.victim, nil, append(p.Open(), endFrame())...)
		if s == nil {
			return
		}
		_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
		swallow(s)
		_ = s.Reset()
	})
}
