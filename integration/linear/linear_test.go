package linear

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
)

var (
	seed  = flag.Uint64("linear.seed", 0, "seed of the clients' choices and the kill times; 0 picks one")
	lives = flag.Int("linear.lives", 5, "how often the node is started; all but the last end with kill -9")
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	clients = 6
	// Each key is written by the node's clients; shared ones by the other node as well.
	ownKeys, sharedKeys = 3, 2
	// A life lasts between minLife and maxLife.
	minLife, maxLife = 500 * time.Millisecond, 1500 * time.Millisecond
	// remotePause is between two writes of the other node.
	remotePause = 2 * time.Millisecond
	// otherValue is what the other node writes to keys of its own.
	otherValue = "other"
	// checkTimeout bounds porcupine, which takes milliseconds unless there is a violation.
	checkTimeout = time.Minute
)

// TestLinearizable runs clients against a node that is killed again and again
// while another node writes, and checks what they saw: the founder of a mesh,
// and one that joined it.
func TestLinearizable(t *testing.T) {
	for _, joined := range []bool{false, true} {
		name := map[bool]string{false: "founder", true: "joined"}[joined]
		t.Run(name, func(t *testing.T) {
			founder, joiner := harness.NewNode(t), harness.NewNode(t)
			founder.Start()
			joiner.Join(founder)
			joiner.Start()
			node, other := founder, joiner
			if joined {
				node, other = joiner, founder
			}
			check(t, node, other)
		})
	}
}

// check has the running nodes of one mesh worked on, node by clients and kills.
func check(t *testing.T, node, other *harness.Node) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-linear.seed %d", s)
	rng := rand.New(rand.NewPCG(s, 0))
	h := &history{t: t, start: time.Now(), events: map[string]event{}, seen: revision(t, node)}
	ctx, stop := context.WithCancel(t.Context())
	var remote sync.WaitGroup
	remote.Go(func() { h.remote(ctx, other.KV()) })
	for life := range *lives {
		if life > 0 {
			node.Start()
		}
		h.live(node, rng, minLife+time.Duration(rng.Int64N(int64(maxLife-minLife))), life < *lives-1)
	}
	stop()
	remote.Wait()
	harness.WaitEqual(t, harness.StartTimeout, node, other)
	h.catchUp(node)
	node.Stop()
	other.Stop()
	h.verify(s)
}

// revision returns the present revision of a node.
func revision(t *testing.T, node *harness.Node) int64 {
	t.Helper()
	resp, err := node.KV().Range(t.Context(), &pb.RangeRequest{Key: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

// record is an operation and what is known of it.
type record struct {
	client       int
	in           input
	out          output
	call, finish int64 // nanoseconds since the start; finish is 0 while there is no answer
	remote       bool
}

// event is a change that the watch showed.
type event struct {
	key      string
	revision int64
	seen     int64 // nanoseconds since the start
	deleted  bool
}

// history collects what the clients do and the watch shows.
type history struct {
	t     *testing.T
	start time.Time

	mu      sync.Mutex
	records []*record
	events  map[string]event // by value
	deletes []event
	seen    int64 // revision up to which the watch has come
	values  int
}

func (h *history) now() int64 { return time.Since(h.start).Nanoseconds() }

// begin notes the call of an operation.
func (h *history) begin(client int, in input, remote bool) *record {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.action == put || in.action == swap {
		h.values++
		in.value = fmt.Sprint(h.values)
	}
	r := &record{client: client, in: in, call: h.now(), remote: remote}
	h.records = append(h.records, r)
	return r
}

// end notes its answer.
func (h *history) end(r *record, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.out, r.finish = out, h.now()
}

// live runs the clients and the watch against a running node, for a while,
// and kills it if kill.
func (h *history) live(node *harness.Node, rng *rand.Rand, life time.Duration, kill bool) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var wg sync.WaitGroup
	for client := range clients {
		choices := rand.New(rand.NewPCG(rng.Uint64(), 0))
		wg.Go(func() { h.client(ctx, node.KV(), client, choices) })
	}
	watching, unwatch := context.WithCancel(h.t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { h.watch(watching, node.Watch(), 0) })
	time.Sleep(life)
	if kill {
		node.Kill()
	}
	cancel()
	wg.Wait()
	unwatch()
	watch.Wait()
}

// client does one thing after the other until it fails or ctx is done. It
// finishes what it began: only a killed node leaves an operation without an answer.
func (h *history) client(ctx context.Context, kv pb.KVClient, id int, rng *rand.Rand) {
	known := map[string]int64{} // mod revisions as last seen, 0 if absent
	for ctx.Err() == nil {
		key := fmt.Sprintf("own/%d", rng.IntN(ownKeys))
		if rng.IntN(3) == 0 {
			key = fmt.Sprintf("shared/%d", rng.IntN(sharedKeys))
		}
		in := input{key: key}
		switch n := rng.IntN(10); {
		case n < 3:
			in.action = get
		case n < 5:
			in.action = put
		case n < 6:
			in.action = remove
		default:
			in.action, in.expect = swap, known[key]
		}
		r := h.begin(id, in, false)
		out, mod, err := do(kv, r.in)
		if err != nil {
			return
		}
		h.end(r, out)
		known[key] = mod
	}
}

// do makes the request and returns the answer and the mod revision that the
// key was left with.
func do(kv pb.KVClient, in input) (output, int64, error) {
	ctx := context.Background() // killed or not, the node answers or the connection breaks
	key := []byte(in.key)
	switch in.action {
	case put:
		resp, err := kv.Put(ctx, &pb.PutRequest{Key: key, Value: []byte(in.value)})
		rev := resp.GetHeader().GetRevision()
		return output{revision: rev, done: true}, rev, err
	case remove:
		resp, err := kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: key})
		return output{revision: resp.GetHeader().GetRevision(), done: resp.GetDeleted() > 0}, 0, err
	case swap:
		resp, err := kv.Txn(ctx, &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: in.expect}}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: []byte(in.value)}}}},
			Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}},
		})
		if err != nil {
			return output{}, 0, err
		}
		if resp.Succeeded {
			return output{revision: resp.Header.Revision, done: true}, resp.Header.Revision, nil
		}
		out := read(resp.Header, resp.Responses[0].GetResponseRange())
		return out, out.mod, nil
	default:
		resp, err := kv.Range(ctx, &pb.RangeRequest{Key: key})
		if err != nil {
			return output{}, 0, err
		}
		out := read(resp.Header, resp)
		return out, out.mod, nil
	}
}

func read(h *pb.ResponseHeader, r *pb.RangeResponse) output {
	out := output{revision: h.Revision}
	if len(r.Kvs) > 0 {
		out.value, out.mod = string(r.Kvs[0].Value), r.Kvs[0].ModRevision
	}
	return out
}

// remote writes at the other node, to the shared keys and to keys of its own,
// until ctx is done.
func (h *history) remote(ctx context.Context, kv pb.KVClient) {
	for i := 0; ctx.Err() == nil; i++ {
		key, value := fmt.Sprintf("other/%d", i%10), otherValue
		if i%4 == 0 {
			key = fmt.Sprintf("shared/%d", i/4%sharedKeys)
			value = h.begin(clients, input{key: key, action: put}, true).in.value
		}
		if _, err := kv.Put(context.Background(), &pb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
			h.t.Errorf("put at the other node: %v", err)
			return
		}
		time.Sleep(remotePause)
	}
}

// watch follows the keys of the model from the last revision seen on, until
// the stream ends or revision until has come (0: for ever).
func (h *history) watch(ctx context.Context, client pb.WatchClient, until int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Watch(ctx)
	if err != nil {
		return
	}
	err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: h.seen + 1}}})
	for err == nil && (until == 0 || h.seen < until) {
		var resp *pb.WatchResponse
		if resp, err = stream.Recv(); err != nil {
			return
		}
		if resp.Canceled {
			h.t.Errorf("watch from %d cancelled: %s (compact revision %d)", h.seen+1, resp.CancelReason, resp.CompactRevision)
			return
		}
		h.mu.Lock()
		for _, e := range resp.Events {
			ev := event{key: string(e.Kv.Key), revision: e.Kv.ModRevision, seen: h.now(), deleted: e.Kv.Version == 0}
			h.seen = ev.revision
			if ev.deleted {
				h.deletes = append(h.deletes, ev)
			} else if value := string(e.Kv.Value); value != otherValue {
				if first, ok := h.events[value]; ok {
					h.t.Errorf("%s = %s became visible at revision %d, and again at %d", ev.key, value, first.revision, ev.revision)
				}
				h.events[value] = ev
			}
		}
		h.mu.Unlock()
	}
}

// catchUp lets the watch come to the present.
func (h *history) catchUp(node *harness.Node) {
	h.t.Helper()
	present := revision(h.t, node)
	ctx, cancel := context.WithTimeout(h.t.Context(), harness.StartTimeout)
	defer cancel()
	h.watch(ctx, node.Watch(), present)
	if h.seen != present {
		h.t.Fatalf("the watch came to revision %d of %d", h.seen, present)
	}
}

// verify completes the history by what the watch showed, and checks it.
func (h *history) verify(seed uint64) {
	ops, unanswered, merges := h.operations()
	h.t.Logf("%d operations, of them %d unanswered ones with an effect and %d merges", len(ops), unanswered, merges)
	if merges == 0 {
		h.t.Error("no put of the other node was merged: the run shows nothing")
	}
	h.checkRevisions(ops)
	chain(ops)
	result, info := porcupine.CheckOperationsVerbose(model, ops, checkTimeout)
	if result == porcupine.Ok {
		return
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("causeway-linear-%d.html", seed))
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		h.t.Error(err)
	}
	h.t.Errorf("the history is not linearizable (%s); see %s", result, path)
}

// operations returns the history for porcupine.
func (h *history) operations() (ops []porcupine.Operation, unanswered, merges int) {
	add := func(r *record) {
		ops = append(ops, porcupine.Operation{ClientId: r.client, Input: r.in, Call: r.call, Output: r.out, Return: r.finish})
	}
	answered := map[int64]bool{} // revisions of deletes
	firstDelete := map[string]int64{}
	for _, r := range h.records {
		if ev, ok := h.events[r.in.value]; ok && r.in.value != "" && (r.finish == 0 || r.remote) {
			// The event vouches for it: it happened in between.
			r.out, r.finish = output{revision: ev.revision, done: true}, ev.seen
			if r.remote {
				merges++
			} else {
				unanswered++
			}
		} else if r.finish == 0 || r.remote {
			if r.in.action == remove && (firstDelete[r.in.key] == 0 || r.call < firstDelete[r.in.key]) {
				firstDelete[r.in.key] = r.call
			}
			continue // no effect, or one that is told below
		}
		if ev, ok := h.events[r.in.value]; r.out.done && r.in.action != remove && (!ok || ev.revision != r.out.revision) {
			h.t.Errorf("%s of %s was answered with revision %d; the watch showed it at %d (0: never)", r.in.action, r.in.key, r.out.revision, ev.revision)
		}
		if r.in.action == remove && r.out.done {
			answered[r.out.revision] = true
		}
		add(r)
	}
	// Deletes that nobody was told of: by one of those that were not answered.
	for _, ev := range h.deletes {
		if call := firstDelete[ev.key]; !answered[ev.revision] {
			if call == 0 || call > ev.seen {
				h.t.Errorf("%s was deleted at revision %d by nobody", ev.key, ev.revision)
				continue
			}
			add(&record{client: clients, in: input{key: ev.key, action: remove}, out: output{revision: ev.revision, done: true}, call: call, finish: ev.seen})
			unanswered++
		}
	}
	return ops, unanswered, merges
}

// checkRevisions checks over all keys that an answer's revision is no less than
// any that was answered before its call, and that a write's own is greater.
func (h *history) checkRevisions(ops []porcupine.Operation) {
	byReturn := slices.SortedFunc(slices.Values(ops), func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	byCall := slices.SortedFunc(slices.Values(ops), func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	writers := map[int64]input{}
	var before int64
	for _, op := range byCall {
		for len(byReturn) > 0 && byReturn[0].Return < op.Call {
			before = max(before, byReturn[0].Output.(output).revision)
			byReturn = byReturn[1:]
		}
		in, out := op.Input.(input), op.Output.(output)
		if out.revision < before {
			h.t.Errorf("%s of %s at revision %d, after an answer at %d", in.action, in.key, out.revision, before)
		}
		if !out.done {
			continue
		}
		if out.revision == before {
			h.t.Errorf("%s of %s made revision %d, which was answered before", in.action, in.key, out.revision)
		}
		if w, ok := writers[out.revision]; ok {
			h.t.Errorf("%v and %v both made revision %d", w, in, out.revision)
		}
		writers[out.revision] = in
	}
}
