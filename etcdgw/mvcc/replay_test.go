package mvcc

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
)

// everything renders all that clients can see of v.
func everything(t rapid.TB, v *View) []string { return everythingFrom(t, v, v.CompactRevision()) }

// everythingFrom renders what they can see from a revision on that is not compacted.
func everythingFrom(t rapid.TB, v *View, from int64) []string {
	var all []string
	add := func(m proto.Message, err error) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	ctx := context.Background()
	for rev := max(from, 1); rev <= v.Revision(); rev = v.window.from(rev + 1) {
		add(v.Range(ctx, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev}))
	}
	s := v.NewWatchStream()
	defer s.Close()
	err := s.Watch(ctx, &pb.WatchCreateRequest{RangeEnd: []byte{0}, StartRevision: max(from, 1), PrevKv: true})
	if err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := s.poll()
		if err != nil {
			t.Fatal(err)
		}
		if resp == nil {
			break
		}
		for _, e := range resp.Events {
			if e.Kv.ModRevision > from { // prev_kv of that one may be pruned or not
				all = append(all, showEvent(e))
			}
		}
	}
	for _, l := range v.Leases(testNow) {
		l, err := v.LeaseTimeToLive(l.ID, true, testNow)
		if err != nil {
			t.Fatal(err)
		}
		add(&pb.LeaseTimeToLiveResponse{ID: l.ID, GrantedTTL: l.GrantedTTL, Keys: l.Keys}, nil)
	}
	hash := v.StateHash()
	return append(all, string(hash[:]))
}

// TestReplay makes a log with everything in it at one node, and replays it.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSimulation(t, 2)
		n, other := s.nodes[0], s.nodes[1]
		n.view.amplification = amplification{0, rapid.Int64Range(0, 2000).Draw(rt, "slack")}
		n.log.maxHistory = rapid.SampledFrom([]int64{1, 1000, 3000, 1 << 20}).Draw(rt, "history")
		n.view.maxHistory = n.log.maxHistory
		m := newModel() // draws requests
		epoch := int64(0)
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			m.rev = countInWindow(n.view)
			switch rapid.IntRange(0, 19).Draw(rt, "step") {
			case 0, 1:
				s.seal(n)
			case 2, 3:
				s.seal(n)
				s.deliver(rt, n, 3)
			case 4, 5, 6:
				if err := other.evaluate(drawRequest(rt), nil, testNow); err != nil {
					rt.Fatal(err)
				}
			case 7:
				s.seal(other)
				s.deliver(rt, other, 3)
			case 8:
				s.lie(rt, n, 2)
			case 9:
				s.seal(n)
				s.deliver(rt, n, 3)
				epoch++
				enterWindow(n.view, epoch<<windowBits)
				n.log.add(testRecord{window: epoch << windowBits})
			default:
				var req proto.Message
				switch rapid.IntRange(0, 9).Draw(rt, "request") {
				case 0:
					req = &pb.LeaseGrantRequest{ID: rapid.Int64Range(-1, 3).Draw(rt, "lease"), TTL: 5}
				case 1:
					req = &pb.LeaseRevokeRequest{ID: rapid.Int64Range(1, 3).Draw(rt, "lease")}
				case 2:
					req = Expire(rapid.Int64Range(1, 3).Draw(rt, "lease"))
				case 3:
					req = &pb.CompactionRequest{Revision: n.view.Head() - rapid.Int64Range(0, 5).Draw(rt, "back")}
				case 4, 5:
					req = m.drawTxn(rt, 1)
				case 6:
					req = drawRequest(rt)
				default:
					req = m.drawPut(rt)
				}
				before := n.view.Head()
				if err := n.evaluate(req, nil, testNow.Add(time.Minute)); err != nil && n.view.Head() != before {
					rt.Fatalf("Evaluate(%v) = %v and changed something", req, err)
				}
				if rapid.Bool().Draw(rt, "publish") {
					n.view.Publish()
				}
			}
		}
		n.view.Publish()
		again := n.log.replay(rt)
		if again.Head() != n.view.Head() {
			rt.Fatalf("replayed to revision %d, want %d", again.Head(), n.view.Head())
		}
		if diff := cmp.Diff(everything(rt, n.view), everything(rt, again)); diff != "" {
			rt.Fatalf("replay differs (-first +again):\n%s", diff)
		}
		checkView(rt, n.view)
		checkView(rt, again)
		if n.view.history.standing > n.log.maxHistory && n.view.headCompacted < n.view.head {
			rt.Fatalf("%d bytes of others are in history, at most %d may be", n.view.history.standing, n.log.maxHistory)
		}
		// A view with another bound only compacts to another revision.
		n.log.maxHistory = rapid.SampledFrom([]int64{1, 2000, 1 << 20}).Draw(rt, "another history")
		wider := n.log.replay(rt)
		from := max(wider.CompactRevision(), n.view.CompactRevision())
		if diff := cmp.Diff(everythingFrom(rt, n.view, from), everythingFrom(rt, wider, from)); diff != "" {
			rt.Fatalf("replay with another bound differs from revision %d on (-first +again):\n%s", from, diff)
		}
		// What is open in the one can be sealed by the other.
		for _, l := range n.log.records {
			if l.changes == nil {
				continue
			}
			if ch, _ := DecodeChange(l.changes[0]); len(n.open) > 0 && ch.Number >= n.open[0].Number {
				first := n.open[0].Number
				a, b := n.view.Transaction(ch, first), again.Transaction(ch, first)
				if !bytes.Equal(a.Append(nil), b.Append(nil)) {
					rt.Fatalf("change %d is %v, and %v when replayed", ch.Number, a, b)
				}
			}
		}
	})
}

// enterWindow begins or opens a window, as the pipeline does.
func enterWindow(v *View, base int64) {
	if v.Unborn() {
		v.BeginWindow(base)
	} else {
		v.OpenWindow(base)
	}
}

// countInWindow returns the number of the head in its window, for drawing revisions.
func countInWindow(v *View) int64 { return v.Head() & (1<<windowBits - 1) }

func TestReplayRefuses(t *testing.T) {
	id := dag.ID{1}
	put := func(w Write) []Write { w.Kind, w.Key = dag.Replace, []byte("k"); return []Write{w} }
	for name, ch := range map[string]*Change{
		"a gap of revisions":      {Revision: 4, Number: 2, Writes: put(Write{})},
		"a gap of numbers":        {Revision: 3, Number: 3, Writes: put(Write{})},
		"writes without a number": {Writes: put(Write{})},
		"a number without writes": {Revision: 3, Number: 2},
		"an unknown lease":        {Revision: 3, Number: 2, Writes: put(Write{Lease: 9})},
		"another life":            {Revision: 3, Number: 2, Writes: put(Write{Birth: Birth{Operation: &id}})},
		"another trail":           {Revision: 3, Number: 2, Writes: put(Write{Prev: 2, Birth: Birth{Number: 1}})},
		"a key that is not local": {Revision: 3, Writes: put(Write{Local: true})},
		"local writes numbered":   {Revision: 3, Number: 2, Writes: put(Write{Local: true})},
		"writes not numbered":     {Revision: 3, Writes: put(Write{})},
		"an empty local range":    {Revision: 3, Writes: []Write{{Kind: dag.DeleteRange, Local: true, Key: []byte("a")}}},
		"a delete of nothing":     {Revision: 3, Number: 2, Writes: []Write{{Kind: dag.DeleteObserved, Key: []byte("x")}}},
		"an empty range":          {Revision: 3, Number: 2, Writes: []Write{{Kind: dag.DeleteRange, Key: []byte("x")}}},
		"an unknown kind":         {Revision: 3, Number: 2, Writes: []Write{{Kind: 9, Key: []byte("x")}}},
		"a lease granted twice":   {Grant: Grant{1, 5}},
		"an unknown lease's end":  {Revoke: 9},
		"a future compaction":     {Compact: 3},
		"an old compaction":       {Compact: -1},
	} {
		v := New(Config{})
		for _, ch := range []*Change{{Grant: Grant{1, 5}}, {Revision: 2, Number: 1, Writes: put(Write{})}} {
			if err := v.Replay(ch); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Replay(ch); !errors.Is(err, ErrReplay) {
			t.Errorf("Replay with %s = %v, want %v", name, err, ErrReplay)
		}
	}
}
