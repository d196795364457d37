package p2p

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/identity"
)

// PeerStatus is what this node knows of one peer.
type PeerStatus struct {
	ID        string             `json:"id"`   // libp2p peer ID
	Node      identity.PublicKey `json:"node"` // the same key, as this project writes keys
	Operator  string             `json:"operator,omitempty"`
	State     PeerState          `json:"state"`
	RevokedBy *Revocation        `json:"revoked_by,omitempty"` // if State is PeerRevoked
	Addresses []string           `json:"addresses"`            // of the connections, or else those it is dialled at
	Connected bool               `json:"connected"`
	Pinned    bool               `json:"pinned"` // configured here
	// LagOps counts the operations that the peer is not known to hold, and the
	// heads it announced that this node lacks. 0 if both hold the same; all
	// operations for a peer not heard of yet.
	LagOps      int        `json:"lag_ops"`
	LastSync    *time.Time `json:"last_sync,omitempty"`
	LastError   string     `json:"last_error,omitempty"`
	Misconduct  string     `json:"misconduct,omitempty"` // the last kind of misbehaviour
	BytesIn     int64      `json:"bytes_in"`             // of sync and gossip, in this run
	BytesOut    int64      `json:"bytes_out"`            // of sync, in this run
	BannedUntil *time.Time `json:"banned_until,omitempty"`
}

// A PeerState says whether this node and a peer sync with each other.
type PeerState string

// States of peers.
const (
	PeerEnrolled   PeerState = "enrolled"   // it may sync, as far as this node knows
	PeerRevoked    PeerState = "revoked"    // it is revoked here: statements only
	PeerStatements PeerState = "statements" // it refuses to sync with this node, or is let in by nobody who may: statements only
	PeerUnknown    PeerState = "unknown"    // it has no place in the roster here
)

// A Revocation is the statement that revokes a node.
type Revocation struct {
	Statement identity.StatementID `json:"statement"`
	Operator  string               `json:"operator,omitempty"` // as whom it was issued; empty if as the root
}

// state returns whether p syncs with this node, and if not who revokes it.
func (n *Network) state(p peer.ID, key identity.PublicKey, roster *identity.Roster, st *peerState) (PeerState, *Revocation) {
	a, known := roster.Author(key)
	switch {
	case known && a.Revoked != nil:
		by := &Revocation{Statement: *a.Revoked}
		if s := roster.Statement(*a.Revoked); s != nil && s.As != nil {
			if o, ok := roster.Operator(*s.As); ok {
				by.Operator = o.Name
			}
		}
		return PeerRevoked, by
	case n.admittedBy(roster, p) == nil && !st.lane.shutOut:
		return PeerEnrolled, nil
	case known, n.introductions.knows(p, key, roster), st.lane.shutOut:
		return PeerStatements, nil
	}
	return PeerUnknown, nil
}

// Peers returns the status of the peers that are connected, remembered, or
// enrolled and heard of in this run, sorted by peer ID.
func (n *Network) Peers() []PeerStatus {
	g := n.backend.Graph()
	roster := g.Roster()
	ids := append(n.book.ids(), n.host.Network().Peers()...)
	ids = append(ids, n.peers.enrolled(roster)...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out := make([]PeerStatus, 0, len(ids))
	for _, id := range ids {
		key, err := NodeKey(id)
		if err != nil || id == n.id {
			continue
		}
		st := PeerStatus{ID: id.String(), Node: key, Connected: n.connected(id), Misconduct: n.standings.last(id)}
		if n.book.retired(id) && !st.Connected {
			continue
		}
		s, _ := n.peers.get(id)
		if a, ok := roster.Author(key); ok {
			st.Operator = a.OperatorName
		}
		st.State, st.RevokedBy = n.state(id, key, roster, &s)
		addrs, pinned := n.book.addrs(id)
		st.Pinned = pinned
		for _, c := range n.host.Network().ConnsToPeer(id) {
			st.Addresses = append(st.Addresses, c.RemoteMultiaddr().String())
		}
		if !st.Connected {
			st.Addresses = nil
			for _, a := range addrs {
				st.Addresses = append(st.Addresses, a.String())
			}
		}
		slices.Sort(st.Addresses)
		if until, is := n.standings.banned(id); is {
			st.BannedUntil = &until
		}
		st.LagOps = s.lag(g)
		st.LastError, st.BytesIn, st.BytesOut = s.lastErr, s.in, s.out
		if !s.lastSync.IsZero() {
			st.LastSync = &s.lastSync
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b PeerStatus) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// company returns of how many operators, this node's own apart, connected peers are that
// may sync, how many peers are configured here, and how many of these are connected and may sync: what
// a node can know of being surrounded by peers that keep things from it (docs/p2p.md, section 11).
func (n *Network) company() (operators, configured, connected int) {
	roster := n.backend.Graph().Roster()
	seen := make(map[identity.StatementID]bool)
	if a, ok := roster.Author(n.self); ok {
		seen[a.Operator] = true
	}
	own := len(seen)
	for _, id := range n.host.Network().Peers() {
		key, err := NodeKey(id)
		a, ok := roster.Author(key)
		if err != nil || !ok || n.admittedBy(roster, id) != nil {
			continue
		}
		seen[a.Operator] = true
		if n.book.pinned(id) {
			connected++
		}
	}
	return len(seen) - own, n.book.countPinned(), connected
}

// enrolled returns the peers heard of in this run that are enrolled.
func (ps *peers) enrolled(roster *identity.Roster) []peer.ID {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var ids []peer.ID
	for id := range ps.all {
		if key, err := NodeKey(id); err == nil {
			if _, ok := roster.Author(key); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
