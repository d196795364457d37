package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/dag/reconcile"
	"github.com/causeway-sync/causeway/integration/usage"
	"github.com/causeway-sync/causeway/node/commit"
)

// A ceiling is what the machine can do with a mesh's operations at best:
// signatures checked in batches of a frame on all processors, and batches of a
// frame appended to a store, each synced.
type ceiling struct {
	ops    int           // in all
	bytes  int64         // blocks and bodies of all
	tried  int           // of ops, what was measured
	verify time.Duration // alone
	write  time.Duration // alone
	both   time.Duration // at the same time
	cpu    time.Duration // processor time of both at the same time
}

// frame is operations of one batch, and the records that hold them.
type frame struct {
	ops     []*dag.Unverified
	records []dag.Record
}

const (
	// chunkFrames is how many frames are read at a time, which is not measured.
	chunkFrames = 64
	// ceilingOps is about how many operations are measured; of more, chunks
	// evenly spread over the log.
	ceilingOps = 200_000
)

// measureCeiling measures with operations of the node in dir, which holds about
// so many, and writes to scratch.
func measureCeiling(ctx context.Context, dir, scratch string, ops int) (c ceiling, err error) {
	every, chunk := max(1, ops/ceilingOps), 0
	var stores [2]*leveldb.Store
	for i := range stores {
		if stores[i], err = leveldb.Open(fmt.Sprintf("%s-%d", scratch, i), leveldb.Options{}); err != nil {
			return c, err
		}
		defer func() { err = errors.Join(err, stores[i].Close()) }()
	}
	err = readFrames(dir, func(frames []frame) error {
		for _, f := range frames {
			c.ops += len(f.ops)
			for _, u := range f.ops {
				c.bytes += int64(len(u.Block()) + len(u.Body()))
			}
		}
		if chunk++; chunk%every != 0 {
			return ctx.Err()
		}
		for _, f := range frames {
			c.tried += len(f.ops)
		}
		for _, m := range []struct {
			took   *time.Duration
			verify bool
			store  *leveldb.Store
		}{{&c.verify, true, nil}, {&c.write, false, stores[0]}, {&c.both, true, stores[1]}} {
			before, err := usage.Of(os.Getpid())
			if err != nil {
				return err
			}
			began := time.Now()
			g, _ := errgroup.WithContext(ctx)
			if m.verify {
				verifyAll(g, frames)
			}
			if m.store != nil {
				g.Go(func() error { return writeAll(m.store, frames) })
			}
			if err := g.Wait(); err != nil {
				return err
			}
			*m.took += time.Since(began)
			if m.verify && m.store != nil {
				after, err := usage.Of(os.Getpid())
				if err != nil {
					return err
				}
				c.cpu += after.CPU - before.CPU
			}
		}
		return ctx.Err()
	})
	return c, err
}

// readFrames calls fn with the operations that a node received, in the order of its log.
func readFrames(dir string, fn func([]frame) error) (err error) {
	store, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var frames []frame
	var f frame
	size := 0
	err = store.Scan(1, func(_ dag.Index, rec dag.Record) error {
		block, body, err := commit.RecordOp(rec)
		if err != nil || body == nil {
			return err // what the node wrote itself: some statements
		}
		block, body = bytes.Clone(block), bytes.Clone(body)
		u, err := dag.Decode(block, body)
		if err != nil {
			return err
		}
		n := len(block) + len(body)
		if size+n > reconcile.TargetFrame {
			if frames = append(frames, f); len(frames) == chunkFrames {
				if err := fn(frames); err != nil {
					return err
				}
				frames = nil
			}
			f, size = frame{}, 0
		}
		size += n
		f.ops = append(f.ops, u)
		f.records = append(f.records, dag.Record{Kind: rec.Kind, Payload: append(block, body...), Ops: []dag.ID{u.ID()}})
		return nil
	})
	if err != nil {
		return err
	}
	return fn(append(frames, f))
}

// verifyAll checks the signatures of the frames.
func verifyAll(g *errgroup.Group, frames []frame) {
	next := make(chan frame, len(frames))
	for _, f := range frames {
		next <- f
	}
	close(next)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for f := range next {
				_, errs := dag.Verify(f.ops)
				if err := errors.Join(errs...); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// writeAll appends the frames, one after the other.
func writeAll(store *leveldb.Store, frames []frame) error {
	for _, f := range frames {
		if _, err := store.Append(f.records, true); err != nil {
			return err
		}
	}
	return nil
}

func (c ceiling) perSecond(d time.Duration) float64 { return float64(c.tried) / d.Seconds() }

// micros returns d in microseconds for each of n.
func micros(d time.Duration, n int) float64 { return float64(d) / float64(n) / 1000 }

func (c ceiling) print(out io.Writer) {
	fmt.Fprintf(out, "%d operations, %.1f MiB; this machine alone: verifies %.0f/s, writes %.0f/s, both at once %.0f/s, %.1f µs of processor time each\n",
		c.ops, float64(c.bytes)/(1<<20), c.perSecond(c.verify), c.perSecond(c.write), c.perSecond(c.both), micros(c.cpu, c.tried))
}
