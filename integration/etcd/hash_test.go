package etcd

import (
	"fmt"
	"math/rand/v2"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestHashKV compares the numbers of HashKV, at revisions of the present and the past, while keys are
// written, deleted, leased and compacted away: a founder has the history of an etcd, bit by bit.
func TestHashKV(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("replay with -run TestHashKV -seed %d", s)
	g := &generator{pair: startPair(t, startFounder), rng: rand.New(rand.NewPCG(s, 0)), counts: map[string]int{}}
	g.etcd.hashes, g.node.hashes = true, true
	for _, id := range []int64{1, 2, 3, 4, 5} {
		g.do(&pb.LeaseGrantRequest{ID: id, TTL: 10_000})
	}
	g.all(&pb.HashKVRequest{}, &pb.HashKVRequest{Revision: 1}, &pb.HashKVRequest{Revision: -3})
	for i := range 20 {
		for range 12 {
			switch g.rng.IntN(8) {
			case 0, 1, 2:
				g.request(g.put())
			case 3:
				g.request(g.delete())
			case 4:
				g.request(&pb.LeaseRevokeRequest{ID: 5})
				g.request(&pb.LeaseGrantRequest{ID: 5, TTL: 10_000})
			default:
				g.request(spareEtcd(g.txn(1)))
			}
		}
		if i%10 == 9 {
			g.do(del("\x00", "\x00")) // nothing is left
			g.hashes()
		}
		if i%4 == 3 {
			g.do(&pb.CompactionRequest{Revision: g.past(), Physical: true})
			g.compacted = g.compactRevision()
		}
		g.hashes()
		if t.Failed() {
			for _, s := range g.last {
				t.Log("  ", s)
			}
			return
		}
	}
}

// hashes compares the hashes at the first and at the last revision, and at some between, above the
// compact one. What etcd answers at that is a listed difference.
func (g *generator) hashes() {
	g.t.Helper()
	g.do(&pb.HashKVRequest{})
	for rev := g.compacted + 1; rev <= g.rev; rev += 1 + g.rng.Int64N(8) {
		g.do(&pb.HashKVRequest{Revision: rev})
	}
}

func (g *generator) compactRevision() int64 {
	g.t.Helper()
	out := g.etcd.call(g.t.Context(), &pb.HashKVRequest{})
	resp, ok := out.resp.(*pb.HashKVResponse)
	if !ok {
		g.t.Fatal(fmt.Errorf("HashKV: %w", out.err))
	}
	return max(resp.CompactRevision, 0)
}
