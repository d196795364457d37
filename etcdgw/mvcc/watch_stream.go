package mvcc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// noWatch is the watch ID of answers that concern no watch, or all.
const noWatch = -1

// WatchStream is a client's stream of watches. Watch, Cancel and the progress
// requests may be called by any goroutine; Recv by one at a time. It has no
// goroutine of its own: what is not received waits, in bounded buffers first
// and then in the view's history.
type WatchStream struct {
	hub  *hub
	wake chan struct{} // something to receive
	room chan struct{} // the answers waiting are fewer
	done chan struct{} // closed with the stream

	// What follows is guarded by the hub's lock.
	closed      bool
	watchers    map[int64]*watcher
	nextID      int64
	control     []*pb.WatchResponse
	ready       []*watcher
	progressAll bool
	progress    []int64 // watches to tell their progress
}

// NewWatchStream returns a stream without watches. Close it after use.
func (v *View) NewWatchStream() *WatchStream {
	h := &v.hub
	s := &WatchStream{
		hub:      h,
		wake:     make(chan struct{}, 1),
		room:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		watchers: make(map[int64]*watcher),
	}
	h.mu.Lock()
	h.streams[s] = struct{}{}
	h.mu.Unlock()
	return s
}

func (s *WatchStream) notify() { signal(s.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Watch creates a watch. Its answer, created or refused, is received from the
// stream, before any event of the watch and in the order of the calls. With
// maxControl answers waiting it blocks. Errors: ErrStreamClosed, and ctx's.
func (s *WatchStream) Watch(ctx context.Context, r *pb.WatchCreateRequest) error {
	if err := s.lockWithRoom(ctx); err != nil {
		return err
	}
	h := s.hub
	defer h.mu.Unlock()
	// Readers may already see what is about to be handed out.
	now := h.view.Revision()
	resp := &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: now}, Created: true}
	s.control = append(s.control, resp)
	s.notify()
	w, err := s.watcher(r)
	if err != nil {
		resp.WatchId, resp.Canceled, resp.CancelReason = noWatch, true, err.Error()
		return nil
	}
	resp.WatchId = w.id
	s.watchers[w.id] = w
	h.index.add(w)
	switch start := r.StartRevision; {
	case start == 0:
		w.next = now + 1
	case start <= h.published || !h.window.has(h.window.from(start)):
		w.lag(start)
	default:
		w.next = start
	}
	return nil
}

// Refuse answers a create that is refused for a reason the view does not know:
// created and canceled at once, in its place among the answers. With maxControl
// answers waiting it blocks. Errors: ErrStreamClosed, and ctx's.
func (s *WatchStream) Refuse(ctx context.Context, reason string) error {
	if err := s.lockWithRoom(ctx); err != nil {
		return err
	}
	defer s.hub.mu.Unlock()
	s.control = append(s.control, &pb.WatchResponse{
		Header:  &pb.ResponseHeader{Revision: s.hub.view.Revision()},
		WatchId: noWatch, Created: true, Canceled: true, CancelReason: reason,
	})
	s.notify()
	return nil
}

// watcher makes the watcher that r asks for.
func (s *WatchStream) watcher(r *pb.WatchCreateRequest) (*watcher, error) {
	if r.StartRevision < 0 {
		return nil, rpctypes.ErrCompacted
	}
	key := r.Key
	if len(key) == 0 {
		key = []byte{0} // the least key
	}
	w := &watcher{id: r.WatchId, stream: s, span: spanOf(key, r.RangeEnd), single: single(r.RangeEnd), prevKV: r.PrevKv}
	if w.span.empty() {
		return nil, errEmptyWatchRange
	}
	for _, f := range r.Filters {
		switch f {
		case pb.WatchCreateRequest_NOPUT:
			w.noPut = true
		case pb.WatchCreateRequest_NODELETE:
			w.noDel = true
		}
	}
	if w.id == 0 { // the stream chooses
		for s.watchers[s.nextID] != nil {
			s.nextID++
		}
		w.id = s.nextID
		s.nextID++
	} else if s.watchers[w.id] != nil {
		return nil, errDuplicateWatch
	}
	return w, nil
}

// Cancel ends a watch. Its answer is received from the stream, after which
// nothing of the watch is. With maxControl answers waiting it blocks. Errors:
// ErrWatchNotFound, ErrStreamClosed, and ctx's.
func (s *WatchStream) Cancel(ctx context.Context, id int64) error {
	if err := s.lockWithRoom(ctx); err != nil {
		return err
	}
	defer s.hub.mu.Unlock()
	w := s.watchers[id]
	if w == nil {
		return ErrWatchNotFound
	}
	s.remove(w)
	s.control = append(s.control, &pb.WatchResponse{
		Header:   &pb.ResponseHeader{Revision: s.hub.published},
		WatchId:  id,
		Canceled: true,
	})
	s.notify()
	return nil
}

// lockWithRoom locks the hub when the stream has room for an answer.
func (s *WatchStream) lockWithRoom(ctx context.Context) error {
	for {
		s.hub.mu.Lock()
		if s.closed {
			s.hub.mu.Unlock()
			return ErrStreamClosed
		}
		if len(s.control) < maxControl {
			return nil
		}
		s.hub.mu.Unlock()
		select {
		case <-s.room:
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// remove ends w. Called with the hub's lock.
func (s *WatchStream) remove(w *watcher) {
	delete(s.watchers, w.id)
	s.hub.index.remove(w)
	if w.lagging {
		s.hub.lagging--
	}
	w.pending = nil
}

// RequestProgress asks for a response without events, with watch ID -1, as soon
// as all watches of the stream have been sent everything up to its revision,
// which is at least the one published now. While a watch starts further in the
// future than the next revision, and without watches, there is no answer.
func (s *WatchStream) RequestProgress() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.progressAll = len(s.watchers) > 0
	s.notify()
}

// RequestWatchProgress is RequestProgress for one watch, with its ID in the answer.
func (s *WatchStream) RequestWatchProgress(id int64) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	for _, p := range s.progress {
		if p == id {
			return
		}
	}
	if s.watchers[id] != nil {
		s.progress = append(s.progress, id)
		s.notify()
	}
}

// Close ends all watches; Recv then returns ErrStreamClosed. Closing again does nothing.
func (s *WatchStream) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, w := range s.watchers {
		s.remove(w)
	}
	s.control, s.ready, s.progress = nil, nil, nil
	delete(h.streams, s)
	close(s.done)
}

// Recv waits for the next response: an answer to Watch or Cancel, events of a
// watch, its end (Canceled, with CompactRevision if what it wants was
// compacted), or progress. The header has only the revision: the one up to
// which the watch has now been sent everything, or, of an answer, the published
// one. Events are shared and must not be modified. Errors: ErrStreamClosed, and
// ctx's.
func (s *WatchStream) Recv(ctx context.Context) (*pb.WatchResponse, error) {
	for {
		resp, err := s.poll()
		if resp != nil || err != nil {
			return resp, err
		}
		select {
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// poll returns the next response, nil if there is none now.
func (s *WatchStream) poll() (*pb.WatchResponse, error) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for !s.closed {
		if len(s.control) > 0 {
			resp := s.control[0]
			s.control[0] = nil
			s.control = s.control[1:]
			signal(s.room)
			return resp, nil
		}
		if len(s.ready) == 0 {
			return s.reportProgress(), nil
		}
		w := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		w.ready = false
		if w.node == nil {
			continue // has ended
		}
		if resp := s.serve(w); resp != nil {
			return resp, nil
		}
	}
	return nil, ErrStreamClosed
}

// serve returns the next response of w, nil if there is none. Called with the
// hub's lock, which it gives up while it reads history.
func (s *WatchStream) serve(w *watcher) *pb.WatchResponse {
	h := s.hub
	if len(w.pending) > 0 {
		events := w.take()
		if len(w.pending) > 0 || w.lagging || w.expired {
			w.queue()
		}
		return w.response(events, events[len(events)-1].Kv.ModRevision)
	}
	if w.expired {
		return s.compacted(w, max(h.compacted, 1))
	}
	if !w.lagging {
		return nil
	}
	next, target := w.next, h.published
	h.mu.Unlock()
	events, upTo, compacted := h.view.catchUp(w, next, target)
	h.mu.Lock()
	switch {
	case w.node == nil: // ended meanwhile
		return nil
	case compacted != 0:
		return s.compacted(w, compacted)
	}
	w.next = upTo + 1
	if upTo == h.published {
		w.lagging = false
		h.lagging--
	} else {
		w.queue()
	}
	if len(events) == 0 {
		return nil
	}
	return w.response(events, upTo)
}

// compacted ends w because what it wants was compacted.
func (s *WatchStream) compacted(w *watcher, revision int64) *pb.WatchResponse {
	s.remove(w)
	resp := w.response(nil, s.hub.published)
	resp.Canceled, resp.CompactRevision = true, revision
	return resp
}

// watchReply is a response with its header, allocated at once.
type watchReply struct {
	pb.WatchResponse
	header pb.ResponseHeader
}

func (w *watcher) response(events []*mvccpb.Event, revision int64) *pb.WatchResponse {
	r := new(watchReply)
	r.Header, r.WatchId, r.Events = &r.header, w.id, events
	r.header.Revision = revision
	return &r.WatchResponse
}

// reportProgress answers a progress request. Called with the hub's lock while
// no watcher of the stream has anything to be sent.
func (s *WatchStream) reportProgress() *pb.WatchResponse {
	for len(s.progress) > 0 {
		id := s.progress[0]
		s.progress = s.progress[1:]
		if w := s.watchers[id]; w != nil && w.next <= s.hub.published+1 {
			return w.response(nil, s.hub.published)
		}
	}
	if !s.progressAll {
		return nil
	}
	s.progressAll = false
	for _, w := range s.watchers {
		if w.next > s.hub.published+1 {
			return nil
		}
	}
	if len(s.watchers) == 0 {
		return nil
	}
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: s.hub.published}, WatchId: noWatch}
}
