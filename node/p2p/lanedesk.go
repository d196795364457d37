package p2p

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A desk is what this node has to give by the statement lane: what follows
// from one roster. It is immutable.
type desk struct {
	roster  *identity.Roster
	offered []*identity.Statement // ascending by ID, at most maxOffered
	set     [32]byte              // over the IDs of offered
	past    map[dag.ID]bool       // what a peer may ask the past of
}

// desk returns that of the current roster.
func (l *lanes) currentDesk() *desk {
	g := l.n.backend.Graph()
	l.mu.Lock()
	defer l.mu.Unlock()
	if roster := g.Roster(); l.desk == nil || l.desk.roster != roster {
		l.desk = newDesk(roster)
	}
	return l.desk
}

func newDesk(roster *identity.Roster) *desk {
	d := &desk{roster: roster, past: make(map[dag.ID]bool)}
	founders := founders(roster)
	for _, s := range roster.Statements() {
		// What is of the founding op every node of the mesh has.
		if s.Mesh != nil && (roster.Stands(s.ID()) || s.As == nil && slices.Contains(founders, s.Issuer)) {
			d.offered = append(d.offered, s)
		}
	}
	if len(d.offered) > maxOffered {
		slices.SortStableFunc(d.offered, func(a, b *identity.Statement) int { return cmp.Compare(rank(a), rank(b)) })
		d.offered = slices.Clip(d.offered[:maxOffered])
	}
	slices.SortFunc(d.offered, func(a, b *identity.Statement) int { return a.ID().Compare(b.ID()) })
	h := sha256.New()
	for _, s := range d.offered {
		id := s.ID()
		h.Write(id[:])
		for _, head := range s.KeepHeads() {
			d.past[head] = true
		}
		if c := d.carrier(s); c != nil {
			d.past[*c] = true
		}
	}
	h.Sum(d.set[:0])
	return d
}

func founders(roster *identity.Roster) []identity.PublicKey {
	if found := roster.Found(); found != nil {
		return found.Content.(identity.Found).Founders
	}
	return nil
}

// rank orders statements by how much depends on their being known everywhere.
func rank(s *identity.Statement) int {
	switch s.Kind() {
	case identity.KindRevoke, identity.KindNarrow, identity.KindReadmit, identity.KindEndorse, identity.KindVersion:
		return 0
	case identity.KindEnrol, identity.KindRotate, identity.KindInvite:
		return 2
	}
	return 1
}

// carrier returns the op that makes a redeem or a rotate count, which count by
// who carries them; nil for other statements, which anybody may carry.
func (d *desk) carrier(s *identity.Statement) *dag.ID {
	var author identity.PublicKey
	switch c := s.Content.(type) {
	case identity.Rotate:
		author = s.Issuer
	case identity.Redeem:
		invite := d.roster.Statement(c.Invite)
		if invite == nil {
			return nil
		}
		author = invite.Content.(identity.Invite).Host
	default:
		return nil
	}
	for _, c := range d.roster.Carriers(s.ID()) {
		if c.Author == author {
			id := dag.ID(c.Op)
			return &id
		}
	}
	return nil
}

// revocation returns what revokes a node, and the op that carries that; nil if
// nothing does. It is for the node itself: see [laneSession.ruinous].
func (d *desk) revocation(node identity.PublicKey) (id *identity.StatementID, carrier *dag.ID) {
	a, ok := d.roster.Author(node)
	if !ok || a.Revoked == nil {
		return nil, nil
	}
	carriers := d.roster.Carriers(*a.Revoked)
	if len(carriers) == 0 {
		return nil, nil
	}
	op := dag.ID(carriers[0].Op)
	return a.Revoked, &op
}

// shorts returns the salted names of the offered statements, ascending, and whose they are.
func (d *desk) shorts(salt *laneSalt) ([]short, map[short]*identity.Statement) {
	of := make(map[short]*identity.Statement, len(d.offered))
	shorts := make([]short, 0, len(d.offered))
	for _, s := range d.offered {
		name := salt.short(s.ID())
		if of[name] == nil {
			shorts = append(shorts, name)
		}
		of[name] = s
	}
	slices.SortFunc(shorts, func(a, b short) int { return bytes.Compare(a[:], b[:]) })
	return shorts, of
}
