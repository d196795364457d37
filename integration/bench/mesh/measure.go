package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	metricSealed   = "causeway_ops_sealed_total"
	metricAdmitted = "causeway_ops_admitted_total"
	// catchUp bounds how long receivers may take after the last put.
	catchUp = time.Minute
)

// measured is what one load cost.
type measured struct {
	puts, ops         int
	took              time.Duration // until all had received all
	origin, receivers time.Duration // processor time: of one, and of all the others together
	count             int           // of the others
	profiles          []string      // of each node, the origin's first
}

// measure has clients put for the duration, none for 0, and waits until all
// nodes hold what they wrote.
func (m *mesh) measure(ctx context.Context, clients int) (got measured, err error) {
	before, cpu, err := m.read(ctx)
	if err != nil {
		return got, err
	}
	began := time.Now()
	g, within := errgroup.WithContext(ctx)
	if clients > 0 {
		for i, s := range m.sites {
			file := filepath.Join(m.keep, fmt.Sprintf("clients-%d-node-%d.pprof", clients, i))
			got.profiles = append(got.profiles, file)
			g.Go(func() error { return s.Profile(within, file, m.duration-time.Second) })
		}
	}
	g.Go(func() (err error) {
		got.puts, err = m.load(within, clients)
		return err
	})
	if err := g.Wait(); err != nil {
		return got, err
	}
	for limit := time.Now().Add(catchUp); ; time.Sleep(50 * time.Millisecond) {
		after, now, err := m.read(ctx)
		if err != nil {
			return got, err
		}
		got.ops = int(after[0] - before[0])
		behind := 0
		for i := range after[1:] {
			if after[1+i]-before[1+i] < after[0]-before[0] {
				behind++
			}
		}
		if behind > 0 && time.Now().Before(limit) {
			continue
		}
		if behind > 0 {
			return got, fmt.Errorf("%d nodes lack operations after %v", behind, catchUp)
		}
		got.took, got.count = time.Since(began), len(m.sites)-1
		got.origin = now[0] - cpu[0]
		for i := range now[1:] {
			got.receivers += now[1+i] - cpu[1+i]
		}
		return got, nil
	}
}

// read returns how many operations the origin has sealed and the others have
// admitted so far, and the processor time of each.
func (m *mesh) read(ctx context.Context) (ops []float64, cpu []time.Duration, err error) {
	for i, s := range m.sites {
		name := metricAdmitted
		if i == 0 {
			name = metricSealed
		}
		n, err := s.Metric(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		u, err := s.Usage()
		if err != nil {
			return nil, nil, err
		}
		ops, cpu = append(ops, n), append(cpu, u.CPU)
	}
	return ops, cpu, nil
}

// load has clients put one after the other, and returns how many were answered.
func (m *mesh) load(ctx context.Context, clients int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, m.duration)
	defer cancel()
	if clients == 0 {
		<-ctx.Done()
		return 0, nil
	}
	kvs := make([]pb.KVClient, min(clients, m.conns))
	for i := range kvs {
		conn, err := rival.Dial(m.sites[0].Client)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		kvs[i] = pb.NewKVClient(conn)
	}
	var puts atomic.Int64
	var g errgroup.Group
	for c := range clients {
		g.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(c), 5))
			value := make([]byte, m.value)
			for {
				binary.LittleEndian.PutUint64(value, rng.Uint64())
				_, err := kvs[c%len(kvs)].Put(ctx, &pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/bench/%08d", rng.IntN(m.keys)), Value: value})
				if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
					return nil // the time is up
				}
				if err != nil {
					return err
				}
				puts.Add(1)
			}
		})
	}
	err := g.Wait()
	return int(puts.Load()), err
}

// print writes what a load cost beyond idle.
func (got measured) print(out io.Writer, clients int, idle measured) error {
	rest := float64(got.took) / float64(idle.took)
	origin := float64(got.origin) - rest*float64(idle.origin)
	receiver := (float64(got.receivers) - rest*float64(idle.receivers)) / float64(got.count)
	puts, ops := 1000*float64(got.puts), 1000*float64(got.ops)
	fmt.Fprintf(out, "\n%d clients: %.0f puts/s in %.0f operations/s, all at all nodes %.2fs after the first\n", clients,
		float64(got.puts)/got.took.Seconds(), float64(got.ops)/got.took.Seconds(), got.took.Seconds())
	fmt.Fprintf(out, "processor time per put: origin %.1f µs, a receiver %.1f µs, %.2f of that; per operation: origin %.0f µs, a receiver %.0f µs\n",
		origin/puts, receiver/puts, receiver/origin, origin/ops, receiver/ops)
	return printShares(out, got, puts/1000, ops/1000, origin, receiver)
}
