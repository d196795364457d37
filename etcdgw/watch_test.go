package etcdgw

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// watchCall is the client's end of a Watch call.
type watchCall struct {
	t      testing.TB
	stream pb.Watch_WatchClient
	cancel context.CancelFunc
}

func (s *site) newWatch(t testing.TB) *watchCall {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	stream, err := s.watch.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &watchCall{t, stream, cancel}
}

func (w *watchCall) send(req *pb.WatchRequest) {
	w.t.Helper()
	if err := w.stream.Send(req); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watchCall) create(req *pb.WatchCreateRequest) {
	w.t.Helper()
	w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: req}})
}

func (w *watchCall) cancelWatch(id int64) {
	w.t.Helper()
	w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
}

func (w *watchCall) progress() {
	w.t.Helper()
	w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

func (w *watchCall) recv() *pb.WatchResponse {
	w.t.Helper()
	resp, err := w.stream.Recv()
	if err != nil {
		w.t.Fatalf("watch ended: %v", err)
	}
	return resp
}

// created receives the answer of a create and checks that it was granted.
func (w *watchCall) created() *pb.WatchResponse {
	w.t.Helper()
	resp := w.recv()
	if !resp.Created || resp.Canceled || len(resp.Events) != 0 {
		w.t.Fatalf("received %v, want created", resp)
	}
	return resp
}

// text is a watch response in short: "id@revision flags events".
func text(r *pb.WatchResponse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d@%d", r.WatchId, r.Header.GetRevision())
	for _, flag := range []struct {
		set  bool
		name string
	}{{r.Created, "created"}, {r.Canceled, "canceled"}, {r.Fragment, "fragment"}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	if r.CompactRevision != 0 {
		fmt.Fprintf(&b, " compacted=%d", r.CompactRevision)
	}
	if r.CancelReason != "" {
		fmt.Fprintf(&b, " %q", r.CancelReason)
	}
	for _, e := range r.Events {
		fmt.Fprintf(&b, " %v(%s=%s", e.Type, e.Kv.Key, e.Kv.Value)
		if e.PrevKv != nil {
			fmt.Fprintf(&b, " was %s", e.PrevKv.Value)
		}
		fmt.Fprintf(&b, " at %d)", e.Kv.ModRevision)
	}
	return b.String()
}

// want receives a response and compares its text.
func (w *watchCall) want(text_ string) {
	w.t.Helper()
	if got := text(w.recv()); got != text_ {
		w.t.Errorf("received %s, want %s", got, text_)
	}
}

func TestWatch(t *testing.T) {
	s := newSite(t)
	s.put(t, "a", "1")
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c"), PrevKv: true})
	w.want("0@2 created")
	s.put(t, "a", "2")
	w.want("0@3 PUT(a=2 was 1 at 3)")
	s.put(t, "c", "unseen")
	s.put(t, "b", "1")
	w.want("0@5 PUT(b=1 at 5)")
	if _, err := s.kv.DeleteRange(testContext(t), &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("z")}); err != nil {
		t.Fatal(err)
	}
	w.want("0@6 DELETE(a= was 2 at 6) DELETE(b= was 1 at 6)")
}

func TestWatchHistory(t *testing.T) {
	s := newSite(t)
	for _, value := range []string{"1", "2", "3"} {
		s.put(t, "a", value)
	}
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 3})
	w.want("0@4 created")
	w.want("0@4 PUT(a=2 at 3) PUT(a=3 at 4)")
	// One past the present is valid, and so is a later one.
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 5})
	w.want("1@4 created")
	w.create(&pb.WatchCreateRequest{Key: []byte("b"), StartRevision: 7})
	w.want("2@4 created")
	s.put(t, "b", "early") // 5
	s.put(t, "b", "early") // 6
	s.put(t, "b", "late")  // 7
	w.want("2@7 PUT(b=late at 7)")
}

func TestWatchIDs(t *testing.T) {
	s := newSite(t)
	w := s.newWatch(t)
	key := []byte("a")
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 1})
	w.want("1@1 created")
	w.create(&pb.WatchCreateRequest{Key: key})
	w.want("0@1 created")
	w.create(&pb.WatchCreateRequest{Key: key})
	w.want("2@1 created")
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 1})
	w.want(`-1@1 created canceled "mvcc: duplicate watch ID provided on the WatchStream"`)
	w.create(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: key})
	w.want(`-1@1 created canceled "mvcc: watcher range is empty"`)
	w.cancelWatch(1)
	w.want("1@1 canceled")
	w.cancelWatch(1) // no answer: it is gone
	w.create(&pb.WatchCreateRequest{Key: key, WatchId: 1})
	w.want("1@1 created")
}

func TestWatchCompacted(t *testing.T) {
	s := newSite(t)
	for range 4 {
		s.put(t, "a", "v")
	}
	if _, err := s.kv.Compact(testContext(t), &pb.CompactionRequest{Revision: 4}); err != nil {
		t.Fatal(err)
	}
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 3})
	w.want("0@5 created")
	w.want("0@5 canceled compacted=4")
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 4})
	w.want("1@5 created")
	w.want("1@5 PUT(a=v at 4) PUT(a=v at 5)")
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: -1})
	w.want(`-1@5 created canceled "etcdserver: mvcc: required revision has been compacted"`)
}

// TestWatchForeignRevision checks that a watcher that comes with a revision of
// another gateway is told to start over rather than left to wait.
func TestWatchForeignRevision(t *testing.T) {
	m := newMemory(t, mvcc.Config{Base: 5 << 40})
	server := serve(t, testConfig(), m)
	s := &site{memory: m, server: server, watch: pb.NewWatchClient(dial(t, server))}
	for _, rev := range []int64{7, 4<<40 + 3, 6<<40 + 1} {
		w := s.newWatch(t)
		w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: rev})
		w.created()
		if resp := w.recv(); !resp.Canceled || resp.CompactRevision == 0 {
			t.Errorf("watch from revision %d received %s, want canceled as compacted", rev, text(resp))
		}
	}
}

func TestWatchFilters(t *testing.T) {
	s := newSite(t)
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}})
	w.created()
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}})
	w.created()
	s.put(t, "a", "1")
	w.want("1@2 PUT(a=1 at 2)")
	if _, err := s.kv.DeleteRange(testContext(t), &pb.DeleteRangeRequest{Key: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	w.want("0@3 DELETE(a= at 3)")
}

// TestWatchProgressRequest checks that progress is reported with watch ID -1, at
// a revision that is at least that of any write acknowledged before, and after
// the events up to it.
func TestWatchProgressRequest(t *testing.T) {
	s := newSite(t)
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a")})
	w.created()
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z"), StartRevision: 1})
	w.created()
	for i := range 200 {
		key := "a"
		if i%2 == 1 {
			key = "zz" // seen by neither
		}
		rev := s.put(t, key, fmt.Sprint(i))
		w.progress()
		seen := make(map[int64]int64)
		for {
			resp := w.recv()
			if len(resp.Events) > 0 {
				seen[resp.WatchId] = resp.Events[len(resp.Events)-1].Kv.ModRevision
				continue
			}
			if resp.WatchId != -1 || resp.Header.Revision < rev {
				t.Fatalf("progress %s after a write at %d", text(resp), rev)
			}
			break
		}
		if key == "a" && (seen[0] != rev || seen[1] != rev) {
			t.Fatalf("progress at %d came before the events: seen %v", rev, seen)
		}
	}
}

// TestWatchProgressNotify checks that a watch which asked for it is told its
// progress while nothing happens to its keys, and others are not.
func TestWatchProgressNotify(t *testing.T) {
	s := newSite(t, func(c *Config) { c.ProgressNotifyInterval = MinProgressNotifyInterval })
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a")})
	w.created()
	w.create(&pb.WatchCreateRequest{Key: []byte("b"), ProgressNotify: true})
	w.created()
	start := time.Now()
	w.want("1@1")
	if took := time.Since(start); took < 90*time.Millisecond {
		t.Errorf("progress after %v, want the interval", took)
	}
	rev := s.put(t, "other", "1")
	for {
		resp := w.recv()
		if resp.WatchId != 1 || len(resp.Events) > 0 {
			t.Fatalf("received %s, want progress of watch 1", text(resp))
		}
		if resp.Header.Revision == rev {
			break
		}
	}
	w.cancelWatch(1)
	for {
		if resp := w.recv(); resp.Canceled {
			break
		}
	}
	s.put(t, "a", "1")
	w.want("0@3 PUT(a=1 at 3)")
}

// TestWatchFragments checks that a revision with large values is split for a
// watch that allows it, and for no other.
func TestWatchFragments(t *testing.T) {
	s := newSite(t, func(c *Config) { c.MaxRequestBytes = 200_000 })
	const limit = 200_000 + grpcOverheadBytes
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, Fragment: true, PrevKv: true, StartRevision: 12})
	w.created()
	whole := s.newWatch(t)
	whole.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true, StartRevision: 12})
	whole.created()
	for i := range 10 {
		s.put(t, fmt.Sprint(i), strings.Repeat("v", 150_000))
	}
	if _, err := s.kv.DeleteRange(testContext(t), &pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}); err != nil {
		t.Fatal(err)
	}
	var events []*mvccpb.Event
	parts := 0
	for {
		resp := w.recv()
		parts++
		if size := proto.Size(resp); size >= limit {
			t.Errorf("a fragment of %d bytes, want less than %d", size, limit)
		}
		events = append(events, resp.Events...)
		if !resp.Fragment {
			break
		}
	}
	if len(events) != 10 || parts < 2 {
		t.Errorf("%d events in %d parts, want 10 in several", len(events), parts)
	}
	if resp := whole.recv(); len(resp.Events) != 10 || resp.Fragment {
		t.Errorf("the other watch received %d events, want all 10 at once", len(resp.Events))
	}
}

func TestSendFragments(t *testing.T) {
	event := func(n int) *mvccpb.Event {
		return &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, n)}}
	}
	for _, tt := range []struct {
		sizes []int
		limit int
		want  []int // events in each part
	}{
		{[]int{10, 10, 10}, 1000, []int{3}},
		{[]int{100, 100, 100}, 280, []int{2, 1}},
		{[]int{1000, 1, 1000}, 200, []int{1, 1, 1}}, // one event is never split
		{[]int{1000}, 200, []int{1}},
		{nil, 200, []int{0}},
	} {
		resp := &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 9}, WatchId: 4}
		for _, n := range tt.sizes {
			resp.Events = append(resp.Events, event(n))
		}
		var got []int
		var all []*mvccpb.Event
		err := sendFragments(resp, tt.limit, func(part *pb.WatchResponse) error {
			if part.WatchId != 4 || part.Header.Revision != 9 {
				t.Errorf("part %v, want the ID and header of the whole", part)
			}
			if len(part.Events) > 1 && proto.Size(part) >= tt.limit {
				t.Errorf("a part of %d bytes, want less than %d", proto.Size(part), tt.limit)
			}
			got, all = append(got, len(part.Events)), append(all, part.Events...)
			if last := len(all) == len(resp.Events); part.Fragment == last {
				t.Errorf("fragment = %v with %d of %d events", part.Fragment, len(all), len(resp.Events))
			}
			return nil
		})
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("sendFragments of %v at %d sent %v, %v, want %v", tt.sizes, tt.limit, got, err, tt.want)
		}
	}
}

// TestWatchRevisionsNeverGoBack lets watches start in the past while writes go
// on: the headers of one stream never decrease.
func TestWatchRevisionsNeverGoBack(t *testing.T) {
	s := newSite(t)
	for i := range 3000 {
		s.submitPut(t, fmt.Sprintf("k%d", i%7), "v")
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				s.submitPut(t, fmt.Sprintf("k%d", i%7), "v")
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	w := s.newWatch(t)
	next := make(map[int64]int64) // by watch: the least revision to come
	var last int64
	for id := range int64(20) {
		w.create(&pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l"), StartRevision: 2 + 100*id})
		next[id] = 2 + 100*id
	}
	for caughtUp := 0; caughtUp < 20; {
		resp := w.recv()
		if resp.Header.Revision < last {
			t.Fatalf("revision %d after %d", resp.Header.Revision, last)
		}
		last = resp.Header.Revision
		for _, e := range resp.Events {
			if e.Kv.ModRevision != next[resp.WatchId] { // each write is one revision
				t.Fatalf("watch %d received revision %d, want %d", resp.WatchId, e.Kv.ModRevision, next[resp.WatchId])
			}
			if next[resp.WatchId]++; next[resp.WatchId] == 3002 {
				caughtUp++
			}
		}
	}
}

// submitPut writes without the network.
func (s *site) submitPut(t testing.TB, key, value string) {
	if _, err := s.Submit(context.Background(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
		t.Error(err)
	}
}

// TestWatchManyStreams checks that the streams of one connection are not limited
// and that each sees a change.
func TestWatchManyStreams(t *testing.T) {
	s := newSite(t)
	var calls []*watchCall
	for range 300 {
		w := s.newWatch(t)
		w.create(&pb.WatchCreateRequest{Key: []byte("a")})
		calls = append(calls, w)
	}
	for _, w := range calls {
		w.want("0@1 created")
	}
	s.put(t, "a", "1")
	for _, w := range calls {
		w.want("0@2 PUT(a=1 at 2)")
	}
}

// TestWatchSlowClient checks that a client that does not read neither blocks
// others nor loses anything.
func TestWatchSlowClient(t *testing.T) {
	s := newSite(t)
	slow, fast := s.newWatch(t), s.newWatch(t)
	for _, w := range []*watchCall{slow, fast} {
		w.create(&pb.WatchCreateRequest{Key: []byte("a")})
		w.created()
	}
	value := strings.Repeat("v", 10_000)
	const writes = 2000 // 20 MB, far above what a connection buffers
	next := int64(2)
	for range writes {
		s.submitPut(t, "a", value)
	}
	for next < 2+writes {
		for _, e := range fast.recv().Events {
			if e.Kv.ModRevision != next {
				t.Fatalf("fast watch received revision %d, want %d", e.Kv.ModRevision, next)
			}
			next++
		}
	}
	for next = 2; next < 2+writes; {
		for _, e := range slow.recv().Events {
			if e.Kv.ModRevision != next {
				t.Fatalf("slow watch received revision %d, want %d", e.Kv.ModRevision, next)
			}
			next++
		}
	}
}

// TestWatchHalfClosed checks that a client that sends no more still receives.
func TestWatchHalfClosed(t *testing.T) {
	s := newSite(t)
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a")})
	w.created()
	if err := w.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	s.put(t, "a", "1")
	w.want("0@2 PUT(a=1 at 2)")
}

// TestWatchClientGone checks that nothing is left of a client's watches, and
// that an empty request harms nobody.
func TestWatchClientGone(t *testing.T) {
	s := newSite(t)
	w := s.newWatch(t)
	w.send(&pb.WatchRequest{})
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), ProgressNotify: true})
	w.created()
	w.cancel()
	if _, err := w.stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("Recv after cancel = %v, want Canceled", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for s.view.Stats().Streams > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the watch stream is still there")
		}
		time.Sleep(time.Millisecond)
	}
}
