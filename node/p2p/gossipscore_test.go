package p2p

import (
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestGossipScores looks at what a node adds to gossip's scores of its peers.
func TestGossipScores(t *testing.T) {
	m := dagtest.New(t, 4)
	sites := members(t, m, 3, slow)
	pinned, s, other := sites[0], sites[1], sites[2]
	gossips(t, sites...)
	if got := s.gossip.appScore(pinned.ID()); got != pinnedScore {
		t.Errorf("score of the configured peer = %v, want %v", got, pinnedScore)
	}
	if got := s.gossip.appScore(other.ID()); got != 0 {
		t.Errorf("score of another peer = %v, want 0", got)
	}
	for range 3 {
		s.standings.report(other.ID(), reasonStalled, errors.New("test"))
	}
	if got := s.gossip.appScore(other.ID()); got > -29 || got < -30 {
		t.Errorf("score after three stalls = %v, want nearly -30", got)
	}
	params, _ := s.gossip.peerScore("topic")
	if params.IPColocationFactorWeight != 0 {
		t.Error("peers that share an address score less")
	}
	// Invalid messages end a peer's place at once.
	stranger, err := PeerID(m.Author(3))
	if err != nil {
		t.Fatal(err)
	}
	l := newLiar(t, m.Node(3), s)
	l.publish(m.Founding.ID(), []byte("garbage"))
	eventually(t, "the liar is shut out", func() bool { _, is := s.standings.banned(stranger); return is })
}
