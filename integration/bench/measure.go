package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/integration/rival"
)

// measurement is what one server did in one round.
type measurement struct {
	loaded load // all clients
	single load // one client
}

// load is one closed-loop run.
type load struct {
	perSecond float64
	p50, p99  time.Duration
}

func (m measurement) String() string {
	return fmt.Sprintf("%8.0f puts/s  p50 %7.2f ms  p99 %7.2f ms   one client: %6.0f puts/s  p50 %6.3f ms  p99 %6.3f ms",
		m.loaded.perSecond, ms(m.loaded.p50), ms(m.loaded.p99), m.single.perSecond, ms(m.single.p50), ms(m.single.p99))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measure runs s on dir and removes dir afterwards.
func measure(ctx context.Context, s rival.Server, dir string, o options) (measurement, error) {
	p, err := rival.Start(ctx, s, dir)
	if err != nil {
		return measurement{}, err
	}
	defer os.RemoveAll(dir)
	defer p.Stop()
	var m measurement
	if m.loaded, err = drive(ctx, p.Addr, o.clients, o.conns, o); err != nil {
		return m, err
	}
	m.single, err = drive(ctx, p.Addr, 1, 1, o)
	return m, err
}

// drive puts from clients closed-loop clients on conns connections.
func drive(ctx context.Context, addr string, clients, conns int, o options) (load, error) {
	kvs := make([]pb.KVClient, conns)
	for i := range kvs {
		conn, err := rival.Dial(addr)
		if err != nil {
			return load{}, err
		}
		defer conn.Close()
		kvs[i] = pb.NewKVClient(conn)
	}
	ctx, cancel := context.WithTimeout(ctx, o.warmup+o.duration)
	defer cancel()
	from := time.Now().Add(o.warmup)
	latencies := make([][]time.Duration, clients)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			var err error
			if latencies[c], err = putUntil(ctx, kvs[c%conns], from, uint64(c), o); err != nil {
				failed.CompareAndSwap(nil, &err)
				cancel()
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return load{}, *err
	}
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		return load{}, fmt.Errorf("no put was answered within %v", o.duration)
	}
	slices.Sort(all)
	return load{float64(len(all)) / o.duration.Seconds(), all[len(all)/2], all[len(all)*99/100]}, nil
}

// putUntil puts random keys until ctx ends and returns the latencies of those begun after from.
func putUntil(ctx context.Context, kv pb.KVClient, from time.Time, client uint64, o options) ([]time.Duration, error) {
	rnd := rand.New(rand.NewPCG(client, 1))
	value := make([]byte, o.value)
	var took []time.Duration
	for {
		binary.LittleEndian.PutUint64(value[:min(8, len(value)):8], rnd.Uint64())
		key := fmt.Appendf(nil, "/registry/pods/bench/%08d", rnd.IntN(o.keys))
		begin := time.Now()
		_, err := kv.Put(ctx, &pb.PutRequest{Key: key, Value: value}, grpc.WaitForReady(true))
		if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
			return took, nil // the time is up
		}
		if err != nil {
			return nil, err
		}
		if begin.After(from) {
			took = append(took, time.Since(begin))
		}
	}
}

// table gathers the rounds.
type table struct {
	servers []rival.Server
	rounds  map[string][]measurement
}

func newTable(servers []rival.Server) *table {
	return &table{servers, make(map[string][]measurement)}
}

func (t *table) add(name string, m measurement) { t.rounds[name] = append(t.rounds[name], m) }

// columns are the figures of the table.
var columns = []struct {
	name string
	of   func(measurement) float64
}{
	{"puts/s", func(m measurement) float64 { return m.loaded.perSecond }},
	{"p50 ms", func(m measurement) float64 { return ms(m.loaded.p50) }},
	{"p99 ms", func(m measurement) float64 { return ms(m.loaded.p99) }},
	{"1 client puts/s", func(m measurement) float64 { return m.single.perSecond }},
	{"1 client p50 ms", func(m measurement) float64 { return ms(m.single.p50) }},
	{"1 client p99 ms", func(m measurement) float64 { return ms(m.single.p99) }},
}

// print writes medians per server, and medians of the rounds' ratios.
func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "median\t")
	for _, c := range columns {
		fmt.Fprintf(tw, "%s\t", c.name)
	}
	fmt.Fprintln(tw)
	for _, s := range t.servers {
		fmt.Fprintf(tw, "%s\t", s.Name)
		for _, c := range columns {
			fmt.Fprintf(tw, "%.3f\t", rival.Median(t.rounds[s.Name], c.of))
		}
		fmt.Fprintln(tw)
	}
	for _, other := range []string{rival.Etcd, nameEcho} {
		fmt.Fprintf(tw, "causeway / %s\t", other)
		for _, c := range columns {
			var ratios []float64
			for i, m := range t.rounds[rival.Causeway] {
				ratios = append(ratios, c.of(m)/c.of(t.rounds[other][i]))
			}
			fmt.Fprintf(tw, "%.2f\t", rival.Median(ratios, func(r float64) float64 { return r }))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}
