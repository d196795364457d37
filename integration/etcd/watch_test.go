package etcd

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// watchWrites makes changes of every kind under a prefix.
func watchWrites(p *pair, prefix string) {
	p.all(put(prefix+"a", "1"), put(prefix+"a", "2"), put(prefix+"b", ""), del(prefix+"none", ""), del(prefix+"a", ""), put(prefix+"a", "3"),
		txn(put(prefix+"c", "1"), put(prefix+"d", "1"), del(prefix+"b", ""), get(prefix+"a", "")),
		txn(get(prefix+"a", "")), del(prefix, prefix+"\xff"), put(prefix+"\x00", "z"), put(prefix+"e", "1"),
		txn(del(prefix, "\x00"), put(prefix+"e", "2")))
}

// tableWatch: ranges, filters and prev_kv, of the future and of the past.
func tableWatch(p *pair) {
	start := p.now() + 1
	creates := func(start int64) []*pb.WatchCreateRequest {
		return []*pb.WatchCreateRequest{
			watchOf("w/a", "", start), watchOf("w/", "w0", start), watchOf("w/b", "w/d", start), watchOf("w/", "\x00", start), watchOf("", "\x00", start),
			watchOf("", "", start), watchOf("", "z", start), watchOf("w/nothing", "", start),
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, PrevKv: true},
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}},
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}, PrevKv: true},
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, Filters: []pb.WatchCreateRequest_FilterType{0, 1}},
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, Filters: []pb.WatchCreateRequest_FilterType{1, 1, 9}},
			{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: start, PrevKv: true, ProgressNotify: true, Fragment: true},
		}
	}
	present, past := p.watch(), p.watch()
	for _, c := range creates(0) {
		present.create(c)
	}
	for _, c := range creates(start) {
		present.create(c)
	}
	watchWrites(p, "w/")
	for _, c := range creates(start) {
		past.create(c)
	}
	for rev := start; rev <= p.rev; rev++ {
		past.create(&pb.WatchCreateRequest{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: rev, PrevKv: true})
	}
	for _, w := range []*watching{present, past} {
		w.settle()
	}
	past.create(&pb.WatchCreateRequest{Key: []byte("w/"), RangeEnd: []byte("w0"), StartRevision: p.rev + 1, PrevKv: true})
	watchWrites(p, "w/")
	for _, w := range []*watching{present, past} {
		w.settle()
		w.compare()
		w.close()
	}
}

// tableWatchControl: IDs, cancellations and bad creates.
func tableWatchControl(p *pair) {
	w := p.watch()
	key := func(id int64) *pb.WatchCreateRequest {
		return &pb.WatchCreateRequest{Key: []byte("wc/"), RangeEnd: []byte("wc0"), WatchId: id}
	}
	for _, id := range []int64{0, 0, 5, 5, 2, 0, 0, -1, -3, 1 << 40} {
		w.create(key(id))
	}
	p.do(put("wc/a", "1"))
	for _, c := range []*pb.WatchCreateRequest{
		watchOf("wc/b", "wc/a", 0), watchOf("wc/a", "wc/a", 0), watchOf("wc/a", "", -1), watchOf("wc/a", "", -1<<63), watchOf("wc/b", "wc/a", -1),
		{Key: []byte("wc/"), WatchId: 5, StartRevision: -1}, {Key: []byte("wc/b"), RangeEnd: []byte("wc/a"), WatchId: 5},
	} {
		w.create(c)
	}
	w.settle()
	w.cancel(5)
	p.do(put("wc/a", "2"))
	w.create(key(5))
	w.create(key(0))
	p.do(put("wc/a", "3"))
	w.settle()
	w.cancel(0)
	w.cancel(2)
	// Nobody answers the cancellation of what is not there: the next answer is the create's.
	for _, id := range []int64{0, 77, -1} {
		w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
	}
	w.send(&pb.WatchRequest{})
	w.create(key(0))
	p.do(put("wc/a", "4"))
	w.settle()
	w.compare()
	w.close()
}

// tableWatchHistory: starts that are compacted or in the future, and a
// compaction while watches are there.
func tableWatchHistory(p *pair) {
	watchWrites(p, "wh/")
	compacted := p.now() - 5
	watchWrites(p, "wh/")
	w := p.watch()
	w.create(watchOf("wh/", "wh0", 0))
	w.settle()
	p.do(&pb.CompactionRequest{Revision: compacted, Physical: true})

	for rev := compacted - 3; rev <= compacted+2; rev++ {
		past := p.watch()
		past.create(&pb.WatchCreateRequest{Key: []byte("wh/"), RangeEnd: []byte("wh0"), StartRevision: rev, PrevKv: true})
		past.create(watchOf("wh/nothing", "", rev))
		past.create(watchOf("wh/", "wh0", 0))
		if rev < compacted {
			past.waitHistory(2) // compacted
		} else {
			past.settle()
		}
		p.do(put("wh/after", fmt.Sprint(rev)))
		past.compare() // what comes last is the watch's of the present
		past.close()
	}

	future := p.watch()
	for ahead := range int64(5) {
		future.create(&pb.WatchCreateRequest{Key: []byte("wh/"), RangeEnd: []byte("wh0"), StartRevision: p.rev + ahead, PrevKv: true})
	}
	for i := range 4 {
		p.do(put("wh/future", fmt.Sprint(i)))
	}
	future.settle()
	p.do(&pb.CompactionRequest{Revision: p.rev - 1})
	p.do(del("wh/future", ""))
	for _, w := range []*watching{w, future} {
		w.settle()
		w.compare()
		w.close()
	}
}

// waitHistory waits until both sites have sent n events and cancellations.
func (w *watching) waitHistory(n int) {
	w.p.t.Helper()
	for _, r := range []*recorder{w.etcd, w.node} {
		count := func() bool {
			sum := 0
			for _, h := range r.history {
				sum += len(h)
			}
			return sum >= n
		}
		if !r.wait(count) {
			w.p.t.Errorf("%s: fewer than %d events and cancellations", r.site.name, n)
		}
	}
}

// tableWatchProgress: what progress is reported by itself, and what a request gets.
func tableWatchProgress(p *pair) {
	w := p.watch()
	w.create(&pb.WatchCreateRequest{Key: []byte("wp/a"), ProgressNotify: true})
	w.create(&pb.WatchCreateRequest{Key: []byte("wp/b")})
	p.all(put("wp/b", "1"), put("wp/c", "1"))
	w.settle()
	for _, r := range []*recorder{w.etcd, w.node} {
		if !r.wait(func() bool { return r.notified[0] >= w.p.rev }) {
			p.t.Errorf("%s: no progress notification up to revision %d", r.site.name, w.p.rev)
		}
		if r.wait1(func() bool { return r.notified[1] > 0 }) {
			p.t.Errorf("%s: progress notification that was not asked for", r.site.name)
		}
	}
	// While a watch starts in the future there is no answer.
	ahead := p.watch()
	ahead.create(watchOf("wp/a", "", p.rev+3))
	ahead.send(progressRequest)
	for _, r := range []*recorder{ahead.etcd, ahead.node} {
		if r.wait1(func() bool { return r.progress > 0 }) {
			p.t.Errorf("%s: progress answered for a watch in the future", r.site.name)
		}
	}
	for i := range 3 {
		p.do(put("wp/a", fmt.Sprint(i)))
	}
	ahead.settle()
	for _, w := range []*watching{w, ahead} {
		w.compare()
		w.close()
	}
}

var progressRequest = &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}

// wait1 reports whether ok comes true soon.
func (r *recorder) wait1(ok func() bool) bool { return r.waitFor(ok, 300*time.Millisecond) }

// tableWatchFragment sends revisions larger than a response may be.
func tableWatchFragment(p *pair) {
	w := p.watch()
	w.create(&pb.WatchCreateRequest{Key: []byte("wf/"), RangeEnd: []byte("wf0"), Fragment: true, PrevKv: true})
	w.create(&pb.WatchCreateRequest{Key: []byte("wf/"), RangeEnd: []byte("wf0")})
	value := make([]byte, 700<<10)
	for range 2 {
		p.do(txn(&pb.PutRequest{Key: []byte("wf/a"), Value: value}, &pb.PutRequest{Key: []byte("wf/b"), Value: value}))
		p.do(txn(&pb.PutRequest{Key: []byte("wf/c"), Value: value}, put("wf/d", "small")))
	}
	p.do(del("wf/", "wf0"))
	w.settle()
	w.compare()
	w.close()
}
