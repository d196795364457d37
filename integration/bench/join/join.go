package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	// startTimeout bounds how long a node may take to replay its log.
	startTimeout = 5 * time.Minute
	// lookEvery is how often the fresh node is asked how far it is.
	lookEvery = 20 * time.Millisecond
	// profileTime is how long a profile is taken.
	profileTime = 10 * time.Second

	metricAdmitted = "causeway_ops_admitted_total"
	metricSent     = `causeway_p2p_stream_bytes_total{direction="out"}`
	metricReceived = `causeway_p2p_stream_bytes_total{direction="in"}`
)

// A join is a fresh node's way from nothing to all that the origin holds.
type join struct {
	options
	held          ceiling // what the origin holds
	origin, fresh string  // directories
	a, b          *site
}

func (j *join) build(ctx context.Context, scratch string) error {
	binary, err := rival.BuildCauseway(ctx, scratch)
	if err != nil {
		return err
	}
	if j.a, err = newSite(binary, j.origin); err == nil {
		j.b, err = newSite(binary, j.fresh)
	}
	return err
}

func (j *join) stop() {
	for _, s := range []*site{j.a, j.b} {
		if s != nil {
			s.end(syscall.SIGTERM)
		}
	}
}

func (j *join) run(ctx context.Context, out io.Writer) error {
	peers := make([]string, 2)
	for i := range peers {
		var err error
		if peers[i], err = rival.FreeAddr(); err != nil {
			return err
		}
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := j.a.start(ctx, peers[0]); err != nil {
		return err
	}
	if err := j.a.ready(starting); err != nil {
		return err
	}
	ticket, err := j.a.causeway(ctx, "", "invite", "--data-dir", j.origin)
	if err != nil {
		return err
	}
	if _, err := j.b.causeway(ctx, ticket, "join", "--data-dir", j.fresh, "--operator-name", "fresh"); err != nil {
		return err
	}
	before, err := j.a.usage()
	if err != nil {
		return err
	}
	sent, err := j.a.metric(ctx, metricSent)
	if err != nil {
		return err
	}

	var profiles sync.WaitGroup
	defer profiles.Wait()
	began := time.Now()
	taken, peak := 0.0, int64(0) // by the lives of the fresh node so far
	var cpu time.Duration
	for life, until := range append(j.cutsAt(), float64(j.held.ops)) {
		if err := j.b.start(ctx, peers[1]); err != nil {
			return err
		}
		if err := j.b.ready(starting); err != nil {
			return err
		}
		if j.profile != "" && life == 0 {
			for name, s := range map[string]*site{"origin": j.a, "fresh": j.b} {
				profiles.Go(func() {
					if err := s.profile(ctx, filepath.Join(j.profile, name+".pprof"), profileTime); err != nil {
						fmt.Fprintf(out, "no profile of the %s node: %v\n", name, err)
					}
				})
			}
		}
		got, err := j.follow(ctx, until-taken)
		if err != nil {
			return err
		}
		taken += got
		u, err := j.b.usage()
		if err != nil {
			return err
		}
		peak, cpu = max(peak, u.Peak), cpu+u.CPU
		if life < j.cuts {
			j.b.end(syscall.SIGKILL)
		}
	}
	took := time.Since(began)
	after, err := j.a.usage()
	if err != nil {
		return err
	}
	rate := float64(j.held.ops) / took.Seconds()
	fmt.Fprintf(out, "joined in %.2fs, %d cuts: %.0f operations/s, %.2f of verifying and writing at once, %.2f of one after the other\n",
		took.Seconds(), j.cuts, rate, rate/j.held.perSecond(j.held.both), rate/j.held.perSecond(j.held.verify+j.held.write))
	own := after.CPU - before.CPU
	fmt.Fprintf(out, "processor time per operation: origin %.1f µs, fresh %.1f µs, together %.1f times that of verifying and writing\n",
		micros(own, j.held.ops), micros(cpu, j.held.ops), float64(own+cpu)/float64(j.held.cpu))
	fmt.Fprintf(out, "memory: origin %d MiB before, at most %d MiB; fresh at most %d MiB\n", before.RSS>>20, after.Peak>>20, peak>>20)
	return j.sentTwice(ctx, out, sent)
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

// follow waits until this life of the fresh node has taken in so many
// operations, and returns how many it has then.
func (j *join) follow(ctx context.Context, until float64) (float64, error) {
	for {
		got, err := j.b.metric(ctx, metricAdmitted)
		if err != nil || got >= until {
			return got, err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

// sentTwice prints what left the origin beyond the operations. It counts a session's bytes when that ends.
func (j *join) sentTwice(ctx context.Context, out io.Writer, before float64) error {
	var sent float64
	for range 100 {
		now, err := j.a.metric(ctx, metricSent)
		if err != nil {
			return err
		}
		if now-before >= float64(j.held.bytes) && now-before == sent {
			break
		}
		sent = now - before
		time.Sleep(100 * time.Millisecond)
	}
	beyond := sent - float64(j.held.bytes)
	fmt.Fprintf(out, "sent %.1f MiB of operations and %.3f MiB more, %.2f%%: frames, and what was sent twice\n",
		float64(j.held.bytes)/(1<<20), beyond/(1<<20), 100*beyond/float64(j.held.bytes))
	return nil
}
