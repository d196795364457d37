package etcd

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

var (
	seed       = flag.Uint64("seed", 0, "seed of the random operations; 0 picks one")
	operations = flag.Int("ops", 10_000, "how many random operations each kind of node is put through")
)

// TestRandom puts one random sequence of all requests to an etcd and a node,
// with watches on both, and stops at the first difference. The same seed gives
// the same sequence.
func TestRandom(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			s := *seed
			if s == 0 {
				s = rand.Uint64()
			}
			t.Logf("replay with -run 'TestRandom/%s' -seed %d -ops %d", v.name, s, *operations)
			g := &generator{pair: startPair(t, v.start), rng: rand.New(rand.NewPCG(s, 0))}
			g.run(*operations)
		})
	}
}

const (
	streams = 4 // of watches at a time; the last one is for those that start in the future
	// A stream is compared and replaced after so many watches.
	maxWatches = 8
	// The histories of all streams are compared every so many operations.
	compareEvery = 500
	// So many of the last operations are shown with a failure.
	shown = 12
)

// generator draws requests and puts them to both sites.
type generator struct {
	*pair
	rng       *rand.Rand
	compacted int64
	chosen    int64 // leases granted with an ID that the server chose
	watches   [streams]*watchState
	last      []string
	counts    map[string]int
}

// watchState is a stream and what was asked on it.
type watchState struct {
	*watching
	created int
	active  []int64
	ready   int64 // no watch starts later
}

func (g *generator) run(n int) {
	g.counts = map[string]int{}
	for i := 1; i <= n; i++ {
		g.step()
		if (i%compareEvery == 0 || i == n) && !g.t.Failed() {
			for _, w := range g.watches {
				if w != nil {
					g.compareStream(w)
				}
			}
		}
		if g.t.Failed() {
			g.t.Logf("failed at operation %d of %d; the last ones:", i, n)
			for _, s := range g.last {
				g.t.Log("  ", s)
			}
			return
		}
	}
	g.t.Logf("%d operations, no difference; revision %d; %v", n, g.rev, g.counts)
}

// step puts one operation to both sites.
func (g *generator) step() {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	draw := g.rng.IntN(total)
	for _, k := range kinds {
		if draw -= k.weight; draw < 0 {
			g.counts[k.name]++
			k.do(g)
			return
		}
	}
}

var kinds = []struct {
	name   string
	weight int
	do     func(*generator)
}{
	{"put", 240, func(g *generator) { g.request(g.put()) }},
	{"delete", 90, func(g *generator) { g.request(g.delete()) }},
	{"range", 220, func(g *generator) { g.request(g.rangeOf()) }},
	{"stream", 40, func(g *generator) { g.rangeStream() }},
	{"txn", 220, func(g *generator) { g.request(spareEtcd(g.txn(3))) }},
	{"compact", 10, (*generator).compact},
	{"hash", 5, (*generator).hash},
	{"grant", 25, (*generator).grant},
	{"revoke", 15, func(g *generator) { g.request(&pb.LeaseRevokeRequest{ID: g.lease()}) }},
	{"ttl", 15, func(g *generator) { g.request(&pb.LeaseTimeToLiveRequest{ID: g.lease(), Keys: g.one(2)}) }},
	{"leases", 5, func(g *generator) { g.request(&pb.LeaseLeasesRequest{}) }},
	{"keepalive", 10, func(g *generator) { g.note("keep-alive"); g.keepAlive(g.lease(), g.lease()) }},
	{"watch", 40, (*generator).create},
	{"cancel", 15, (*generator).cancel},
	{"compacted watch", 4, (*generator).createCompacted},
	{"status", 2, func(g *generator) { g.request(&pb.StatusRequest{}) }},
	{"members", 1, func(g *generator) { g.request(&pb.MemberListRequest{}) }},
	{"alarms", 1, func(g *generator) { g.request(&pb.AlarmRequest{}) }},
}

// one is true once in n.
func (g *generator) one(n int) bool { return g.rng.IntN(n) == 0 }

func (g *generator) note(s string) {
	if g.last = append(g.last, s); len(g.last) > shown {
		g.last = g.last[1:]
	}
}

func (g *generator) request(req proto.Message) outcome {
	g.note(show(req))
	return g.do(req)
}

func (g *generator) rangeStream() {
	r := g.rangeOf()
	if !g.one(4) { // what it does not serve only now and then
		r.SortOrder, r.SortTarget = pb.RangeRequest_NONE, pb.RangeRequest_KEY
		r.MinModRevision, r.MaxModRevision, r.MinCreateRevision, r.MaxCreateRevision = 0, 0, 0, 0
	}
	g.note("streamed " + show(r))
	g.stream(r)
}

var keys = []string{"a", "a\x00", "aa", "ab", "b", "b/", "b/1", "b/2", "b/3", "b/\xff", "b0", "c", "d", "\x00", "\xff", "\xff\xff", "é"}

func (g *generator) key() []byte {
	if g.one(100) {
		return nil
	}
	return []byte(keys[g.rng.IntN(len(keys))])
}

// end draws the end of a range, most often none.
func (g *generator) end(key []byte) []byte {
	switch g.rng.IntN(8) {
	case 0:
		return []byte{0}
	case 1:
		return g.key()
	case 2:
		return append(key[:len(key):len(key)], 0)
	case 3: // the end of a prefix
		return append(key[:len(key):len(key)], 0xff)
	default:
		return nil
	}
}

func (g *generator) value() []byte {
	switch g.rng.IntN(20) {
	case 0:
		return nil
	case 1:
		return make([]byte, g.rng.IntN(4096))
	default:
		return fmt.Appendf(nil, "%d", g.rng.IntN(10))
	}
}

// revision draws one that requests may name: most often none, else one that is
// there, now and then one that is compacted or in the future.
func (g *generator) revision() int64 {
	switch g.rng.IntN(10) {
	case 0:
		return g.rev
	case 1, 2:
		return g.past()
	case 3:
		return g.rev + int64(g.rng.IntN(12)) - 8
	case 4:
		return g.compacted + int64(g.rng.IntN(5)) - 2
	case 5:
		if g.one(4) {
			return int64(g.rng.IntN(3)) - 3
		}
		return 0
	default:
		return 0
	}
}

// past draws a revision that is not compacted.
func (g *generator) past() int64 {
	from := max(g.compacted, 1)
	return from + g.rng.Int64N(g.rev-from+1)
}

// lease draws an ID: one of a few that clients choose, one that the server chose, one that is nobody's.
func (g *generator) lease() int64 {
	switch {
	case g.one(20):
		return 999
	case g.chosen > 0 && g.one(3):
		return firstToken + g.rng.Int64N(g.chosen)
	default:
		return 1 + g.rng.Int64N(5)
	}
}

func (g *generator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: g.value(), PrevKv: g.one(3)}
	switch g.rng.IntN(12) {
	case 0:
		r.IgnoreValue = true
		if !g.one(10) {
			r.Value = nil
		}
	case 1:
		r.IgnoreLease = true
	case 2:
		r.IgnoreLease, r.IgnoreValue, r.Value = true, true, nil
	}
	if g.one(5) && (!r.IgnoreLease || g.one(10)) {
		r.Lease = g.lease()
	}
	return r
}

func (g *generator) delete() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{Key: g.key(), PrevKv: g.one(3)}
	if !g.one(3) {
		r.RangeEnd = g.end(r.Key)
	}
	return r
}

func (g *generator) rangeOf() *pb.RangeRequest {
	r := &pb.RangeRequest{Key: g.key(), Revision: g.revision(), Serializable: g.one(4), KeysOnly: g.one(6), CountOnly: g.one(8)}
	r.RangeEnd = g.end(r.Key)
	if g.one(2) {
		r.RangeEnd = []byte{0}
	}
	if g.one(3) {
		r.Limit = int64(g.rng.IntN(8)) - 1
	}
	if g.one(4) {
		r.SortOrder, r.SortTarget = pb.RangeRequest_SortOrder(g.rng.IntN(3)), pb.RangeRequest_SortTarget(g.rng.IntN(5))
		if g.one(20) {
			r.SortOrder += 3
		}
	}
	for _, filter := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.one(12) {
			*filter = g.rev - int64(g.rng.IntN(30))
		}
	}
	return r
}

func (g *generator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.rng.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	for _, branch := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		for range g.rng.IntN(5) {
			*branch = append(*branch, g.op(depth))
		}
	}
	return r
}

// spareEtcd gives an end to deletes without one in a transaction that puts as
// well: see the package comment. The tables have the cases that etcd bears.
func spareEtcd(r *pb.TxnRequest) *pb.TxnRequest {
	var puts bool
	var endless []*pb.DeleteRangeRequest
	var visit func(r *pb.TxnRequest)
	visit = func(r *pb.TxnRequest) {
		for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
			for _, op := range branch {
				puts = puts || op.GetRequestPut() != nil
				if d := op.GetRequestDeleteRange(); string(d.GetRangeEnd()) == "\x00" {
					endless = append(endless, d)
				}
				if t := op.GetRequestTxn(); t != nil {
					visit(t)
				}
			}
		}
	}
	visit(r)
	if puts {
		for _, d := range endless {
			d.RangeEnd = []byte("\xff\xff\xff")
		}
	}
	return r
}

func (g *generator) op(depth int) *pb.RequestOp {
	switch g.rng.IntN(8) {
	case 0, 1, 2:
		return op(g.put())
	case 3, 4:
		return op(g.delete())
	case 5:
		if depth > 0 {
			return op(g.txn(depth - 1))
		}
		return op(g.put())
	case 6:
		if g.one(200) {
			return op(nil)
		}
	}
	r := g.rangeOf()
	if !g.one(4) {
		r.Revision = 0 // else nearly every transaction fails
	}
	return op(r)
}

func (g *generator) compare() *pb.Compare {
	c := &pb.Compare{Key: g.key(), Result: pb.Compare_CompareResult(g.rng.IntN(4)), Target: pb.Compare_CompareTarget(g.rng.IntN(5))}
	if g.one(3) {
		c.RangeEnd = g.end(c.Key)
	}
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.rng.IntN(4))}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: max(g.rev-int64(g.rng.IntN(20)), 0) * int64(g.rng.IntN(2))}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: max(g.rev-int64(g.rng.IntN(20)), 0) * int64(g.rng.IntN(2))}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		id := g.lease() * int64(g.rng.IntN(2))
		if id >= firstToken && c.Result != pb.Compare_EQUAL {
			c.Result = pb.Compare_NOT_EQUAL // which one is greater is chance
		}
		c.TargetUnion = &pb.Compare_Lease{Lease: id}
	}
	return c
}

func (g *generator) grant() {
	r := &pb.LeaseGrantRequest{ID: 1 + g.rng.Int64N(5), TTL: 1000 * (1 + g.rng.Int64N(9))}
	if g.one(4) {
		r.ID = 0
	}
	if out := g.request(r); out.err == nil && r.ID == 0 {
		g.chosen++
	}
}

// hash asks for a hash. What etcd says of a revision that was compacted at is a
// listed difference.
func (g *generator) hash() {
	r := &pb.HashKVRequest{Revision: g.revision()}
	if r.Revision > 0 && r.Revision <= g.compacted {
		r.Revision = 0
	}
	g.request(r)
}

// compact compacts, after all watches have been sent all: whether one that
// lags is cut off depends on timing.
func (g *generator) compact() {
	for _, w := range g.watches {
		if w != nil {
			g.settleStream(w)
		}
	}
	r := &pb.CompactionRequest{Revision: g.past(), Physical: g.one(2)}
	if g.one(5) {
		r.Revision = g.rev + int64(g.rng.IntN(10)) - 5
	}
	r.Revision = max(r.Revision, 1) // 0 is a listed difference
	if out := g.request(r); out.err == nil {
		g.compacted = r.Revision
	}
}

// watchRequest draws a watch from start on.
func (g *generator) watchRequest(start int64) *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{Key: g.key(), StartRevision: start, PrevKv: g.one(2), ProgressNotify: g.one(4), Fragment: g.one(4)}
	r.RangeEnd = g.end(r.Key)
	if g.one(2) {
		r.RangeEnd = []byte{0}
	}
	for range g.rng.IntN(3) / 2 {
		r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(g.rng.IntN(2)))
	}
	if g.one(6) {
		r.WatchId = int64(g.rng.IntN(5))
	}
	return r
}

// create adds a watch to one of the streams.
func (g *generator) create() {
	i := g.rng.IntN(streams)
	w := g.watches[i]
	if w != nil && w.created == maxWatches {
		g.compareStream(w)
		w.close()
		w = nil
	}
	if w == nil {
		w = &watchState{watching: g.watch()}
		g.watches[i] = w
	}
	var start int64
	switch {
	case i == streams-1:
		start = g.rev + 1 + int64(g.rng.IntN(12))
	case g.one(3):
		start = g.past()
	}
	r := g.watchRequest(start)
	g.note(fmt.Sprintf("on stream %d: %s", i, show(r)))
	w.create(r)
	w.created++
	w.etcd.mu.Lock()
	resp := w.etcd.control[len(w.etcd.control)-1].(*pb.WatchResponse)
	w.etcd.mu.Unlock()
	if !resp.Canceled {
		w.active = append(w.active, resp.WatchId)
		w.ready = max(w.ready, start)
	}
}

// cancel ends one watch.
func (g *generator) cancel() {
	i := g.rng.IntN(streams)
	w := g.watches[i]
	if w == nil || len(w.active) == 0 || w.ready > g.rev {
		return
	}
	g.settleStream(w)
	n := g.rng.IntN(len(w.active))
	id := w.active[n]
	w.active = append(w.active[:n], w.active[n+1:]...)
	g.note(fmt.Sprintf("on stream %d: cancel %d", i, id))
	w.cancel(id)
}

// createCompacted makes a watch that starts too early, on a stream of its own.
func (g *generator) createCompacted() {
	if g.compacted < 2 {
		return
	}
	r := g.watchRequest(1 + g.rng.Int64N(g.compacted-1))
	w := g.watch()
	g.note("compacted " + show(r))
	w.create(r)
	w.etcd.mu.Lock()
	refused := w.etcd.control[0].(*pb.WatchResponse).Canceled
	w.etcd.mu.Unlock()
	if !refused {
		w.waitHistory(1)
	}
	w.compare()
	w.close()
}

// settleStream waits until all that the stream is owed has come.
func (g *generator) settleStream(w *watchState) {
	if len(w.active) > 0 && w.ready <= g.rev && !g.t.Failed() {
		w.p.rev = g.rev
		w.settle()
	}
}

func (g *generator) compareStream(w *watchState) {
	g.settleStream(w)
	w.compare()
}
