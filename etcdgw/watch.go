package etcdgw

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// watchServer serves the Watch service.
type watchServer struct {
	*Server
	pb.UnimplementedWatchServer
}

// Watch implements Watch. Two goroutines serve a stream: this one sends, another
// one receives. What a client does not read waits in the view, which bounds it.
func (s *watchServer) Watch(stream pb.Watch_WatchServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(errStopped) })()

	w := &watchStream{
		Server:  s.Server,
		stream:  stream,
		watches: s.view.NewWatchStream(),
		options: make(map[int64]*watchOptions),
	}
	defer w.close()
	s.streams.Go(func() {
		if err := w.receive(ctx); err != nil {
			cancel(err)
		}
	})
	err := w.send(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return rpctypes.ErrGRPCWatchCanceled
	}
	return err
}

// watchStream is one Watch call.
type watchStream struct {
	*Server
	stream  pb.Watch_WatchServer
	watches *mvcc.WatchStream

	sent int64 // the greatest revision of a header sent

	mu      sync.Mutex
	closed  bool
	created []watchOptions          // of the creates not yet answered, in order
	options map[int64]*watchOptions // of the watches that have any, by ID
	timer   *time.Timer             // runs once a watch wants to be notified of progress
}

// watchOptions are what the view need not know of a watch.
type watchOptions struct {
	fragment bool
	notify   bool // of progress
	idle     bool // no event was sent since the timer last fired
}

// receive carries out the client's requests until the client sends no more (nil)
// or the stream breaks.
func (w *watchStream) receive(ctx context.Context) error {
	for {
		req, err := w.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil // it may still listen
		}
		if err != nil {
			return w.ended(ctx, "receive", "watch", err)
		}
		switch r := req.RequestUnion.(type) {
		case *pb.WatchRequest_CreateRequest:
			if r.CreateRequest == nil {
				continue
			}
			w.mu.Lock()
			w.created = append(w.created, watchOptions{
				fragment: r.CreateRequest.Fragment,
				notify:   r.CreateRequest.ProgressNotify,
				idle:     true,
			})
			w.mu.Unlock()
			if reason := w.refusal(ctx, r.CreateRequest); reason != "" {
				err = w.watches.Refuse(ctx, reason)
			} else {
				err = w.watches.Watch(ctx, r.CreateRequest)
			}
		case *pb.WatchRequest_CancelRequest:
			// A watch that does not exist may have ended meanwhile.
			err = w.watches.Cancel(ctx, r.CancelRequest.GetWatchId())
			if errors.Is(err, mvcc.ErrWatchNotFound) {
				err = nil
			}
		case *pb.WatchRequest_ProgressRequest:
			w.watches.RequestProgress()
		default:
			// As etcd: what this version does not know is no reason to end the
			// client's other watches.
			w.log.Debug("unknown watch request")
		}
		if err != nil {
			return nil // the stream is being closed
		}
	}
}

// refusal says why the caller may not watch what it asks for, "" if it may. As
// in etcd that is looked at once, when the watch is created.
func (w *watchStream) refusal(ctx context.Context, r *pb.WatchCreateRequest) string {
	if r.StartRevision < 0 {
		return "" // refused by the view, whoever asks
	}
	by, err := w.caller(ctx)
	if err == nil {
		key := r.Key
		if len(key) == 0 {
			key = []byte{0}
		}
		err = w.auth.CheckRange(by, key, r.RangeEnd)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// send sends what the view has for the client until ctx is done.
func (w *watchStream) send(ctx context.Context) error {
	for {
		resp, err := w.watches.Recv(ctx)
		if err != nil {
			return err
		}
		fragment := w.note(resp)
		w.complete(resp.Header)
		if fragment {
			err = sendFragments(resp, w.cfg.MaxRequestBytes+grpcOverheadBytes, w.stream.Send)
		} else {
			err = w.stream.Send(resp)
		}
		if err != nil {
			return w.ended(ctx, "send", "watch", err)
		}
	}
}

// note keeps the books on a response about to be sent, and reports whether it
// may be sent in fragments.
func (w *watchStream) note(resp *pb.WatchResponse) (fragment bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if resp.Created {
		o := w.created[0]
		w.created = w.created[1:]
		if !resp.Canceled && (o.fragment || o.notify) {
			w.options[resp.WatchId] = &o
			w.startTimer(o)
		}
		return false
	}
	o := w.options[resp.WatchId]
	if o == nil {
		return false
	}
	if resp.Canceled {
		delete(w.options, resp.WatchId)
	}
	if len(resp.Events) > 0 {
		o.idle = false
	}
	return o.fragment
}

// complete fills the header. Revisions never go back on a stream: events from
// the past carry, as in etcd, a revision that was current when they were sent.
// Responses that report progress are never behind what was sent before.
func (w *watchStream) complete(h *pb.ResponseHeader) {
	h.ClusterId, h.MemberId, h.RaftTerm = w.cfg.ClusterID, w.cfg.MemberID, raftTerm
	w.sent = max(w.sent, h.Revision)
	h.Revision = w.sent
}

// startTimer starts the notifications of progress with the first watch that
// wants them. Called with mu held.
func (w *watchStream) startTimer(o watchOptions) {
	if !o.notify || w.timer != nil || w.closed {
		return
	}
	// Spread, since clients that start together would be notified together.
	interval := w.cfg.ProgressNotifyInterval
	interval += rand.N(interval/10 + 1)
	w.timer = time.AfterFunc(interval, func() { w.notifyProgress(interval) })
}

// notifyProgress asks for the progress of the watches that were sent nothing for
// a whole interval.
func (w *watchStream) notifyProgress(interval time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for id, o := range w.options {
		if o.notify && o.idle {
			w.watches.RequestWatchProgress(id)
		}
		o.idle = true
	}
	w.timer.Reset(interval)
}

func (w *watchStream) close() {
	w.mu.Lock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.watches.Close()
}

// sendFragments sends a response in parts of less than limit bytes, but at least
// one event each. All but the last are marked as fragments.
func sendFragments(resp *pb.WatchResponse, limit int, send func(*pb.WatchResponse) error) error {
	if len(resp.Events) < 2 || proto.Size(resp) < limit {
		return send(resp)
	}
	events := resp.Events
	// Each part is a message of its own: gRPC may still encode the last one.
	part := func() *pb.WatchResponse {
		return &pb.WatchResponse{Header: resp.Header, WatchId: resp.WatchId, Fragment: true}
	}
	empty := proto.Size(part())
	for len(events) > 0 {
		cur, size := part(), empty
		for len(cur.Events) < len(events) {
			size += eventFieldSize(proto.Size(events[len(cur.Events)]))
			if len(cur.Events) > 0 && size >= limit {
				break
			}
			cur.Events = events[:len(cur.Events)+1]
		}
		events = events[len(cur.Events):]
		cur.Fragment = len(events) > 0
		if err := send(cur); err != nil {
			return err
		}
	}
	return nil
}

// eventFieldSize bounds the encoded size of an event of n bytes within its
// response: a tag and a length precede it.
func eventFieldSize(n int) int { return n + 6 }
