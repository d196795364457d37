package mvcc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"pgregory.net/rapid"
)

// show renders a response in one line.
func show(r *pb.WatchResponse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "watch %d rev %d", r.WatchId, r.Header.Revision)
	if r.Created {
		b.WriteString(" created")
	}
	if r.Canceled {
		fmt.Fprintf(&b, " canceled %q", r.CancelReason)
	}
	if r.CompactRevision != 0 {
		fmt.Fprintf(&b, " compacted %d", r.CompactRevision)
	}
	for _, e := range r.Events {
		fmt.Fprintf(&b, " %s", showEvent(e))
	}
	return b.String()
}

func showEvent(e *mvccpb.Event) string {
	s := fmt.Sprintf("%s@%d", e.Kv.Key, e.Kv.ModRevision)
	if e.Type == mvccpb.Event_PUT {
		s = fmt.Sprintf("%s=%s", s, e.Kv.Value)
	}
	if e.PrevKv != nil {
		s += fmt.Sprintf("(%s)", e.PrevKv.Value)
	}
	return s
}

// expect receives exactly these responses.
func expect(t *testing.T, s *WatchStream, want ...string) {
	t.Helper()
	for _, w := range want {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		resp, err := s.Recv(ctx)
		cancel()
		if err != nil {
			t.Fatalf("Recv() = %v, want %s", err, w)
		}
		if got := show(resp); got != w {
			t.Fatalf("Recv() = %s\nwant %s", got, w)
		}
	}
	if resp, err := s.poll(); resp != nil || err != nil {
		t.Fatalf("Recv() = %v, %v, want nothing", resp, err)
	}
}

func watch(t *testing.T, s *WatchStream, r *pb.WatchCreateRequest) {
	t.Helper()
	if err := s.Watch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func create(key, end string, start int64) *pb.WatchCreateRequest {
	return &pb.WatchCreateRequest{Key: []byte(key), RangeEnd: []byte(end), StartRevision: start}
}

func TestWatchAnswers(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	for _, p := range []*pb.PutRequest{put("a", "1"), put("b", "2"), put("a", "3")} {
		must[*pb.PutResponse](t, v, p)
	}
	must[*pb.DeleteRangeResponse](t, v, del("a", "\x00"))

	watch(t, s, create("a", "", 2))
	expect(t, s, "watch 0 rev 5 created", "watch 0 rev 5 a@2=1 a@4=3 a@5")
	watch(t, s, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c"), StartRevision: 1, WatchId: 7, PrevKv: true})
	expect(t, s, "watch 7 rev 5 created", "watch 7 rev 5 a@2=1 b@3=2 a@4=3(1) a@5(3) b@5(2)")
	watch(t, s, create("a", "", 7)) // more than one past the present
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}})
	watch(t, s, &pb.WatchCreateRequest{RangeEnd: []byte{0}, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}})
	watch(t, s, &pb.WatchCreateRequest{Key: []byte("x"), WatchId: 7})
	watch(t, s, create("b", "b", 0))
	expect(t, s,
		"watch 1 rev 5 created",
		"watch 2 rev 5 created",
		"watch 3 rev 5 created",
		`watch -1 rev 5 created canceled "mvcc: duplicate watch ID provided on the WatchStream"`,
		`watch -1 rev 5 created canceled "mvcc: watcher range is empty"`)

	s.RequestProgress() // watch 1 starts too far in the future
	s.RequestWatchProgress(7)
	s.RequestWatchProgress(1)
	expect(t, s, "watch 7 rev 5")
	must[*pb.PutResponse](t, v, put("a", "6"))
	s.RequestProgress()
	expectAny(t, s, "watch 0 rev 6 a@6=6", "watch 3 rev 6 a@6=6", "watch 7 rev 6 a@6=6")
	expect(t, s, "watch -1 rev 6")
	must[*pb.DeleteRangeResponse](t, v, del("a", ""))
	expectAny(t, s, "watch 0 rev 7 a@7", "watch 7 rev 7 a@7(6)", "watch 1 rev 7 a@7", "watch 2 rev 7 a@7")

	must[*pb.PutResponse](t, v, put("a", "8"))
	if err := s.Cancel(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	expectAny(t, s, `watch 0 rev 8 canceled ""`, "watch 1 rev 8 a@8=8", "watch 7 rev 8 a@8=8", "watch 3 rev 8 a@8=8")
	if err := s.Cancel(t.Context(), 0); !errors.Is(err, ErrWatchNotFound) {
		t.Errorf("Cancel(0) again = %v, want %v", err, ErrWatchNotFound)
	}
	s.Close()
	if _, err := s.Recv(t.Context()); !errors.Is(err, ErrStreamClosed) {
		t.Errorf("Recv() after Close = %v, want %v", err, ErrStreamClosed)
	}
	if err := s.Watch(t.Context(), create("a", "", 0)); !errors.Is(err, ErrStreamClosed) {
		t.Errorf("Watch() after Close = %v, want %v", err, ErrStreamClosed)
	}
	if st := v.Stats(); st.Watchers != 0 || st.Streams != 0 || st.Lagging != 0 {
		t.Errorf("after Close: %+v", st)
	}
}

// expectAny receives these responses in any order.
func expectAny(t *testing.T, s *WatchStream, want ...string) {
	t.Helper()
	left := make(map[string]bool)
	for _, w := range want {
		left[w] = true
	}
	for range want {
		resp, err := s.poll()
		if err != nil || resp == nil || !left[show(resp)] {
			t.Fatalf("Recv() = %v, %v, want one of %v", resp, err, left)
		}
		delete(left, show(resp))
	}
}

func TestWatchCompacted(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	for i := range 5 {
		must[*pb.PutResponse](t, v, put("a", strconv.Itoa(i)))
	}
	watch(t, s, create("a", "", 2)) // lags until it is served
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: 4})
	watch(t, s, create("a", "", 3))
	watch(t, s, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 4, PrevKv: true})
	watch(t, s, create("a", "b", 4))
	watch(t, s, create("a", "", 1<<40+1)) // of another window
	watch(t, s, create("a", "", -1))
	expect(t, s,
		"watch 0 rev 6 created", "watch 1 rev 6 created", "watch 2 rev 6 created", "watch 3 rev 6 created", "watch 4 rev 6 created",
		`watch -1 rev 6 created canceled "etcdserver: mvcc: required revision has been compacted"`,
		`watch 0 rev 6 canceled "" compacted 4`,
		`watch 1 rev 6 canceled "" compacted 4`,
		"watch 2 rev 6 a@4=2 a@5=3(2) a@6=4(3)", // what was before 4 is compacted, as in etcd
		"watch 3 rev 6 a@4=2 a@5=3 a@6=4",
		`watch 4 rev 6 canceled "" compacted 4`)
}

// TestWatchMadeAnew: what a transaction deletes and puts again is a creation.
func TestWatchMadeAnew(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	must[*pb.PutResponse](t, v, put("a", "1"))
	watch(t, s, &pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true})
	must[*pb.TxnResponse](t, v, &pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del("a", "\x00")}},
		{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", "2")}},
	}})
	watch(t, s, &pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true, StartRevision: 3})
	expect(t, s, "watch 0 rev 2 created", "watch 1 rev 3 created", "watch 0 rev 3 a@3(1) a@3=2", "watch 1 rev 3 a@3(1) a@3=2")
}

func TestWatchFallsBehind(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, create("k", "l", 0))
	watch(t, s, create("k1", "", 0))
	for i := range 3 * maxPending {
		must[*pb.PutResponse](t, v, put(fmt.Sprintf("k%d", i%2), strconv.Itoa(i)))
	}
	// A revision with more events than a buffer holds.
	big := &pb.TxnRequest{}
	for i := range 2 * maxPending {
		big.Success = append(big.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put(fmt.Sprintf("k%06d", i), "")}})
	}
	must[*pb.TxnResponse](t, v, big)
	if st := v.Stats(); st.Lagging != 2 {
		t.Fatalf("%d watchers lag, want 2", st.Lagging)
	}
	got := make(map[int64][]string)
	last := make(map[int64]int64)
	for {
		resp, err := s.poll()
		if err != nil {
			t.Fatal(err)
		}
		if resp == nil {
			break
		}
		for _, e := range resp.Events {
			if e.Kv.ModRevision < last[resp.WatchId] {
				t.Fatalf("watch %d: revision %d after %d", resp.WatchId, e.Kv.ModRevision, last[resp.WatchId])
			}
			got[resp.WatchId] = append(got[resp.WatchId], showEvent(e))
		}
		if n := len(resp.Events); n > 0 {
			if resp.Events[0].Kv.ModRevision == last[resp.WatchId] {
				t.Fatalf("watch %d: revision %d is in two responses", resp.WatchId, last[resp.WatchId])
			}
			last[resp.WatchId] = resp.Events[n-1].Kv.ModRevision
		}
	}
	if n := len(got[0]); n != 5*maxPending {
		t.Errorf("watch 0 got %d events, want %d", n, 5*maxPending)
	}
	if n := len(got[1]); n != 3*maxPending/2 {
		t.Errorf("watch 1 got %d events, want %d", n, 3*maxPending/2)
	}
	if st := v.Stats(); st.Lagging != 0 {
		t.Errorf("%d watchers lag, want 0", st.Lagging)
	}
	must[*pb.PutResponse](t, v, put("k1", "end"))
	rev := v.Revision()
	expectAny(t, s, fmt.Sprintf("watch 0 rev %d k1@%d=end", rev, rev), fmt.Sprintf("watch 1 rev %d k1@%d=end", rev, rev))
}

func TestWatchControlIsBounded(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	for range maxControl {
		watch(t, s, create("a", "", 0))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Watch(ctx, create("a", "", 0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Watch() with %d answers waiting = %v, want %v", maxControl, err, context.DeadlineExceeded)
	}
	done := make(chan error)
	go func() { done <- s.Watch(t.Context(), create("a", "", 0)) }()
	if _, err := s.Recv(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestWatchPendingBytes: a watcher that does not read holds little that a
// compaction would otherwise free, and is told of the compaction.
func TestWatchPendingBytes(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	watch(t, s, create("k", "l", 0))
	expect(t, s, "watch 0 rev 1 created")
	value := strings.Repeat("x", maxPendingBytes/8)
	for range 20 {
		must[*pb.PutResponse](t, v, put("k", value))
	}
	w := s.watchers[0]
	if n := w.size; n < maxPendingBytes || n > maxPendingBytes*5/4 || !w.lagging {
		t.Errorf("%d bytes are pending and lagging = %v, want about %d and true", n, w.lagging, maxPendingBytes)
	}
	must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: v.Head()})
	events := 0
	for {
		resp, err := s.poll()
		if err != nil || resp == nil {
			t.Fatalf("poll() = %v, %v, want the end of the watch", resp, err)
		}
		for _, e := range resp.Events {
			if events++; e.Kv.ModRevision != int64(1+events) {
				t.Errorf("event %d has revision %d", events, e.Kv.ModRevision)
			}
		}
		if resp.Canceled {
			if resp.CompactRevision != 21 {
				t.Errorf("canceled with compact revision %d, want 21", resp.CompactRevision)
			}
			break
		}
	}
	if events < 4 || events > 10 {
		t.Errorf("%d events before the end, want about 8", events)
	}

	// Without a compaction nothing is missing, and nothing is counted as pending after.
	watch(t, s, create("k", "l", 0))
	for range 20 {
		must[*pb.PutResponse](t, v, put("k", value))
	}
	events = 0
	for resp, _ := s.poll(); resp != nil; resp, _ = s.poll() {
		events += len(resp.Events)
	}
	if w := s.watchers[1]; events != 20 || w.size != 0 || w.lagging {
		t.Errorf("%d events, then %d bytes pending, lagging = %v, want 20, 0, false", events, w.size, w.lagging)
	}
}

// TestWatchIndex compares the index with a list.
func TestWatchIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x watchIndex
		x.init()
		all := make(map[*watcher]bool)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "step") == 0 {
				for w := range all {
					x.remove(w)
					delete(all, w)
					break
				}
				continue
			}
			key := drawKey(t)
			end := drawEnd(t, key)
			w := &watcher{span: spanOf(key, end), single: single(end)}
			if w.span.empty() {
				continue
			}
			x.add(w)
			all[w] = true
		}
		for _, k := range append(testKeys, "", "0", "zz", "c\x00\x00") {
			got := make(map[*watcher]int)
			for _, n := range x.find(k, nil) {
				for _, w := range n.watchers {
					got[w]++
				}
			}
			for w := range all {
				if want := w.span.contains(k); (got[w] == 1) != want || got[w] > 1 {
					t.Fatalf("find(%q) has %v %d times, want %v", k, w.span, got[w], want)
				}
			}
			if len(got) > len(all) {
				t.Fatalf("find(%q) has removed watchers", k)
			}
		}
		if x.size != len(all) {
			t.Fatalf("size = %d, want %d", x.size, len(all))
		}
	})
}

// seed returns the seed of a randomised test, which CAUSEWAY_SEED sets.
func seed(t *testing.T) *rand.Rand {
	n := rand.Uint64()
	if s := os.Getenv("CAUSEWAY_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CAUSEWAY_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// TestWatchExactlyOnce lets watchers of all sorts, fast and slow, watch while a
// writer writes, and readers read, and compares what each was sent with what
// was written.
func TestWatchExactlyOnce(t *testing.T) {
	rng := seed(t)
	v := New(Config{})
	const keys, revisions = 30, 6000

	type subject struct {
		from  int64
		span  span
		got   []string
		order []int64
	}
	var mu sync.Mutex
	var subjects []*subject
	var readers sync.WaitGroup
	done := make(chan struct{})
	for i := range 8 {
		rng := rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		readers.Go(func() {
			s := v.NewWatchStream()
			defer s.Close()
			mine := make(map[int64]*subject)
			var asked []*subject
			ended, covered := false, make(map[int64]int64)
			for {
				if len(mine) < 12 && rng.IntN(20) == 0 && len(asked) == 0 {
					r := create(fmt.Sprintf("k%d", rng.IntN(keys)), "", 0)
					r.PrevKv = true
					if rng.IntN(2) == 0 {
						r.RangeEnd = fmt.Appendf(nil, "k%d", rng.IntN(keys))
						if string(r.RangeEnd) <= string(r.Key) {
							r.RangeEnd = []byte{0}
						}
					}
					r.StartRevision = max(1, v.Revision()+5-rng.Int64N(2000))
					sub := &subject{from: r.StartRevision, span: spanOf(r.Key, r.RangeEnd)}
					asked = append(asked, sub)
					if err := s.Watch(t.Context(), r); err != nil {
						t.Error(err)
						return
					}
				}
				if rng.IntN(30) == 0 {
					time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
				}
				if rng.IntN(10) == 0 {
					s.RequestProgress()
				}
				resp, err := s.poll()
				if err != nil {
					t.Error(err)
					return
				}
				if resp == nil {
					if ended {
						break
					}
					select {
					case <-done:
						ended = true // what is published now is sent without waiting
					default:
						time.Sleep(50 * time.Microsecond)
					}
					continue
				}
				switch {
				case resp.Created:
					mine[resp.WatchId] = asked[0]
					asked = asked[1:]
				case resp.CompactRevision != 0:
					if sub := mine[resp.WatchId]; sub.from >= resp.CompactRevision && len(sub.order) == 0 {
						t.Errorf("watch from %d ended as compacted at %d", sub.from, resp.CompactRevision)
					}
					delete(mine, resp.WatchId)
				case resp.WatchId == noWatch:
					for id := range mine {
						covered[id] = resp.Header.Revision
					}
				default:
					sub := mine[resp.WatchId]
					for _, e := range resp.Events {
						if e.Kv.ModRevision <= covered[resp.WatchId] {
							t.Errorf("event %s after progress to %d", showEvent(e), covered[resp.WatchId])
						}
						sub.got = append(sub.got, showEvent(e))
						sub.order = append(sub.order, e.Kv.ModRevision)
					}
					if n := len(resp.Events); n > 0 && resp.Header.Revision < resp.Events[n-1].Kv.ModRevision {
						t.Errorf("header revision %d is less than an event's", resp.Header.Revision)
					}
					covered[resp.WatchId] = resp.Header.Revision
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, sub := range mine {
				subjects = append(subjects, sub)
			}
		})
	}
	readers.Go(func() { // reads see nothing that is not whole
		for {
			select {
			case <-done:
				return
			default:
			}
			resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte("pair"), RangeEnd: []byte("pais")})
			if err != nil || len(resp.Kvs) > 0 && (len(resp.Kvs) != 2 || string(resp.Kvs[0].Value) != string(resp.Kvs[1].Value)) {
				t.Errorf("Range() = %v, %v, want a pair of equals", resp, err)
				return
			}
			v.StateHash()
		}
	})

	// The writer keeps its own account of what every watcher must see.
	type event struct {
		rev  int64
		key  string
		text string
	}
	var want []event
	state := make(map[string]string)
	set := func(rev int64, key, value string) {
		text := fmt.Sprintf("%s@%d=%s", key, rev, value)
		if old, ok := state[key]; ok {
			text += fmt.Sprintf("(%s)", old)
		}
		state[key] = value
		want = append(want, event{rev, key, text})
	}
	for v.Head() < revisions {
		for range 1 + rng.IntN(20) {
			rev, value := v.Head()+1, strconv.FormatInt(v.Head(), 10)
			key := fmt.Sprintf("k%d", rng.IntN(keys))
			var err error
			switch rng.IntN(10) {
			case 0:
				_, _, err = v.Evaluate(del(key, ""), nil, testNow)
				if old, ok := state[key]; ok {
					want = append(want, event{rev, key, fmt.Sprintf("%s@%d(%s)", key, rev, old)})
					delete(state, key)
				}
			case 1:
				_, _, err = v.Evaluate(&pb.TxnRequest{Success: []*pb.RequestOp{
					{Request: &pb.RequestOp_RequestPut{RequestPut: put("pair1", value)}},
					{Request: &pb.RequestOp_RequestPut{RequestPut: put("pair2", value)}},
				}}, nil, testNow)
				set(rev, "pair1", value)
				set(rev, "pair2", value)
			default:
				_, _, err = v.Evaluate(put(key, value), nil, testNow)
				set(rev, key, value)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if to := v.Head() - 3000; to > v.CompactRevision() && rng.IntN(20) == 0 {
			must[*pb.CompactionResponse](t, v, &pb.CompactionRequest{Revision: to})
		}
		v.Publish()
		if rng.IntN(4) == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	close(done)
	readers.Wait()
	if len(subjects) == 0 {
		t.Fatal("no watch lasted")
	}
	events := 0
	for _, s := range subjects {
		var due []string
		for _, e := range want {
			if e.rev >= s.from && s.span.contains(e.key) {
				due = append(due, e.text)
			}
		}
		if strings.Join(s.got, " ") != strings.Join(due, " ") {
			t.Errorf("watch of %v from %d was sent %d events, want %d\n%v\n%v", s.span, s.from, len(s.got), len(due), s.got, due)
		}
		events += len(s.got)
	}
	t.Logf("%d watches, %d events", len(subjects), events)
	checkView(t, v)
}
