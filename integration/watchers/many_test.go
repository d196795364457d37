package watchers

import (
	"math/rand/v2"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/usage"
)

// patience is how long a node may take to send what is left when the writing
// has ended. It is for busy machines: an idle one needs milliseconds.
const patience = time.Minute

// newFleet opens watchers of the whole keyspace, of prefixes and of keys,
// spread evenly over the streams.
func newFleet(t *testing.T, n *harness.Node, s size) *fleet {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	perStream := make([][]*watch, s.streams)
	for i := range s.watchers {
		w := new(watch)
		switch {
		case i < s.whole:
			w.span = span{kind: spanAll}
		case i%2 == 0:
			w.span = span{spanPrefix, rng.IntN(prefixes)}
		default:
			w.span = span{spanKey, rng.IntN(keys)}
		}
		perStream[i%s.streams] = append(perStream[i%s.streams], w)
	}
	clients := make([]pb.WatchClient, s.conns)
	for i := range clients {
		clients[i] = pb.NewWatchClient(dial(t, n.Client))
	}
	f := new(fleet)
	from := revision(t, n) + 1
	for i, watches := range perStream {
		f.streams = append(f.streams, open(t, clients[i%s.conns], from, watches))
	}
	return f
}

// TestManyWatchers lets a whole site's worth of watchers watch while clients write.
func TestManyWatchers(t *testing.T) {
	needProc(t)
	s := chosen()
	n := harness.NewNode(t)
	n.Start()
	start := time.Now()
	f := newFleet(t, n, s)
	created := time.Since(start)

	r := newRecord(int(float64(s.rate)*s.duration.Seconds()), 128)
	before := used(t, n)
	f.start(r.began)
	r.write(t, n.Client, s.rate)
	rest := f.finish(t, r.last(), patience)
	after := used(t, n)
	events := f.check(t, r.expect())

	seconds := (r.took + rest).Seconds()
	p50, p99 := f.latencies()
	t.Logf("%d watchers (%d of the whole keyspace) on %d streams of %d connections, created in %v",
		s.watchers, s.whole, s.streams, s.conns, created.Round(time.Millisecond))
	t.Logf("%d writes in %v (%.0f/s), %d events (%.0f/s), the last %v after the last answer",
		len(r.writes), r.took.Round(time.Millisecond), float64(len(r.writes))/r.took.Seconds(), events, float64(events)/seconds, rest.Round(time.Millisecond))
	t.Logf("from the beginning of a put to its event: p50 %v, p99 %v", p50.Round(time.Microsecond), p99.Round(time.Microsecond))
	t.Logf("node: %.2f cores, %.1f µs of CPU per event; RSS %d MiB before, %d MiB after",
		(after.CPU-before.CPU).Seconds()/seconds, float64((after.CPU-before.CPU).Microseconds())/float64(events), before.RSS>>20, after.RSS>>20)
	n.Stop()
}

func used(t *testing.T, n *harness.Node) usage.Usage {
	t.Helper()
	u, err := usage.Of(n.PID())
	if err != nil {
		t.Fatal(err)
	}
	return u
}
