package p2p

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/identity"
)

// maxSuccessors bounds the keys that are taken for a key's successors: an
// honest node has one, a thief of its key may make others.
const maxSuccessors = 4

// successors returns, for each key that a rotation which stands ended, the
// keys that hold the greatest index it was rotated to, ascending.
func successors(roster *identity.Roster) map[identity.PublicKey][]identity.PublicKey {
	index := make(map[identity.PublicKey]uint64)
	next := make(map[identity.PublicKey][]identity.PublicKey)
	for _, s := range roster.Statements() {
		c, ok := s.Content.(identity.Rotate)
		if !ok || !roster.Stands(s.ID()) || roster.Standing(c.Key).Err() != nil || c.Index < index[s.Issuer] {
			continue
		}
		if c.Index > index[s.Issuer] {
			index[s.Issuer], next[s.Issuer] = c.Index, nil
		}
		next[s.Issuer] = append(next[s.Issuer], c.Key)
	}
	for from, keys := range next {
		slices.SortFunc(keys, identity.PublicKey.Compare)
		keys = slices.Compact(keys)
		next[from] = keys[:min(len(keys), maxSuccessors)]
	}
	return next
}

// succeed gives the peers with a rotated key the place of those with the old
// one (docs/p2p.md, section 7).
func (n *Network) succeed(roster *identity.Roster) {
	next := successors(roster)
	if len(next) == 0 {
		return
	}
	// A key that was rotated twice while this node looked away has an
	// entry for each; an index rises along them, so this ends.
	for range identity.MaxRotations {
		done := true
		for _, old := range n.book.ids() {
			key, err := NodeKey(old)
			if err != nil || key == n.self {
				continue
			}
			for _, k := range next[key] {
				if heir, err := PeerID(k); err == nil && heir != n.id && n.inherit(old, heir) {
					done = false
				}
			}
		}
		if done {
			return
		}
	}
}

// inherit gives heir what this node knows of old, and reports whether that was news.
func (n *Network) inherit(old, heir peer.ID) bool {
	news, err := n.book.inherit(old, heir)
	if err != nil {
		n.log.Error("cannot remember a peer's new key", "peer", heir.String(), "error", err)
	}
	if !news {
		return false
	}
	n.log.Info("a peer has another key", "peer", heir.String(), "before", old.String())
	n.host.ConnManager().Unprotect(old, "book")
	n.host.ConnManager().Protect(heir, "book")
	n.syncer.inherit(old, heir)
	if st, ok := n.peers.get(old); ok {
		n.peers.with(heir, func(s *peerState) {
			for _, op := range st.known {
				s.add(op)
			}
		})
	}
	return true
}
