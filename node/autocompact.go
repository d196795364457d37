package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Modes of automatic compaction, as etcd's --auto-compaction-mode.
const (
	// CompactPeriodic keeps the history of a time.
	CompactPeriodic = "periodic"
	// CompactRevision keeps a number of revisions.
	CompactRevision = "revision"
)

const (
	// revisionInterval is how often CompactRevision compacts.
	revisionInterval = 5 * time.Minute
	// periodicInterval is how often CompactPeriodic compacts at least; a shorter
	// retention is its own interval.
	periodicInterval = time.Hour
	// periodicSamples is how many times in an interval CompactPeriodic notes the
	// revision, and tries again what failed.
	periodicSamples = 10
)

// retention is how much history is kept: a time or a number of revisions; both
// 0 is all of it.
type retention struct {
	time      time.Duration
	revisions int64
}

// parseRetention parses etcd's --auto-compaction-retention: a number of
// revisions, or a time, of hours if it has no unit; 0 and "" turn compaction off.
func parseRetention(mode, text string) (retention, error) {
	if mode != CompactPeriodic && mode != CompactRevision {
		return retention{}, fmt.Errorf("%w: auto-compaction mode %q is not %s or %s", ErrConfig, mode, CompactPeriodic, CompactRevision)
	}
	if text == "" {
		return retention{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if mode == CompactRevision {
		if err != nil || n < 0 {
			return retention{}, fmt.Errorf("%w: auto-compaction retention %q is not a number of revisions", ErrConfig, text)
		}
		return retention{revisions: n}, nil
	}
	d := time.Duration(n) * time.Hour
	if err != nil {
		d, err = time.ParseDuration(text)
	} else if d/time.Hour != time.Duration(n) {
		err = errors.New("too long")
	}
	// A tenth of it must be a time that a timer can wait for.
	if err != nil || d < 0 || d > 0 && d < periodicSamples*time.Millisecond {
		return retention{}, fmt.Errorf("%w: auto-compaction retention %q is not a time from 10ms on", ErrConfig, text)
	}
	return retention{time: d}, nil
}

// compactor compacts the history by itself, as etcd does.
type compactor struct {
	keep     retention
	ready    func() bool
	revision func() int64                               // the published one
	compact  func(ctx context.Context, rev int64) error // durable when it returns
	log      *slog.Logger
}

// run compacts until ctx is done.
func (c *compactor) run(ctx context.Context) {
	switch {
	case c.keep.time > 0:
		c.runPeriodic(ctx)
	case c.keep.revisions > 0:
		c.runRevision(ctx)
	}
}

// runPeriodic notes the revision ten times in an interval and, once a whole
// retention has passed, compacts to the one noted a retention ago, or one note
// before, once in an interval.
func (c *compactor) runPeriodic(ctx context.Context) {
	interval := min(c.keep.time, periodicInterval)
	sample := interval / periodicSamples
	samples := int(c.keep.time/sample) + 1
	revs := make([]int64, 0, min(samples, 4096))
	tick := time.NewTicker(sample)
	defer tick.Stop()
	var last int64
	succeeded, wait := time.Now(), c.keep.time
	for {
		if revs = append(revs, c.revision()); len(revs) > samples {
			revs = append(revs[:0], revs[1:]...)
		}
		if !next(ctx, tick) {
			return
		}
		if rev := revs[0]; c.ready() && time.Since(succeeded) >= wait && rev != last {
			wait = interval
			if c.compactTo(ctx, rev) {
				last, succeeded = rev, time.Now()
			}
		}
	}
}

// runRevision compacts every five minutes to the revision that is the retention
// behind the present one.
func (c *compactor) runRevision(ctx context.Context) {
	tick := time.NewTicker(revisionInterval)
	defer tick.Stop()
	var last int64
	for next(ctx, tick) {
		if rev := c.revision() - c.keep.revisions; c.ready() && rev > 0 && rev != last && c.compactTo(ctx, rev) {
			last = rev
		}
	}
}

// next waits for the next tick; false once ctx is done.
func next(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-tick.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// compactTo compacts, and reports whether what is before rev is compacted now.
func (c *compactor) compactTo(ctx context.Context, rev int64) bool {
	err := c.compact(ctx, rev)
	switch {
	case err == nil:
		c.log.Info("compacted automatically", "revision", rev)
		return true
	case errors.Is(err, rpctypes.ErrGRPCCompacted):
		return true
	case ctx.Err() == nil:
		c.log.Warn("automatic compaction failed; it is tried again", "revision", rev, "err", err)
	}
	return false
}
