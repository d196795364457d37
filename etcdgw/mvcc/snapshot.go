package mvcc

import (
	"context"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// snapshot reads the keyspace as it is at one revision and was at those before,
// down to the compact revision.
type snapshot struct {
	v         *View
	revision  int64
	compacted int64
	window    window
	// shared says that the reader is not the writer: it locks, and pins history.
	shared bool
}

// acquire returns the published state; release it after use.
func (v *View) acquire() snapshot {
	v.mu.RLock()
	s := snapshot{v: v, revision: v.published, compacted: v.compacted, window: v.window, shared: true}
	v.pin(s.compacted)
	v.mu.RUnlock()
	return s
}

func (s *snapshot) release() { s.v.unpin(s.compacted) }

// headSnapshot returns the head as it is, for the writer.
func (v *View) headSnapshot() snapshot {
	return snapshot{v: v, revision: v.head, compacted: v.headCompacted, window: v.headWindow}
}

func (s *snapshot) lock() {
	if s.shared {
		s.v.mu.RLock()
	}
}

func (s *snapshot) unlock() {
	if s.shared {
		s.v.mu.RUnlock()
	}
}

// resolve returns the revision to read for the one that a request names.
// Errors: ErrGRPCCompacted, ErrGRPCFutureRev.
func resolve(rev int64, w window, current, compacted int64) (int64, error) {
	switch {
	case rev <= 0:
		return current, nil
	case !w.has(rev), rev < compacted:
		return 0, rpctypes.ErrGRPCCompacted
	case rev > current:
		return 0, rpctypes.ErrGRPCFutureRev
	default:
		return rev, nil
	}
}

// get returns the value of key at rev, nil if there is none.
func (s *snapshot) get(key []byte, rev int64) *version {
	s.lock()
	defer s.unlock()
	if it := s.v.keys[string(key)]; it != nil {
		return it.at(rev)
	}
	return nil
}

// scan calls fn with the values of the span at rev, in key order, until fn
// returns false. fn is called without the lock. The error is ctx's.
func (s *snapshot) scan(ctx context.Context, sp span, rev int64, fn func(*version) bool) error {
	if sp.empty() {
		return nil
	}
	// The first chunk is small: most scans with a limit need no more.
	chunk, from := 32, sp.key
	found := make([]*version, 0, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, from = s.chunk(found[:0], span{from, sp.end, sp.open}, rev, chunk)
		for _, x := range found {
			if !fn(x) {
				return nil
			}
		}
		if from == "" {
			return nil
		}
		chunk = chunkKeys
	}
}

// chunk appends the values among the first n keys of the span to found, and
// returns the key to go on from, "" if there are no more.
func (s *snapshot) chunk(found []*version, sp span, rev int64, n int) ([]*version, string) {
	s.lock()
	defer s.unlock()
	next := ""
	s.v.tree.Ascend(entry{name: sp.key}, func(e entry) bool {
		if !sp.below(e.name) {
			return false
		}
		if n == 0 {
			next = e.name
			return false
		}
		n--
		if x := e.item.at(rev); x != nil {
			found = append(found, x)
		}
		return true
	})
	return found, next
}

// rank returns how many keys visible at the head are less than name.
func (v *View) rank(name string) int {
	low, high := 0, v.live.Len()
	for low < high {
		mid := int(uint(low+high) >> 1)
		if e, _ := v.live.GetAt(mid); e.name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
