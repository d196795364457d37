package p2p

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// admitted reports whether p may use the sync and gossip protocols: nil, or an
// error that wraps ErrBanned, ErrPeerID or ErrNotEnrolled. Enrolled by the
// roster of all delivered ops; or, as long as this node's own enrolment is not
// delivered (it just joined), one that this node means to connect to by
// itself; or one that showed its enrolment.
func (n *Network) admitted(p peer.ID) error {
	if until, is := n.standings.banned(p); is {
		return fmt.Errorf("%w: until %s", ErrBanned, until.Format(time.RFC3339))
	}
	key, err := NodeKey(p)
	if err != nil {
		return err
	}
	roster := n.backend.Graph().Roster()
	if _, ok := roster.Author(key); ok {
		return nil
	}
	if _, ok := roster.Author(n.self); !ok && n.book.has(p) {
		return nil
	}
	if n.introductions.valid(p) {
		return nil
	}
	return ErrNotEnrolled
}

// introductions holds the peers that showed an enrolment which this node has
// not delivered yet. It is bounded in number and time: their next sync brings
// the enrolment itself.
type introductions struct {
	mu     sync.Mutex
	until  map[peer.ID]time.Time
	bucket bucket // for the signatures that showing costs us
}

// An introduction holds for introducedFor; at most maxIntroduced hold at a
// time, and introductionRate are looked at per second.
const (
	introducedFor     = 10 * time.Minute
	maxIntroduced     = 64
	introductionRate  = 5
	introductionBurst = 20
)

func newIntroductions() *introductions {
	return &introductions{until: make(map[peer.ID]time.Time), bucket: newBucket(introductionRate, introductionBurst, time.Now())}
}

func (i *introductions) valid(p peer.ID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Now().Before(i.until[p])
}

func (i *introductions) allow() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.bucket.take(1, time.Now())
}

func (i *introductions) add(p peer.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	for q, until := range i.until {
		if now.After(until) {
			delete(i.until, q)
		}
	}
	if len(i.until) < maxIntroduced {
		i.until[p] = now.Add(introducedFor)
	}
}

// introduce looks at the op by which an unknown peer shows its enrolment: one
// of our mesh, signed by an author enrolled here, whose statements, added to
// our roster, enrol the peer. It decides only whether the peer may speak with
// us; what counts in the mesh is decided when the op is delivered.
func (n *Network) introduce(p peer.ID, block, body []byte) error {
	if len(block) == 0 {
		return ErrNotEnrolled
	}
	if !n.introductions.allow() {
		return ErrBusy
	}
	key, err := NodeKey(p)
	if err != nil {
		return err
	}
	u, err := dag.Decode(block, body)
	if err != nil {
		return fmt.Errorf("%w: introduction: %w", ErrMalformed, err)
	}
	h := u.Header()
	if h.Mesh == nil || *h.Mesh != n.mesh {
		return fmt.Errorf("%w: introduction", ErrMesh)
	}
	roster := n.backend.Graph().Roster()
	if _, ok := roster.Author(h.Author); !ok {
		return fmt.Errorf("%w: nor is the author of its introduction", ErrNotEnrolled)
	}
	if _, errs := dag.Verify([]*dag.Unverified{u}); errs[0] != nil {
		return fmt.Errorf("%w: introduction: %w", ErrMalformed, errs[0])
	}
	if _, ok := roster.With(carriedBy(u)...).Author(key); !ok {
		return fmt.Errorf("%w: nor does its introduction enrol it", ErrNotEnrolled)
	}
	n.introductions.add(p)
	return nil
}

// carriedBy returns an op's statements as the roster wants them.
func carriedBy(u *dag.Unverified) []identity.Carried {
	var carried []identity.Carried
	for i, s := range u.Statements() {
		carried = append(carried, identity.Carried{Statement: s, Op: u.ID(), Author: u.Header().Author, Seq: u.Header().Seq, Index: i})
	}
	return carried
}

// banGate is the connection gater: banned peers are neither dialled nor let in.
type banGate struct {
	standings *standings
	cuts      *cuts
}

func (g banGate) allowed(p peer.ID) bool {
	_, banned := g.standings.banned(p)
	return !banned && !g.cuts.has(p)
}

func (g banGate) InterceptPeerDial(p peer.ID) bool { return g.allowed(p) }

func (g banGate) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return true }

func (g banGate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g banGate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allowed(p)
}

func (g banGate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// gatedHost is the host that gossip is given: streams of peers that are not
// admitted are reset and counted, and none are opened to them.
type gatedHost struct {
	host.Host
	n *Network
}

func (h gatedHost) SetStreamHandler(id protocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(id, h.gate(handler))
}

func (h gatedHost) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, handler network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(id, match, h.gate(handler))
}

func (h gatedHost) gate(handler network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if err := h.n.admitted(s.Conn().RemotePeer()); err != nil {
			h.n.standings.report(s.Conn().RemotePeer(), reasonNotEnrolled, fmt.Errorf("gossip: %w", err))
			_ = s.ResetWithError(codeNotEnrolled)
			return
		}
		handler(s)
	}
}

func (h gatedHost) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if err := h.n.admitted(p); err != nil {
		return nil, err
	}
	return h.Host.NewStream(ctx, p, ids...)
}
