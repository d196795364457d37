package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/identity"
)

// admitted reports whether p may use the sync and gossip protocols
// (docs/p2p.md, section 5): nil, or an error that wraps ErrBanned, ErrPeerID,
// ErrNotEnrolled or ErrRevoked.
func (n *Network) admitted(p peer.ID) error {
	if until, is := n.standings.banned(p); is {
		return fmt.Errorf("%w: until %s", ErrBanned, until.Format(time.RFC3339))
	}
	return n.admittedBy(n.backend.Graph().Roster(), p)
}

// admittedBy is admitted as a roster says, whoever is banned.
func (n *Network) admittedBy(roster *identity.Roster, p peer.ID) error {
	key, err := NodeKey(p)
	if err != nil {
		return err
	}
	err = roster.Standing(key).Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, identity.ErrRevoked):
		return fmt.Errorf("%w: %w", ErrRevoked, err)
	case n.introductions.admits(p, key, roster):
		return nil
	}
	if _, ok := roster.Author(n.self); !ok && n.book.has(p) {
		return nil // this node just joined and knows nobody
	}
	return ErrNotEnrolled
}

// shutOut reports whether err says that a peer has no place in a roster, or none any more.
func shutOut(err error) bool { return errors.Is(err, ErrNotEnrolled) || errors.Is(err, ErrRevoked) }

// connGate is the connection gater: banned peers are neither dialled nor let
// in, and who is not configured finds the door closed when there are many.
type connGate struct{ n *Network }

func (g connGate) allowed(p peer.ID) bool {
	_, banned := g.n.standings.banned(p)
	return !banned && !g.n.cuts.has(p)
}

// room reports whether there is a place for p, who came by itself.
func (g connGate) room(p peer.ID) bool {
	if g.n.book.pinned(p) {
		return true
	}
	connected := g.n.host.Network().Peers()
	if slices.Contains(connected, p) {
		return true
	}
	roster := g.n.backend.Graph().Roster()
	strangers := 0
	for _, q := range connected {
		if g.n.admittedBy(roster, q) != nil {
			strangers++
		}
	}
	if len(connected) >= g.n.room.peers || strangers >= g.n.room.strangers && g.n.admittedBy(roster, p) != nil {
		g.n.metrics.dropped.WithLabelValues("connection").Inc()
		return false
	}
	return true
}

func (g connGate) InterceptPeerDial(p peer.ID) bool { return g.allowed(p) }

func (g connGate) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return true }

func (g connGate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g connGate) InterceptSecured(dir network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allowed(p) && (dir == network.DirOutbound || g.room(p))
}

func (g connGate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

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
