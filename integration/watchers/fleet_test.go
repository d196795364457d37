package watchers

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

type spanKind int

const (
	spanAll spanKind = iota
	spanPrefix
	spanKey
)

// span is what a watcher watches.
type span struct {
	kind   spanKind
	number int // of the prefix or key
}

func (s span) request(from int64) *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{StartRevision: from}
	switch s.kind {
	case spanAll:
		r.Key, r.RangeEnd = []byte{0}, []byte{0}
	case spanPrefix:
		r.Key = []byte(prefixName(s.number))
		r.RangeEnd = []byte(strings.TrimSuffix(string(r.Key), "/") + "0")
	case spanKey:
		r.Key = []byte(keyName(s.number))
	}
	return r
}

func (s span) contains(key int) bool {
	switch s.kind {
	case spanPrefix:
		return key/perPrefix == s.number
	case spanKey:
		return key == s.number
	default:
		return true
	}
}

// watch is one watcher and what it was sent.
type watch struct {
	span
	trace
	last  int64 // revision of the last event
	fault string
	ended *pb.WatchResponse // by which it was canceled, nil while it runs
}

// take checks and counts one event.
func (w *watch) take(e *mvccpb.Event) {
	rev, number := e.Kv.ModRevision, uint64(0)
	if len(e.Kv.Value) >= 8 {
		number = binary.BigEndian.Uint64(e.Kv.Value)
	}
	switch {
	case w.fault != "":
	case rev <= w.last: // every revision of these tests has one event
		w.fault = fmt.Sprintf("revision %d after %d", rev, w.last)
	case !w.contains(keyNumber(string(e.Kv.Key))):
		w.fault = fmt.Sprintf("event of %q", e.Kv.Key)
	case e.Type != mvccpb.Event_PUT:
		w.fault = fmt.Sprintf("%v at %d", e.Type, rev)
	}
	w.last = max(w.last, rev)
	w.add(rev, number)
}

// check holds what w was sent to what was written.
func (w *watch) check(e *expected) error {
	switch want := e.of(w.span); {
	case w.fault != "":
		return fmt.Errorf("watch of %v: %s", w.span, w.fault)
	case w.ended != nil:
		return fmt.Errorf("watch of %v was canceled: %q, compacted %d", w.span, w.ended.CancelReason, w.ended.CompactRevision)
	case w.trace != want:
		return fmt.Errorf("watch of %v was sent %d events (sum %x), want %d (sum %x)", w.span, w.events, w.sum, want.events, want.sum)
	}
	return nil
}

// stream is a Watch call with many watches; the index of each is its ID.
type stream struct {
	watches []*watch
	call    pb.Watch_WatchClient
	cancel  context.CancelFunc

	begin   []atomic.Int64  // of the writes, in nanoseconds
	latency []time.Duration // from there to the event at a watcher of everything
}

// open makes a stream and creates its watches, and returns when all are answered.
func open(t *testing.T, client pb.WatchClient, from int64, watches []*watch) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	call, err := client.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{watches: watches, call: call, cancel: cancel}
	for i, w := range watches {
		r := w.request(from)
		r.WatchId = int64(i) + 1 // 0 would leave the choice to the node
		if err := call.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range watches {
		resp, err := call.Recv()
		if err != nil || !resp.Created || resp.Canceled || resp.WatchId != int64(i)+1 {
			t.Fatalf("answer to create %d: %v, %v", i, resp, err)
		}
	}
	return s
}

// receive takes in what is sent until the stream ends, all watches are
// canceled, or the node reports progress up to target.
func (s *stream) receive(target *atomic.Int64) error {
	running := len(s.watches)
	for running > 0 {
		resp, err := s.call.Recv()
		if err != nil {
			return err
		}
		if resp.WatchId == -1 {
			if resp.Header.Revision >= target.Load() {
				return nil
			}
			continue
		}
		w := s.watches[resp.WatchId-1]
		if resp.Canceled {
			w.ended = resp
			running--
		}
		for _, e := range resp.Events {
			w.take(e)
		}
		if s.begin != nil && w.kind == spanAll && len(resp.Events) > 0 {
			number := binary.BigEndian.Uint64(resp.Events[0].Kv.Value)
			s.latency = append(s.latency, time.Duration(time.Now().UnixNano()-s.begin[number].Load()))
		}
	}
	return nil
}

// fleet is a number of streams, each received from by a goroutine of its own.
type fleet struct {
	streams []*stream
	target  atomic.Int64 // revision after which to stop; unknown while writing
	wg      sync.WaitGroup
	mu      sync.Mutex
	err     error
}

// start lets all streams receive. The writes' beginnings serve to measure latencies.
func (f *fleet) start(begin []atomic.Int64) {
	f.target.Store(math.MaxInt64)
	for _, s := range f.streams {
		s.begin = begin
		f.wg.Go(func() {
			if err := s.receive(&f.target); err != nil {
				f.mu.Lock()
				f.err = err
				f.mu.Unlock()
			}
		})
	}
}

// finish waits until the node says on every stream that it has sent everything
// up to the revision last, and returns how long that took.
func (f *fleet) finish(t *testing.T, last int64, within time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	f.target.Store(last)
	for _, s := range f.streams {
		// On a stream that has ended already, receive has its error.
		_ = s.call.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
	}
	timer := time.AfterFunc(within, func() {
		for _, s := range f.streams {
			s.cancel()
		}
	})
	f.wg.Wait()
	if !timer.Stop() {
		t.Errorf("not everything was sent within %v", within)
	}
	if f.err != nil {
		t.Errorf("a stream ended: %v", f.err)
	}
	return time.Since(start)
}

// check holds all watches to what was written, and returns how many events they were sent.
func (f *fleet) check(t *testing.T, e *expected) (events int) {
	t.Helper()
	wrong := 0
	for _, s := range f.streams {
		for _, w := range s.watches {
			events += w.events
			if err := w.check(e); err != nil {
				if wrong++; wrong <= 10 {
					t.Error(err)
				}
			}
		}
	}
	if wrong > 10 {
		t.Errorf("and %d more", wrong-10)
	}
	return events
}

// latencies returns the median and the 99th percentile of the time from the
// beginning of a write to its event at a watcher of everything.
func (f *fleet) latencies() (p50, p99 time.Duration) {
	var all []time.Duration
	for _, s := range f.streams {
		all = append(all, s.latency...)
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}
