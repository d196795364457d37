package p2p

import (
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// rotatingMesh has authors who may rotate.
func rotatingMesh(t *testing.T, authors int) *dagtest.Mesh {
	t.Helper()
	return dagtest.NewMesh(t, dagtest.Config{Authors: authors, Rotations: 5})
}

// rotate has the site's backend carry, as the last op of its key, the rotation to
// the key of that name, and returns that op.
func (s *site) rotate(t *testing.T, m *dagtest.Mesh, index uint64, name string) dag.ID {
	t.Helper()
	a, ok := s.backend.graph.Roster().Author(s.self)
	if !ok {
		t.Fatal("not enrolled")
	}
	next := m.Key(name)
	return s.carry(t, m.Issue(s.key, identity.Statement{Content: identity.Rotate{
		Enrolment: a.Enrolment.ID, Index: index, Key: next.Public(),
		Consent: identity.SignRotationConsent(m.Founding.ID(), a.Enrolment.ID, index, next),
	}}))
}

// signed returns all ops that the site holds, in causal order.
func (s *site) signed() (ops []*dag.Signed) {
	for _, op := range s.backend.graph.Since(nil) {
		ops = append(ops, s.backend.ops[op.ID()])
	}
	return ops
}

// bare returns the site's addresses without its peer ID: where to listen again.
func (s *site) bare() (addrs []string) {
	for _, a := range s.Addrs() {
		bare, _, _ := strings.Cut(a, "/p2p/")
		addrs = append(addrs, bare)
	}
	return addrs
}

// TestSuccession rotates the key of a configured peer. Only the other's
// knowledge of its address can connect the two again.
func TestSuccession(t *testing.T) {
	m := rotatingMesh(t, 2)
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: a.Addrs()})
	eventually(t, "they sync", func() bool { st, _ := b.peers.get(a.ID()); return !st.lastSync.IsZero() })
	last := a.rotate(t, m, 1, "second")
	if n, err := a.Flush(t.Context(), last); n != 1 || err != nil {
		t.Errorf("Flush = %d, %v, want 1 peer", n, err)
	}
	if !b.holds(last) {
		t.Fatal("Flush returned, and the peer does not hold the op")
	}
	old, listen := a.ID(), a.bare()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	again := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key("second"), ops: a.signed(), listen: listen})
	id := again.put(t, "k", "v")
	eventually(t, "they meet again", func() bool { return b.holds(id) })
	back := b.put(t, "k", "back")
	eventually(t, "both ways", func() bool { return again.holds(back) })
	p := b.Peers()
	if len(p) != 1 || p[0].ID != again.ID().String() || !p[0].Pinned || p[0].State != PeerEnrolled {
		t.Errorf("Peers() = %+v, want the successor alone, configured", p)
	}
	if b.book.has(old) {
		t.Error("the old key is still dialled")
	}
	if len(b.syncer.anchor(again.ID())) == 0 {
		t.Error("the successor has no anchor")
	}
}

// TestRotationIsShown has peers who have not seen a rotation meet the new key,
// twice rotated by then.
func TestRotationIsShown(t *testing.T) {
	m := rotatingMesh(t, 2)
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled})
	for i, name := range []string{"second", "third"} {
		last := a.rotate(t, m, uint64(i+1), name)
		if _, err := a.Flush(t.Context(), last); !errors.Is(err, ErrNotHeld) {
			t.Errorf("Flush without a peer = %v, want ErrNotHeld", err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		op := a.backend.ops[last]
		for range 2 { // as after a crash
			if err := SaveIntroduction(a.store, op.Block(), op.Body()); err != nil {
				t.Fatal(err)
			}
		}
		a = openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key(name), ops: a.signed(), store: a.store})
	}
	if n := len(a.introduction); n != 2 {
		t.Errorf("the node shows %d ops, want 2", n)
	}
	connect(t, a, b)
	id := a.put(t, "k", "v")
	eventually(t, "the peer took it for what it is", func() bool { return b.holds(id) })
}

// TestIntroductionByTheRevoked shows rotations and enrolments by those who may not write here.
func TestIntroductionByTheRevoked(t *testing.T) {
	m := rotatingMesh(t, 2)
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	b := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled})
	op := a.backend.ops[a.rotate(t, m, 1, "second")]
	shown := introduction{{op.Block(), op.Body()}}
	id, err := PeerID(m.Key("second").Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.introduce(id, shown); err != nil || b.admitted(id) != nil {
		t.Errorf("introduce before the revocation = %v, %v, want none", err, b.admitted(id))
	}
	b.carry(t, revoke(m, 0, m.Founding.ID()))
	if err := b.admitted(id); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("admitted once the old key is revoked = %v, want ErrNotEnrolled", err)
	}
	if err := b.introduce(id, shown); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("introduce by a revoked key = %v, want ErrNotEnrolled", err)
	}
}

// TestTicketOfRotatedHost redeems a ticket whose host has another key by now.
func TestTicketOfRotatedHost(t *testing.T) {
	m := rotatingMesh(t, 1)
	host := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	ticket := invite(t, m, host, "1", hour())
	host.rotate(t, m, 1, "second")
	listen := host.bare()
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Key("second"), ops: host.signed(), listen: listen})
	for _, addr := range ticket.Addrs {
		one := *ticket
		one.Addrs = []string{addr}
		if _, err := redeemAs(t, m, &one, "ann"); !errors.Is(err, ErrTicketRotated) {
			t.Errorf("Redeem at %s = %v, want ErrTicketRotated", addr, err)
		}
	}
}

// TestTicketOfRevokedHost redeems a ticket whose host may carry nothing any more.
func TestTicketOfRevokedHost(t *testing.T) {
	m := dagtest.New(t, 2)
	host := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	ticket := invite(t, m, host, "1", hour())
	host.carry(t, revoke(m, 0, m.Founding.ID()))
	if _, err := redeemAs(t, m, ticket, "ann"); !errors.Is(err, ErrRefused) {
		t.Errorf("Redeem = %v, want ErrRefused", err)
	}
}

// TestTicketGrant has role, patterns, nodes and the time when it is meant to end travel in the invite.
func TestTicketGrant(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	key := m.Key("ticket")
	grant := identity.Grant{Role: identity.RoleReader, Patterns: []identity.Pattern{"/a/**"}, Nodes: 2, Expires: 1_800_000_000_000}
	s := m.StateAs(m.Operator, m.OperatorKey(), nil, identity.Invite{
		Ticket: key.Public(), Host: host.self, Grant: grant, Expires: uint64(hour().UnixMilli()),
	})
	ticket, err := NewTicket(m.Founding.ID(), key, s, host.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	j, err := redeemAs(t, m, ticket, "ann")
	if err != nil {
		t.Fatal(err)
	}
	o, ok := host.backend.graph.Roster().Operator(j.Operator)
	if !ok || o.Role != grant.Role || len(o.Patterns) != 1 || o.Patterns[0] != grant.Patterns[0] || o.Nodes != 2 || o.Expires != grant.Expires {
		t.Errorf("Operator = %+v, %v, want the grant %+v", o, ok, grant)
	}
	if a, ok := host.backend.graph.Roster().Author(m.Key("node of ann").Public()); !ok || a.Rotations != identity.DefaultRotations {
		t.Errorf("Author = %+v, %v, want %d rotations", a, ok, identity.DefaultRotations)
	}
}

// TestSuccessorsOfThief has both the owner and a thief of a key rotate.
func TestSuccessorsOfThief(t *testing.T) {
	m := rotatingMesh(t, 2)
	a := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	for i, name := range []string{"honest", "thief 1", "thief 2", "thief 3", "thief 4", "thief 5"} {
		index := uint64(2)
		if i == 5 {
			index = 1
		}
		a.rotate(t, m, index, name)
	}
	got := successors(a.backend.graph.Roster())
	if len(got) != 1 || len(got[a.self]) != maxSuccessors {
		t.Fatalf("successors = %v, want %d of one key", got, maxSuccessors)
	}
	if n := len(got[m.Key("thief 5").Public()]); n != 0 {
		t.Errorf("a key at a lesser index has %d successors, want none", n)
	}
}

// TestBookInherits keeps what is inherited, and forgets the old key, durably.
func TestBookInherits(t *testing.T) {
	m := dagtest.New(t, 2)
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: slow})
	old, heir := testPeer(t, 1), testPeer(t, 2)
	if err := s.book.remember(old.ID, old.Addrs); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if news, err := s.book.inherit(old.ID, heir.ID); news != want || err != nil {
			t.Errorf("inherit %d = %v, %v, want %v", i, news, err, want)
		}
	}
	book, err := openBook(s.store, Timing{})
	if err != nil {
		t.Fatal(err)
	}
	addrs, _ := book.addrs(heir.ID)
	if len(addrs) != len(old.Addrs) || book.has(old.ID) {
		t.Errorf("after a restart the heir has %d addresses, want %d; the old key is there: %v", len(addrs), len(old.Addrs), book.has(old.ID))
	}
	infos, _ := s.book.due(func(peer.ID) bool { return false }, 8, false)
	for _, info := range infos {
		if info.ID == old.ID {
			t.Error("the old key is dialled")
		}
	}
}
