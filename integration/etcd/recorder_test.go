package etcd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// settleTimeout bounds how long a site may take to send what it owes.
const settleTimeout = 20 * time.Second

// progressPatience is how long to wait for an answer to a progress request before the next one.
const progressPatience = 100 * time.Millisecond

// progressID is the watch ID of an answer to a progress request.
const progressID = -1

// watching is a watch stream at each site.
type watching struct {
	p          *pair
	etcd, node *recorder
}

// watch opens a watch stream at both sites. It ends with the test or with close.
func (p *pair) watch() *watching {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	w := &watching{p: p}
	for _, s := range []*site{p.etcd, p.node} {
		r, err := s.record(ctx, cancel)
		if err != nil {
			p.t.Fatal(err)
		}
		if s == p.etcd {
			w.etcd = r
		} else {
			w.node = r
		}
	}
	return w
}

// create asks for a watch and waits until both sites have answered.
func (w *watching) create(req *pb.WatchCreateRequest) {
	w.p.t.Helper()
	w.request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: req}})
}

// cancel ends a watch and waits until both sites have answered. Call settle
// first: whether an event still comes before the answer depends on timing.
func (w *watching) cancel(id int64) {
	w.p.t.Helper()
	w.request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
}

// request sends a request that one control response answers, and waits for it.
func (w *watching) request(req *pb.WatchRequest) {
	w.p.t.Helper()
	want := w.etcd.controls() + 1
	w.send(req)
	for _, r := range []*recorder{w.etcd, w.node} {
		if !r.wait(func() bool { return len(r.control) >= want }) {
			w.p.t.Fatalf("%s: no answer to %s: %v", r.site.name, show(req), r.failure())
		}
	}
}

// send sends a request to both sites and waits for nothing.
func (w *watching) send(req *pb.WatchRequest) {
	w.p.t.Helper()
	for _, r := range []*recorder{w.etcd, w.node} {
		if err := r.stream.Send(r.site.outgoing(req).(*pb.WatchRequest)); err != nil {
			w.p.t.Fatalf("%s: %s: %v", r.site.name, show(req), err)
		}
	}
}

// settle waits until both sites have sent everything up to the present
// revision, by their answers to progress requests. The stream must have a watch,
// none that starts in the future, and none that was compacted.
func (w *watching) settle() {
	w.p.t.Helper()
	for _, r := range []*recorder{w.etcd, w.node} {
		deadline := time.Now().Add(settleTimeout)
		r.mu.Lock()
		r.settling = maps.Clone(r.asked)
		r.mu.Unlock()
		for tries := 0; !r.progressed(w.p.rev); tries++ {
			if time.Now().After(deadline) {
				w.p.t.Fatalf("%s: no progress to revision %d on the stream: %v", r.site.name, w.p.rev, r.failure())
			}
			if err := r.stream.Send(progressRequest); err != nil {
				w.p.t.Fatalf("%s: %v", r.site.name, err)
			}
			if r.waitFor(func() bool { return r.progress >= w.p.rev }, progressPatience) && tries > 0 {
				time.Sleep(progressPatience) // answers to the earlier requests must not be taken for later ones
			}
		}
	}
}

// compare waits a while for the histories to be equal, and reports what differs.
func (w *watching) compare() {
	w.p.t.Helper()
	deadline := time.Now().Add(settleTimeout)
	if w.p.t.Failed() {
		deadline = time.Now()
	}
	for !w.etcd.equal(w.node) && time.Now().Before(deadline) {
		time.Sleep(2 * time.Millisecond)
	}
	w.etcd.mu.Lock()
	defer w.etcd.mu.Unlock()
	w.node.mu.Lock()
	defer w.node.mu.Unlock()
	for _, r := range []*recorder{w.etcd, w.node} {
		for _, v := range r.violations {
			w.p.t.Errorf("%s: %s", r.site.name, v)
		}
		if r.err != nil {
			w.p.t.Errorf("%s: the stream ended: %v", r.site.name, r.err)
		}
	}
	if !slices.EqualFunc(w.etcd.control, w.node.control, proto.Equal) {
		w.p.t.Errorf("answers on the stream (-etcd +node):\n%s", cmp.Diff(w.etcd.control, w.node.control, protocmp.Transform()))
	}
	for id := range union(w.etcd.history, w.node.history) {
		if want, got := w.etcd.history[id], w.node.history[id]; !slices.EqualFunc(want, got, proto.Equal) {
			w.p.t.Errorf("history of watch %d (-etcd +node):\n%s", id, cmp.Diff(want, got, protocmp.Transform()))
		}
	}
}

func union[K comparable, V any](maps ...map[K]V) map[K]bool {
	out := map[K]bool{}
	for _, m := range maps {
		for k := range m {
			out[k] = true
		}
	}
	return out
}

// close ends the stream at both sites and waits for their ends.
func (w *watching) close() {
	for _, r := range []*recorder{w.etcd, w.node} {
		r.cancel()
		<-r.done
	}
}

// recorder receives a watch stream of a site.
type recorder struct {
	site   *site
	stream pb.Watch_WatchClient
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	changed  chan struct{}             // closed when anything below changes
	control  []proto.Message           // answers to creates and cancels, in order
	history  map[int64][]proto.Message // per watch: events, and cancellations by the server
	asked    map[int64]bool            // the watches that were created and not cancelled by the client
	notified map[int64]int64           // per watch: revision of the last progress notification
	progress int64                     // greatest revision that answered a progress request
	last     map[int64]int64           // per watch: the revision up to which everything has come
	settling map[int64]bool            // asked, when the progress request was sent
	// compactedAt is the header's revision in the last cancellation for compaction.
	compactedAt int64
	violations  []string
	err         error
}

func (s *site) record(ctx context.Context, cancel context.CancelFunc) (*recorder, error) {
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return nil, err
	}
	r := &recorder{site: s, stream: stream, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
		history: map[int64][]proto.Message{}, asked: map[int64]bool{}, notified: map[int64]int64{}, last: map[int64]int64{}}
	go func() {
		defer close(r.done)
		for {
			resp, err := stream.Recv()
			r.mu.Lock()
			if err == nil {
				s.incoming(resp)
				r.note(resp)
			} else if ctx.Err() == nil {
				r.err = err
			}
			close(r.changed)
			r.changed = make(chan struct{})
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r, nil
}

// note files a response. Called with mu held.
func (r *recorder) note(resp *pb.WatchResponse) {
	id, at := resp.WatchId, resp.Header.GetRevision()
	switch {
	case resp.Created:
		r.control = append(r.control, resp)
		r.progress = 0 // what was reported did not regard the new watch
		if !resp.Canceled {
			r.asked[id] = true
			r.last[id] = 0
		}
	case resp.Canceled && resp.CompactRevision == 0:
		r.control = append(r.control, resp)
		delete(r.asked, id)
	case resp.Canceled:
		r.compactedAt = at
		resp.Header.Revision = 0 // as etcd's
		r.history[id] = append(r.history[id], resp)
	case len(resp.Events) == 0 && id == progressID:
		r.progress = max(r.progress, at)
		r.check(resp, at, r.last)
		for id := range r.settling {
			r.last[id] = max(r.last[id], at) // all of it has come
		}
	case len(resp.Events) == 0:
		r.notified[id] = at
		r.check(resp, at, map[int64]int64{id: r.last[id]})
	default:
		r.events(resp)
	}
}

// check checks that no watch was sent events beyond a progress response.
func (r *recorder) check(resp *pb.WatchResponse, at int64, last map[int64]int64) {
	for id, rev := range last {
		if rev > at {
			r.violations = append(r.violations, fmt.Sprintf("progress of %d at %d after an event of watch %d at %d", resp.WatchId, at, id, rev))
		}
	}
}

// events files the events of a response and checks its form.
func (r *recorder) events(resp *pb.WatchResponse) {
	id := resp.WatchId
	if !r.asked[id] {
		r.violations = append(r.violations, fmt.Sprintf("events of watch %d, which does not exist", id))
	}
	first, last := resp.Events[0].Kv.GetModRevision(), resp.Events[len(resp.Events)-1].Kv.GetModRevision()
	if first <= r.last[id] {
		r.violations = append(r.violations, fmt.Sprintf("watch %d: a response begins with revision %d after one that ended with %d", id, first, r.last[id]))
	}
	if last > resp.Header.GetRevision() {
		r.violations = append(r.violations, fmt.Sprintf("watch %d: header revision %d, an event has %d", id, resp.Header.GetRevision(), last))
	}
	if resp.Fragment {
		last-- // the revision goes on
	}
	r.last[id] = last
	for _, e := range resp.Events {
		r.history[id] = append(r.history[id], e)
	}
}

// equal reports whether both have recorded the same.
func (r *recorder) equal(o *recorder) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(r.violations)+len(o.violations) > 0 || r.err != nil || o.err != nil {
		return true // nothing to wait for
	}
	if len(r.control) != len(o.control) {
		return false
	}
	for id := range union(r.history, o.history) {
		if len(r.history[id]) != len(o.history[id]) {
			return false
		}
	}
	return true
}

func (r *recorder) controls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.control)
}

func (r *recorder) progressed(rev int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress >= rev
}

func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// wait waits until ok, which is called with mu held, and reports whether it came true.
func (r *recorder) wait(ok func() bool) bool { return r.waitFor(ok, settleTimeout) }

func (r *recorder) waitFor(ok func() bool, within time.Duration) bool {
	timeout := time.After(within)
	for {
		r.mu.Lock()
		done, changed := ok(), r.changed
		r.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-r.done:
			r.mu.Lock()
			defer r.mu.Unlock()
			return ok()
		case <-timeout:
			return false
		}
	}
}
