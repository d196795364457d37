package mvcc

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// drawSpan returns a span of keys k000 to k399.
func drawSpan(rng *rand.Rand) span {
	a, b := fmt.Sprintf("k%03d", rng.IntN(400)), fmt.Sprintf("k%03d", rng.IntN(400))
	switch rng.IntN(4) {
	case 0:
		return span{key: "", open: true}
	case 1:
		return span{key: a, open: true}
	default:
		return span{key: min(a, b), end: max(a, b) + "\x00"}
	}
}

// TestCountInThePast compares counts that come from the head with counts of
// keys, at revisions many blocks of history ago, while history is compacted.
func TestCountInThePast(t *testing.T) {
	rng := seed(t)
	v := New(Config{})
	check := func(n int) {
		t.Helper()
		s := v.acquire()
		defer s.release()
		for range n {
			low := max(s.compacted, 1)
			rev, sp := low+rng.Int64N(s.revision-low+1), drawSpan(rng)
			got, err := s.count(t.Context(), sp, rev)
			if err != nil {
				t.Fatal(err)
			}
			want := int64(0)
			if err := s.scan(t.Context(), sp, rev, func(*version) bool { want++; return true }); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("count(%v, %d) = %d, want %d (head %d, compacted %d)", sp, rev, got, want, v.Head(), s.compacted)
			}
		}
	}
	for i := range 12_000 {
		key := fmt.Sprintf("k%03d", rng.IntN(400))
		switch rng.IntN(5) {
		case 0:
			must[*pb.DeleteRangeResponse](t, v, del(key, ""))
		case 1:
			must[*pb.TxnResponse](t, v, &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del(key, key+"9")}},
				{Request: &pb.RequestOp_RequestPut{RequestPut: put(key, strconv.Itoa(i))}},
			}})
		default:
			must[*pb.PutResponse](t, v, put(key, strconv.Itoa(i)))
		}
		if i%2000 == 1999 {
			check(200)
		}
		if i == 7000 {
			must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head() / 2})
			check(200)
		}
	}
	if n := len(v.tallies.of); n == 0 {
		t.Error("no block was tallied")
	}
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head()})
	for v.Prune() {
	}
	for base := range v.tallies.of { // the last event stays, and may be the end of a full block
		if base < v.history.base {
			t.Errorf("the tally of block %d is left of a history that begins with %d", base, v.history.base)
		}
	}
	check(20)
}

// TestCountWhileWriting counts at one revision while the writer goes on.
func TestCountWhileWriting(t *testing.T) {
	v := New(Config{})
	const keys = 2000
	for i := range keys {
		must[*pb.PutResponse](t, v, put(fmt.Sprintf("k%05d", i), ""))
	}
	rev := v.Head()
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				s := v.acquire()
				n, err := s.count(t.Context(), span{key: "k", end: "l"}, rev)
				s.release()
				if n != keys || err != nil {
					t.Errorf("count() = %d, %v, want %d", n, err, keys)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 5 * keys {
		if i%2 == 0 {
			must[*pb.DeleteRangeResponse](t, v, del(fmt.Sprintf("k%05d", i%keys), ""))
		} else {
			must[*pb.PutResponse](t, v, put(fmt.Sprintf("k%05dx", i), ""))
		}
	}
	close(done)
	readers.Wait()
}
