package watchers

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/integration/harness"
)

const (
	root       = "/watched/"
	prefixes   = 1000
	perPrefix  = 10 // keys of a prefix
	keys       = prefixes * perPrefix
	writers    = 64 // puts under way at one time, at most
	writeConns = 4
)

func prefixName(p int) string { return fmt.Sprintf("%s%04d/", root, p) }

func keyName(k int) string { return fmt.Sprintf("%s%d", prefixName(k/perPrefix), k%perPrefix) }

// keyNumber returns the number of a key, -1 if name is none of them.
func keyNumber(name string) int {
	rest, ok := strings.CutPrefix(name, root)
	p, d, found := strings.Cut(rest, "/")
	if !ok || !found {
		return -1
	}
	i, err1 := strconv.Atoi(p)
	j, err2 := strconv.Atoi(d)
	if err1 != nil || err2 != nil || i*perPrefix+j >= keys {
		return -1
	}
	return i*perPrefix + j
}

// written is one write that was answered.
type written struct {
	revision int64
	key      int
	number   uint64 // in the value
}

// A record is what was written in a run: what the watchers are held to.
type record struct {
	value  int            // size of values in bytes
	began  []atomic.Int64 // when each write began, in nanoseconds
	writes []written      // by number, later by revision
	took   time.Duration
}

// newRecord returns the record of n writes that are yet to be made.
func newRecord(n, value int) *record {
	return &record{value: value, began: make([]atomic.Int64, n), writes: make([]written, n)}
}

// write puts random keys, rate a second.
func (r *record) write(t *testing.T, addr string, rate int) {
	t.Helper()
	kvs := make([]pb.KVClient, writeConns)
	for i := range kvs {
		kvs[i] = pb.NewKVClient(dial(t, addr))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	chosen := make([]int, len(r.writes))
	for i := range chosen {
		chosen[i] = rng.IntN(keys)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(r.writes)) {
					return
				}
				due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
				time.Sleep(time.Until(due))
				v := make([]byte, r.value)
				binary.BigEndian.PutUint64(v, uint64(i))
				r.began[i].Store(time.Now().UnixNano())
				resp, err := kvs[w%writeConns].Put(t.Context(), &pb.PutRequest{Key: []byte(keyName(chosen[i])), Value: v})
				if err != nil {
					t.Errorf("put: %v", err)
					return
				}
				r.writes[i] = written{resp.Header.Revision, chosen[i], uint64(i)}
			}
		})
	}
	wg.Wait()
	r.took = time.Since(start)
	if t.Failed() {
		t.FailNow()
	}
	slices.SortFunc(r.writes, func(a, b written) int { return cmp.Compare(a.revision, b.revision) })
}

// last returns the revision of the last write.
func (r *record) last() int64 { return r.writes[len(r.writes)-1].revision }

func (r *record) bytes() int64 { return int64(len(r.writes)) * int64(r.value) }

// trace is what a watcher keeps of the events it was sent: enough to tell
// whether they are those expected, each once and in order.
type trace struct {
	events int
	sum    uint64
}

func (t *trace) add(revision int64, number uint64) {
	t.events++
	t.sum = (t.sum ^ uint64(revision)*0x9e3779b97f4a7c15 ^ number) * 0x100000001b3
}

// expected are the traces of the watchers of everything, of each prefix, of each key.
type expected struct {
	all    trace
	prefix [prefixes]trace
	key    [keys]trace
}

// expect returns what the watchers of each range must have been sent.
func (r *record) expect() *expected {
	e := new(expected)
	for _, w := range r.writes {
		e.all.add(w.revision, w.number)
		e.prefix[w.key/perPrefix].add(w.revision, w.number)
		e.key[w.key].add(w.revision, w.number)
	}
	return e
}

// of returns the trace of a span.
func (e *expected) of(s span) trace {
	switch s.kind {
	case spanPrefix:
		return e.prefix[s.number]
	case spanKey:
		return e.key[s.number]
	default:
		return e.all
	}
}

// dial returns a connection that is closed with the test.
func dial(t *testing.T, addr string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("passthrough:///"+addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// revision returns the node's revision.
func revision(t *testing.T, n *harness.Node) int64 {
	t.Helper()
	resp, err := n.KV().Range(context.Background(), &pb.RangeRequest{Key: []byte("none")})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

// first returns the trace of the first n writes.
func (r *record) first(n int) trace {
	var t trace
	for _, w := range r.writes[:min(n, len(r.writes))] {
		t.add(w.revision, w.number)
	}
	return t
}
