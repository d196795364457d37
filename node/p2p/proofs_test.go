package p2p

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// branches are n ops of an author on the founding op: n branches.
func branches(m *dagtest.Mesh, author, n int) []*dag.Signed {
	ops := make([]*dag.Signed, n)
	for i := range ops {
		ops[i] = m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{m.Founding.ID()},
			Transactions: []dag.Transaction{{dagtest.Put("k", fmt.Sprint(i))}}})
	}
	return ops
}

// unseen is a proof of a fork of which one branch is valid nowhere, and so never delivered.
func unseen(t *testing.T, m *dagtest.Mesh, author int) []byte {
	t.Helper()
	a := branches(m, author, 1)[0]
	b := m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{m.Founding.ID()}, Edit: func(h *dag.Header) { h.Depth = 9 }})
	proof, err := dag.AppendForkProof(nil, a.Block(), b.Block())
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// TestProofTravels gives one site a proof whose ops nobody holds: every site
// gets it, over one that is in between, stores it and names the author.
func TestProofTravels(t *testing.T) {
	m := dagtest.New(t, 5)
	first := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	middle := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: first.Addrs()})
	last := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(2), ops: m.Enrolled, peers: middle.Addrs()})
	proof := unseen(t, m, 3)
	if err := first.proofs.take(proof); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*site{middle, last} {
		eventually(t, fmt.Sprintf("site %d has the proof", i+1), func() bool { return string(s.Proofs()[m.Author(3)]) == string(proof) })
		eventually(t, "the forker is named", func() bool {
			return s.log.has("forked", "author="+m.Author(3).String(), "operator=founder")
		})
	}
	// Both ways: what the last one learns reaches the first.
	if err := last.proofs.take(unseen(t, m, 4)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first site has the other proof", func() bool { return first.proofs.has(m.Author(4)) })

	// It is stored.
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	stored, err := LoadProofs(last.store)
	if err != nil || string(stored[m.Author(3)]) != string(proof) || len(stored) != 2 {
		t.Errorf("LoadProofs = %d proofs, %v, want both", len(stored), err)
	}
	again := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(2), ops: m.Enrolled, store: last.store})
	if !again.proofs.has(m.Author(3)) || !again.proofs.has(m.Author(4)) {
		t.Error("a site that starts again holds no proofs")
	}
}

// TestProofOfLog makes a proof of ops that a site holds, and shows it to one that lacks them.
func TestProofOfLog(t *testing.T) {
	m := dagtest.New(t, 3)
	s := members(t, m, 1, fast)[0]
	ops := branches(m, 2, 3)
	if err := s.delivery.synced(t.Context(), "", ops); err != nil {
		t.Fatal(err)
	}
	proof, err := s.proofs.of(m.Author(2))
	if err != nil {
		t.Fatal(err)
	}
	if fork, err := dag.ParseForkProof(proof); err != nil || fork.Author != m.Author(2) {
		t.Errorf("ParseForkProof = %+v, %v, want the forker's", fork, err)
	}
	if len(s.Proofs()) != 0 {
		t.Error("a proof that the log holds is stored a second time")
	}
	if _, err := s.proofs.of(m.Author(1)); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("of an honest author = %v, want ErrNotFound", err)
	}
}

// TestProofLies has peers show proofs that prove nothing.
func TestProofLies(t *testing.T) {
	m := dagtest.New(t, 10)
	s := members(t, m, 1, fast)[0]
	other := dagtest.NewMesh(t, dagtest.Config{Name: "other", Authors: 3})
	good := unseen(t, m, 1)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-3] ^= 1
	list := encodeProofList(nil)
	author := 2
	for name, tc := range map[string]struct {
		reason string
		frames [][]byte
	}{
		"garbage":         {"malformed", [][]byte{[]byte("garbage")}},
		"bad signature":   {"malformed", [][]byte{list, encodeProofs([][]byte{flipped}, false)}},
		"another mesh":    {"other-mesh", [][]byte{list, encodeProofs([][]byte{unseen(t, other, 1)}, false)}},
		"a list for them": {"malformed", [][]byte{list, list}},
	} {
		l := newLiar(t, m.Node(author), s)
		author++
		str, err := l.NewStream(t.Context(), l.to, ProofProtocol)
		if err != nil {
			t.Fatal(err)
		}
		f := newFramer(str, maxProofFrame, fast.Stall)
		for i, frame := range tc.frames {
			if err := f.write(frame); err != nil {
				t.Fatal(err)
			}
			for range 2 * i { // the site's answer: proofs and its list
				if _, err := f.read(); err != nil && !errors.Is(err, io.EOF) {
					break
				}
			}
		}
		eventually(t, name+" is named", func() bool {
			return s.log.has("peer misbehaved", "peer="+l.ID().String(), "reason="+tc.reason)
		})
	}
	// Who is not enrolled is shown none.
	str, err := newLiar(t, m.Key("nobody"), s).NewStream(t.Context(), s.ID(), ProofProtocol)
	if err == nil {
		_, err = str.Write(append([]byte{0, 0, 0, byte(len(list))}, list...))
	}
	if err == nil {
		_, err = io.ReadAll(str)
	}
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled {
		t.Errorf("a stranger's exchange of proofs: %v, want a reset with code %d", err, codeNotEnrolled)
	}
	// A proof of an author who is not known here: nobody's fault, and of no use yet.
	stranger := dagtest.Draft{Key: m.Key("nobody"), Parents: []dag.ID{m.Founding.ID()}}
	a := m.Sign(stranger)
	stranger.Transactions = []dag.Transaction{{dagtest.Put("k", "v")}}
	stranger.Edit = func(h *dag.Header) { h.Seq, h.Prev, h.Bytes, h.Writes = 1, nil, h.Size, 1 }
	b := m.Sign(stranger)
	unknown, err := dag.AppendForkProof(nil, a.Block(), b.Block())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.proofs.take(unknown); !errors.Is(err, errUnplaced) {
		t.Errorf("take of a stranger's fork = %v, want errUnplaced", err)
	}
	if err := s.proofs.take(good); err != nil || !s.proofs.has(m.Author(1)) {
		t.Errorf("take of a good proof = %v", err)
	}
	if n := len(s.Proofs()); n != 1 {
		t.Errorf("%d proofs are stored, want 1", n)
	}
}

// TestThousandBranches has an author sign a thousand branches, gossip some and
// have an accomplice hand on all: gossip takes no more than its rate, honest
// writes arrive meanwhile, and all sites end with the same heads.
func TestThousandBranches(t *testing.T) {
	const count = 1000
	m := dagtest.New(t, 5)
	sites := members(t, m, 3, fast)
	gossips(t, sites...)
	began := time.Now()
	ops := branches(m, 4, count)
	l := newLiar(t, m.Node(4), sites[0])
	next := 0
	eventually(t, "the forker is slowed", func() bool {
		if next < 500 { // what pubsub's queues have no room for is dropped
			op := ops[next]
			l.publish(m.Founding.ID(), encodeGossipOp(op.Block(), op.Body()))
			next++
		}
		return sites[0].count(t, "causeway_p2p_throttled_total", "gossip") > 0
	})
	for i, s := range sites {
		// Two make a fork; from then on the rate holds. Gossip validates several at a time.
		most := maxValidators + throttleGossipBurst + throttleGossipRate*(time.Since(began).Seconds()+1)
		if got := s.count(t, "causeway_p2p_ops_delivered_total", "gossip"); got > most {
			t.Errorf("site %d took %v ops of the forker by gossip, want at most %v", i, got, most)
		}
	}
	accomplice := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(3), ops: append(m.Enrolled[:len(m.Enrolled):len(m.Enrolled)], ops...)})
	if err := accomplice.AddPeer(sites[0].Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	id := sites[1].put(t, "honest", "v")
	eventually(t, "an honest op arrives", func() bool { return sites[0].holds(id) && sites[2].holds(id) })
	eventually(t, "all sites hold the same", func() bool {
		return equalHeads(append(sites, accomplice)...)() && sites[0].backend.graph.Len() >= len(m.Enrolled)+count+1
	})
	for i, s := range sites {
		if !s.proofs.has(m.Author(4)) {
			t.Errorf("site %d does not know the forker", i)
		}
		if last := s.standings.last(accomplice.ID()); last != "" {
			t.Errorf("site %d blames a relay for %q", i, last)
		}
	}
}

// TestThrottlePace has ops of a forker wait, of honest authors not.
func TestThrottlePace(t *testing.T) {
	m := dagtest.New(t, 3)
	s := members(t, m, 1, fast)[0]
	forks, honest := branches(m, 2, 1), branches(m, 1, 1)
	many := make([]*dag.Signed, 20_000)
	for i := range many {
		many[i] = forks[0]
	}
	if d := s.throttle.wait(many); d != 0 {
		t.Errorf("ops of an author who has not forked wait %v", d)
	}
	if err := s.proofs.take(unseen(t, m, 2)); err != nil {
		t.Fatal(err)
	}
	if d := s.throttle.wait(forks); d != 0 {
		t.Errorf("the first op of a forker waits %v", d)
	}
	if d := s.throttle.wait(many); d != throttleMost {
		t.Errorf("20,000 ops of a forker wait %v, want %v", d, throttleMost)
	}
	if d := s.throttle.wait(honest); d != 0 {
		t.Errorf("an honest op waits %v", d)
	}
	if d := s.throttle.wait(forks); d <= 0 || d > throttleMost {
		t.Errorf("a forker's op waits %v after that, want up to %v", d, throttleMost)
	}
}
