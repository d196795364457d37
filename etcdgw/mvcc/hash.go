package mvcc

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// stateDomain begins what a state hash covers.
const stateDomain = "causeway-state-v0\x00"

// stateHash remembers the last hash asked for.
type stateHash struct {
	mu       sync.Mutex
	revision int64 // 0: none yet
	sum      [32]byte
}

// StateHash returns the hash of the published keys and values that are not local
// (docs/view.md, "State hash"): it is equal on nodes that show the same of those. It is
// computed when asked for, once per revision, and costs a pass over all values.
// Any goroutine may call it.
func (v *View) StateHash() [32]byte {
	v.hash.mu.Lock()
	defer v.hash.mu.Unlock()
	s := v.acquire()
	defer s.release()
	if v.hash.revision == s.revision {
		return v.hash.sum
	}
	h := sha256.New()
	h.Write([]byte(stateDomain))
	var length [binary.MaxVarintLen64]byte
	write := func(b []byte) {
		h.Write(binary.AppendUvarint(length[:0], uint64(len(b))))
		h.Write(b)
	}
	// The background context never ends, so neither does the scan early.
	_ = s.scan(context.Background(), span{open: true}, s.revision, func(x *version) bool {
		if !x.local {
			write(x.kv.Key)
			write(x.kv.Value)
		}
		return true
	})
	v.hash.revision = s.revision
	h.Sum(v.hash.sum[:0])
	return v.hash.sum
}
