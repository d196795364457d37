package watchers

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/causeway-sync/causeway/integration/harness"
)

// gate is a connection's reading side that can be shut: then nothing is taken
// from the socket, and the TCP window fills.
type gate struct {
	net.Conn
	shut   sync.RWMutex
	isShut bool // for open
}

// halt stops reading; open lets it go on, if it was stopped.
func (g *gate) halt() {
	g.shut.Lock()
	g.isShut = true
}

func (g *gate) open() {
	if g.isShut {
		g.isShut = false
		g.shut.Unlock()
	}
}

func (g *gate) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.shut.RLock() // held for writing while shut
	defer g.shut.RUnlock()
	return n, err
}

// laggard is a watcher of the whole keyspace that stops reading for a while.
type laggard struct {
	*stream
	conn *grpc.ClientConn
	gate *gate // nil: it leaves its messages to gRPC, and its stream's window fills
}

// newLaggards opens n watchers, every other one of which shuts its socket.
func newLaggards(t *testing.T, node *harness.Node, n int) []*laggard {
	t.Helper()
	from := revision(t, node) + 1
	all := make([]*laggard, n)
	for i := range all {
		l := new(laggard)
		var options []grpc.DialOption
		if i%2 == 0 {
			options = append(options, grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
				l.gate = &gate{Conn: c}
				return l.gate, err
			}))
		}
		l.conn = dial(t, node.Client, options...)
		l.stream = open(t, pb.NewWatchClient(l.conn), from, []*watch{{}})
		if l.gate != nil {
			l.gate.halt()
			t.Cleanup(l.gate.open) // before the connection is closed, which waits for its reader
		}
		all[i] = l
	}
	return all
}

// resume lets the laggards read again, all they missed or until they are told
// that it is compacted.
func resume(t *testing.T, all []*laggard, last int64) {
	t.Helper()
	f := new(fleet)
	for _, l := range all {
		if l.gate != nil {
			l.gate.open()
		}
		f.streams = append(f.streams, l.stream)
	}
	f.start(nil)
	f.finish(t, last, patience)
}

// TestStalledWatchers lets some watchers of the whole keyspace stop reading.
// The node's memory must stay within a bound, the others must not wait for
// them, and once they read again they must get everything, or be told that it
// was compacted.
func TestStalledWatchers(t *testing.T) {
	needProc(t)
	s := chosen()
	const value = 32 << 10
	rate := s.rate / 2
	n := harness.NewNode(t)
	n.Start()

	healthy := newFleet(t, n, size{watchers: 200, whole: 10, streams: 20, conns: 4})
	laggards := newLaggards(t, n, s.stalled)
	r := newRecord(int(float64(rate)*s.stall.Seconds()), value)
	before := used(t, n)
	healthy.start(r.began)
	r.write(t, n.Client, rate)
	rest := healthy.finish(t, r.last(), patience)
	after := used(t, n)
	want := r.expect()
	healthy.check(t, want)
	p50, p99 := healthy.latencies()
	if p99 > 5*time.Second {
		t.Errorf("events at the others: p50 %v, p99 %v", p50, p99)
	}

	// What may be held: the history, which all watchers share (twice, as the log's
	// write buffers and the request's own copy come on top), and per stalled
	// watcher one response of up to 1 MiB (docs/etcd.md, "Watches") as events and
	// as it is encoded for gRPC; all that three times, since the garbage collector
	// lets the heap double before it collects, and returns memory by and by. A buffer
	// per watcher that is not bounded would hold everything written, once for each.
	history := 2 * r.bytes()
	bound := before.RSS + 3*(history+int64(s.stalled)*2<<20) + 64<<20
	unbounded := int64(s.stalled) * r.bytes()
	if unbounded < 2*bound {
		t.Fatalf("the run is too small to tell: %d MiB for each of %d stalled watchers, bound %d MiB", r.bytes()>>20, s.stalled, bound>>20)
	}
	if after.Peak > bound {
		t.Errorf("RSS of the node grew from %d MiB to %d MiB, more than %d MiB", before.RSS>>20, after.Peak>>20, bound>>20)
	}
	t.Logf("%d watchers stalled while %d MiB were written at %.0f/s: RSS %d MiB before, %d MiB at most (bound %d MiB, unbounded %d MiB)",
		s.stalled, r.bytes()>>20, float64(len(r.writes))/r.took.Seconds(), before.RSS>>20, after.Peak>>20, bound>>20, unbounded>>20)
	t.Logf("the others: p50 %v, p99 %v, the last event %v after the last answer", p50.Round(time.Microsecond), p99.Round(time.Microsecond), rest.Round(time.Millisecond))

	// The first half reads again: nothing is missing.
	patient, late := laggards[:s.stalled/2], laggards[s.stalled/2:]
	start := time.Now()
	resume(t, patient, r.last())
	for i, l := range patient {
		if err := l.watches[0].check(want); err != nil {
			t.Errorf("watcher %d, back after %v: %v", i, r.took, err)
		}
	}
	t.Logf("%d read again: everything within %v", len(patient), time.Since(start).Round(time.Millisecond))

	// What the others missed is compacted: they are told, after a part without holes.
	compact := &pb.CompactionRequest{Revision: r.last(), Physical: true}
	if _, err := n.KV().Compact(t.Context(), compact); err != nil {
		t.Fatal(err)
	}
	resume(t, late, r.last())
	for i, l := range late {
		w := l.watches[0]
		switch {
		case w.fault != "":
			t.Errorf("late watcher %d: %s", i, w.fault)
		case w.ended == nil || w.ended.CompactRevision != r.last():
			t.Errorf("late watcher %d ended with %v, want canceled with compact revision %d", i, w.ended, r.last())
		case w.trace != r.first(w.events):
			t.Errorf("late watcher %d was sent %d events that are not the first ones", i, w.events)
		}
	}
	n.Stop()
}
