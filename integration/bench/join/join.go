package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/integration/fleet"
	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	// startTimeout bounds how long a node may take to replay its log.
	startTimeout = 5 * time.Minute
	// lookEvery is how often the fresh node is asked how far it is.
	lookEvery = 100 * time.Millisecond
	// profileTime is how long a profile is taken.
	profileTime = 10 * time.Second

	metricAdmitted = "causeway_ops_admitted_total"
	metricSent     = `causeway_p2p_stream_bytes_total{direction="out"}`
)

// A join is a fresh node's way from nothing to all that the origin holds.
type join struct {
	options
	held          ceiling // what the origin holds
	origin, fresh string  // directories
	a, b          *fleet.Site
}

func (j *join) build(ctx context.Context, scratch string) error {
	binary, err := rival.BuildCauseway(ctx, scratch)
	if err != nil {
		return err
	}
	if j.a, err = fleet.New(binary, j.origin); err == nil {
		j.b, err = fleet.New(binary, j.fresh)
	}
	return err
}

func (j *join) stop() {
	for _, s := range []*fleet.Site{j.a, j.b} {
		if s != nil {
			s.End(syscall.SIGTERM)
		}
	}
}

func (j *join) run(ctx context.Context, out io.Writer) error {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := j.a.Start(ctx); err != nil {
		return err
	}
	if err := j.a.Ready(starting); err != nil {
		return err
	}
	ticket, err := j.a.Run(ctx, "", "invite", "--data-dir", j.origin)
	if err != nil {
		return err
	}
	if _, err := j.b.Run(ctx, ticket, "join", "--data-dir", j.fresh, "--operator-name", "fresh"); err != nil {
		return err
	}
	before, err := j.a.Usage()
	if err != nil {
		return err
	}
	sent, err := j.a.Metric(ctx, metricSent)
	if err != nil {
		return err
	}

	var profiles sync.WaitGroup
	defer profiles.Wait()
	began := time.Now()
	taken, peak := 0.0, int64(0) // operations by the lives of the fresh node so far; memory in any
	var cpu time.Duration
	for life, until := range append(j.cutsAt(), float64(j.held.ops)) {
		if err := j.b.Start(ctx); err != nil {
			return err
		}
		if err := j.b.Ready(starting); err != nil {
			return err
		}
		if j.profile != "" && life == 0 {
			for name, s := range map[string]*fleet.Site{"origin": j.a, "fresh": j.b} {
				profiles.Go(func() {
					if err := s.Profile(ctx, filepath.Join(j.profile, name+".pprof"), profileTime); err != nil {
						fmt.Fprintf(out, "no profile of the %s node: %v\n", name, err)
					}
				})
			}
		}
		if err := j.follow(ctx, until-taken); err != nil {
			return err
		}
		u, err := j.b.Usage()
		if err != nil {
			return err
		}
		peak, cpu = max(peak, u.Peak), cpu+u.CPU
		if life < j.cuts {
			j.b.End(syscall.SIGKILL)
			if taken, err = j.logged(); err != nil {
				return err
			}
		}
	}
	took := time.Since(began)
	after, err := j.a.Usage()
	if err != nil {
		return err
	}
	rate := float64(j.held.ops) / took.Seconds()
	fmt.Fprintf(out, "joined in %.2fs, %d cuts: %.0f operations/s, %.2f of verifying and writing at once, %.2f of one after the other\n",
		took.Seconds(), j.cuts, rate, rate/j.held.perSecond(j.held.both), rate/j.held.perSecond(j.held.verify+j.held.write))
	own := after.CPU - before.CPU
	fmt.Fprintf(out, "processor time per operation: origin %.1f µs, fresh %.1f µs, together %.1f times that of verifying and writing\n",
		micros(own, j.held.ops), micros(cpu, j.held.ops), micros(own+cpu, j.held.ops)/micros(j.held.cpu, j.held.tried))
	fmt.Fprintf(out, "memory: origin %d MiB before, at most %d MiB; fresh at most %d MiB\n", before.RSS>>20, after.Peak>>20, peak>>20)
	return j.sent(ctx, out, sent)
}

// cutsAt returns at how many operations the fresh node is killed.
func (j *join) cutsAt() []float64 {
	rng := rand.New(rand.NewPCG(j.seed, 0))
	at := make([]float64, j.cuts)
	for i := range at {
		at[i] = rng.Float64() * float64(j.held.ops)
	}
	slices.Sort(at)
	return at
}

// follow waits until this life of the fresh node has taken in so many operations.
func (j *join) follow(ctx context.Context, until float64) error {
	for {
		got, err := j.b.Metric(ctx, metricAdmitted)
		if err != nil || got >= until {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// logged returns how many operations the fresh node, which does not run, has in
// its log: until it holds all there is nothing else in it.
func (j *join) logged() (n float64, err error) {
	store, err := leveldb.Open(filepath.Join(j.fresh, "store"), leveldb.Options{MustExist: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return float64(store.Last()), nil
}

// sent prints what left the origin beside the operations. It counts a session's bytes when that ends.
func (j *join) sent(ctx context.Context, out io.Writer, before float64) error {
	var sent float64
	for range 20 {
		now, err := j.a.Metric(ctx, metricSent)
		if err != nil {
			return err
		}
		if now-before == sent && sent > 0 {
			break
		}
		sent = now - before
		time.Sleep(500 * time.Millisecond)
	}
	all := float64(j.held.bytes)
	fmt.Fprintf(out, "sent %.1f MiB for %.1f MiB of operations, %.2f: compressed, with frames and what was sent twice\n", sent/(1<<20), all/(1<<20), sent/all)
	return nil
}
