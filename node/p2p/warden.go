package p2p

import (
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/causeway-sync/causeway/identity"
)

// warden follows the roster: it ends what peers do who may no longer, and
// begins again with those who may (docs/p2p.md, section 5).
type warden struct {
	n      *Network
	wake   chan struct{}
	roster *identity.Roster // by which peers were judged last; the loop's
}

func newWarden(n *Network) *warden {
	return &warden{n: n, wake: make(chan struct{}, 1), roster: n.backend.Graph().Roster()}
}

// look says that the roster may have changed. It never blocks.
func (w *warden) look() { poke(w.wake) }

func (w *warden) loop(ctx context.Context) {
	w.n.succeed(w.roster)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if now := w.n.backend.Graph().Roster(); now != w.roster {
				before := w.roster
				w.roster = now
				w.changed(before, now)
			}
		}
	}
}

// changed acts on a new roster.
func (w *warden) changed(before, now *identity.Roster) {
	n := w.n
	n.succeed(now)
	for _, p := range n.host.Network().Peers() {
		was, err := n.admittedBy(before, p) == nil, n.admittedBy(now, p)
		switch {
		case was && shutOut(err):
			w.fall(p)
			n.log.Warn("a peer may no longer sync", "peer", p.String(), "reason", err.Error())
		case err == nil && !was:
			n.log.Info("a peer may sync", "peer", p.String())
			n.presented(p)
			n.syncer.want(p, 0)
		}
	}
	n.lanes.rosterChanged()
}

// fall ends p's sync, proof and gossip streams, and what is kept for its sake.
func (w *warden) fall(p peer.ID) {
	n := w.n
	gated := append([]protocol.ID{SyncProtocol, ProofProtocol}, n.gossip.protocols()...)
	for _, c := range n.host.Network().ConnsToPeer(p) {
		for _, s := range c.GetStreams() {
			if slices.Contains(gated, s.Protocol()) {
				_ = s.ResetWithError(codeNotEnrolled)
			}
		}
	}
	n.host.ConnManager().Unprotect(p, "enrolled")
	n.delivery.forget(p)
}
