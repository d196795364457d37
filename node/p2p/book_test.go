package p2p

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// testPeer returns the i-th peer of a test, with an address.
func testPeer(t *testing.T, i int) peer.AddrInfo {
	t.Helper()
	id, err := PeerID(identity.NewKeyFromSeed([32]byte{byte(i), byte(i >> 8), 1}).Public())
	if err != nil {
		t.Fatal(err)
	}
	return peer.AddrInfo{ID: id, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")}}
}

func TestBookIsBoundedAndDurable(t *testing.T) {
	store := memstore.New()
	b, err := openBook(store, fast)
	if err != nil {
		t.Fatal(err)
	}
	pinned := testPeer(t, 0)
	if err := b.pin(pinned); err != nil {
		t.Fatal(err)
	}
	for i := range maxPeers + 10 {
		p := testPeer(t, 1+i)
		if err := b.remember(p.ID, p.Addrs); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.ids()); n != maxPeers {
		t.Errorf("the book holds %d peers, want %d", n, maxPeers)
	}
	if !b.has(pinned.ID) {
		t.Error("the configured peer was pushed out")
	}
	stored := 0
	if err := store.ScanMeta(peerMeta, func(string, []byte) error { stored++; return nil }); err != nil {
		t.Fatal(err)
	}
	if stored != maxPeers-1 {
		t.Errorf("%d peers are stored, want %d", stored, maxPeers-1)
	}
	again, err := openBook(store, fast)
	if err != nil || len(again.ids()) != stored {
		t.Errorf("opening again: %d peers, %v, want %d", len(again.ids()), err, stored)
	}
	for i := range maxPeers {
		err = b.pin(testPeer(t, 1000+i))
	}
	if !errors.Is(err, ErrConfig) {
		t.Errorf("configuring more peers than fit: %v, want ErrConfig", err)
	}
}

func TestBookBacksOff(t *testing.T) {
	timing := Timing{DialMin: time.Minute, DialMax: 8 * time.Minute}
	b, err := openBook(memstore.New(), timing)
	if err != nil {
		t.Fatal(err)
	}
	p := testPeer(t, 1)
	if err := b.pin(p); err != nil {
		t.Fatal(err)
	}
	nobody := func(peer.ID) bool { return false }
	for i := range 6 {
		infos, _ := b.due(nobody, 1, false)
		if len(infos) != 1 || infos[0].ID != p.ID {
			t.Fatalf("attempt %d: due = %v, want the peer", i, infos)
		}
		if infos, _ := b.due(nobody, 1, false); len(infos) != 0 {
			t.Fatalf("attempt %d: due while it is dialled", i)
		}
		b.dialled(p.ID, false)
		want := min(timing.DialMax, timing.DialMin<<i)
		e := b.entries[p.ID]
		if wait := time.Until(e.next); e.wait != want || wait > want*3/2 || wait < want/2-time.Second {
			t.Errorf("attempt %d: next in %v of %v, want about %v", i, wait, e.wait, want)
		}
		e.next = time.Time{}
	}
	b.retry(p.ID)
	if wait := b.entries[p.ID].wait; wait != 0 {
		t.Errorf("after a connection was lost: wait %v, want 0", wait)
	}
}

func TestPeersAreBounded(t *testing.T) {
	ps := newPeers(nil)
	busy := peer.ID("busy")
	ps.with(busy, func(s *peerState) { s.busyOut = true })
	for i := range maxStandings + 100 {
		ps.with(peer.ID(rune(i)), func(*peerState) {})
	}
	if len(ps.all) > maxStandings {
		t.Errorf("%d states are kept, want at most %d", len(ps.all), maxStandings)
	}
	if _, ok := ps.get(busy); !ok {
		t.Error("the state of a peer in a session was evicted")
	}
}

// TestCut cuts two nodes apart, and mends that.
func TestCut(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	gossips(t, sites...)
	for i, s := range sites {
		if err := s.Cut(sites[1-i].self, true); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "no connection", func() bool { return !sites[0].connected(sites[1].ID()) && !sites[1].connected(sites[0].ID()) })
	a, b := sites[0].put(t, "a", "v"), sites[1].put(t, "b", "v")
	time.Sleep(300 * time.Millisecond)
	if sites[0].holds(b) || sites[1].holds(a) {
		t.Fatal("an op crossed the cut")
	}
	for i, s := range sites {
		if err := s.Cut(sites[1-i].self, false); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "equal once mended", equalHeads(sites...))
}
