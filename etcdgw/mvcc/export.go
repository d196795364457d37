package mvcc

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Export is the published keyspace at one revision, with its history down to
// the compact revision and its leases, as they were when it was taken. While
// it is open that history is kept in memory: close it soon. It is for one
// goroutine.
type Export struct {
	s      snapshot
	leases []LeaseStatus
}

// Export returns the published state. It must be closed. Any goroutine may call it.
func (v *View) Export(now time.Time) *Export {
	v.mu.RLock()
	defer v.mu.RUnlock()
	e := &Export{s: snapshot{v: v, revision: v.published, compacted: v.compacted, window: v.window, shared: true}}
	v.pin(e.s.compacted)
	e.leases = v.Leases(now) // published under the same lock
	return e
}

// Close lets go of the history.
func (e *Export) Close() { e.s.release() }

// Revision returns the revision exported.
func (e *Export) Revision() int64 { return e.s.revision }

// CompactRevision returns the least revision that can be read, 0 if nothing is
// compacted. Where the window is not an etcd's, what lies between revision 1 and
// the window counts as compacted: whoever imports the export has no windows.
func (e *Export) CompactRevision() int64 {
	if base := e.s.window.base; base > beginning && e.s.revision > base {
		return max(e.s.compacted, base)
	}
	return e.s.compacted
}

// Leases returns the leases, the one that runs out first first.
func (e *Export) Leases() []LeaseStatus { return e.leases }

// Versions calls fn with every version that is kept: those visible at the
// compact revision, then all that came after, in the order of their revisions.
// sub numbers those of one revision from 0, as etcd does. A deletion has
// version 0, and only its key and mod revision. The key-values are shared and
// must not be modified. The error is ctx's or the one that fn returned.
//
// It costs a pass over the keys and the history, under locks held for short
// times, and a pointer for each key of the compact revision.
func (e *Export) Versions(ctx context.Context, fn func(kv *mvccpb.KeyValue, sub int64) error) error {
	last, sub := int64(0), int64(0)
	emit := func(x *version) error {
		if sub++; x.kv.ModRevision != last {
			last, sub = x.kv.ModRevision, 0
		}
		return fn(&x.kv, sub)
	}
	var base []*version
	if e.s.compacted > 0 {
		err := e.s.scan(ctx, span{open: true}, e.s.compacted, func(x *version) bool {
			if x.kv.ModRevision < e.s.compacted { // the others are in history
				base = append(base, x)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(base, func(a, b *version) int { return cmp.Compare(a.kv.ModRevision, b.kv.ModRevision) })
	for _, x := range base {
		if err := emit(x); err != nil {
			return err
		}
	}
	return e.events(ctx, emit)
}

// events calls fn with the versions of history from the compact revision on.
func (e *Export) events(ctx context.Context, fn func(*version) error) error {
	v := e.s.v
	e.s.lock()
	i, end := v.history.since(e.s.compacted), v.history.since(e.s.revision+1)
	e.s.unlock()
	chunk := make([]*version, 0, chunkKeys)
	for i < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk = chunk[:0]
		e.s.lock()
		for ; i < end && len(chunk) < chunkKeys; i++ {
			chunk = append(chunk, v.history.at(i))
		}
		e.s.unlock()
		for _, x := range chunk {
			if err := fn(x); err != nil {
				return err
			}
		}
	}
	return nil
}
