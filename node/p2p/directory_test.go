package p2p

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// exchanging are sites that tell each other where others are.
func exchanging(c *Config) { c.NoPeerExchange = false }

// TestPeersFindEachOther has two nodes that know only a third find each other
// through it, and stay in touch when it is gone.
func TestPeersFindEachOther(t *testing.T) {
	m := dagtest.New(t, 4)
	open := func(i int, edit func(*Config), peers ...string) *site {
		return openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled, peers: peers, edit: edit})
	}
	hub := open(0, exchanging)
	first := open(1, exchanging, hub.Addrs()...)
	eventually(t, "the hub knows where the first is", func() bool {
		hub.directory.mu.Lock()
		defer hub.directory.mu.Unlock()
		return len(hub.directory.records) == 1
	})
	quiet := open(2, func(c *Config) { c.NoPeerExchange = true }, hub.Addrs()...)
	eventually(t, "the quiet one is in the mesh", func() bool { return quiet.connected(hub.ID()) && quiet.heads() == hub.heads() })
	second := open(3, exchanging, hub.Addrs()...)
	eventually(t, "the two are connected", func() bool { return first.connected(second.ID()) })
	if quiet.connected(first.ID()) || quiet.connected(second.ID()) {
		t.Error("somebody was told of the node that keeps to itself")
	}
	if err := hub.Close(); err != nil {
		t.Fatal(err)
	}
	id := first.put(t, "k", "v")
	eventually(t, "they sync without the hub", func() bool { return second.holds(id) })
}

// place is a record that somebody signs of himself.
func place(t *testing.T, key *identity.PrivateKey, addr string) []byte {
	t.Helper()
	priv, err := hostKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id, err := PeerID(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return placeOf(t, priv, id, addr)
}

func placeOf(t *testing.T, signer crypto.PrivKey, id peer.ID, addr string) []byte {
	t.Helper()
	env, err := record.Seal(&peer.PeerRecord{PeerID: id, Seq: 1, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast(addr)}}, signer)
	if err != nil {
		t.Fatal(err)
	}
	b, err := env.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStrangerLearnsNoAddress has a stranger ask where the nodes of the mesh
// are: it is told nothing, neither by that protocol nor by others.
func TestStrangerLearnsNoAddress(t *testing.T) {
	m := dagtest.New(t, 2)
	hub := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: exchanging})
	other := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, edit: exchanging, peers: hub.Addrs()})
	eventually(t, "the hub knows where the other is", func() bool {
		hub.directory.mu.Lock()
		defer hub.directory.mu.Unlock()
		return len(hub.directory.records) == 1
	})
	l := newLiar(t, m.Key("nobody"), hub)
	s, err := l.NewStream(t.Context(), hub.ID(), PeersProtocol)
	if err != nil {
		t.Fatal(err)
	}
	f := newFramer(s, maxPeersFrame, fast.Stall)
	_ = f.write(encodePlace(place(t, m.Key("nobody"), "/ip4/127.0.0.1/tcp/1"))) // it may be reset already
	got, err := io.ReadAll(s)
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled || len(got) > 0 {
		t.Errorf("asking: %x, %v, want a reset with code %d", got, err, codeNotEnrolled)
	}
	for _, addr := range l.Peerstore().Addrs(other.ID()) {
		t.Errorf("the stranger knows the other's address %v", addr)
	}
	eventually(t, "it is counted", func() bool { return hub.misbehaved(t, "not-enrolled") >= 1 })
}

// TestPlacesOfLiars has an enrolled peer send records that prove nothing, and
// good ones of those who have no place.
func TestPlacesOfLiars(t *testing.T) {
	m := dagtest.New(t, 6)
	other, err := PeerID(m.Author(3))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := hostKey(m.Node(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"garbage":                   []byte("garbage"),
		"a record of another's":     placeOf(t, foreign, other, "/ip4/127.0.0.1/tcp/1"),
		"a good one of another":     place(t, m.Node(3), "/ip4/127.0.0.1/tcp/1"),
		"one cut off":               place(t, m.Node(1), "/ip4/127.0.0.1/tcp/1")[:60],
		"another kind of statement": m.Founding.Block(),
	} {
		victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: exchanging})
		l := newLiar(t, m.Node(1), victim)
		s, err := l.NewStream(t.Context(), victim.ID(), PeersProtocol)
		if err != nil {
			t.Fatal(err)
		}
		if err := newFramer(s, maxPeersFrame, fast.Stall).write(encodePlace(bad)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(s)
		eventually(t, name+" is counted", func() bool { return victim.misbehaved(t, "malformed") == 1 })
		if _, banned := victim.standings.banned(l.ID()); !banned {
			t.Errorf("%s: the liar is not shut out", name)
		}
	}

	// In an answer it is the same.
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, edit: exchanging})
	l := newLiar(t, m.Node(2), victim)
	l.SetStreamHandler(PeersProtocol, func(s network.Stream) {
		f := newFramer(s, maxPeersFrame, fast.Stall)
		_, _ = f.read()
		_ = f.write(encodePlaces([][]byte{place(t, m.Node(3), "/ip4/127.0.0.1/tcp/1"), placeOf(t, foreign, other, "/ip4/127.0.0.1/tcp/1")}))
		s.Close()
	})
	if err := victim.directory.ask(t.Context(), l.ID()); !errors.Is(err, ErrMalformed) {
		t.Errorf("an answer with a forged record: %v, want ErrMalformed", err)
	}
	if victim.misbehaved(t, "malformed") != 1 {
		t.Error("an answer with a forged record is not counted")
	}

	// Nobody without a place in the roster is dialled.
	nobody, err := PeerID(m.Key("nobody").Public())
	if err != nil {
		t.Fatal(err)
	}
	victim.learn(peer.AddrInfo{ID: nobody, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")}})
	if addrs, _ := victim.book.addrs(nobody); len(addrs) > 0 || slices.Contains(victim.book.ids(), nobody) {
		t.Errorf("the book holds a stranger: %v", victim.book.ids())
	}
	if victim.book.has(other) {
		t.Error("a hint counts as leave to send what this node holds")
	}
}

// TestHints has hints of a peer that is not there: they are forgotten, and push
// nothing out.
func TestHints(t *testing.T) {
	m := dagtest.New(t, 3)
	s := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	gone, err := PeerID(m.Author(1))
	if err != nil {
		t.Fatal(err)
	}
	s.learn(peer.AddrInfo{ID: gone, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")}})
	if len(s.book.ids()) != 1 {
		t.Fatalf("the book holds %v, want the hint", s.book.ids())
	}
	eventually(t, "the hint is forgotten", func() bool { return len(s.book.ids()) == 0 })

	good := multiaddr.StringCast("/ip4/127.0.0.1/tcp/7")
	if err := s.book.pin(peer.AddrInfo{ID: gone, Addrs: []multiaddr.Multiaddr{good}}); err != nil {
		t.Fatal(err)
	}
	for port := range 100 {
		a, err := multiaddr.NewMultiaddr("/ip4/127.0.0.1/tcp/" + string(rune('1'+port%9)) + "00" + string(rune('0'+port/10)))
		if err != nil {
			t.Fatal(err)
		}
		s.learn(peer.AddrInfo{ID: gone, Addrs: []multiaddr.Multiaddr{a}})
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	e := s.book.entries[gone]
	if len(e.info.Addrs) != 1 || !e.info.Addrs[0].Equal(good) || len(e.hints) > maxTicketAddrs {
		t.Errorf("after many hints: %v and %d hints, want the configured address and at most %d", e.info.Addrs, len(e.hints), maxTicketAddrs)
	}
}
