package mvcc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (v *View) evaluateCompaction(e *execution, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	rev := v.headWindow.from(r.Revision)
	switch {
	case !v.headWindow.has(rev), rev <= v.headCompacted:
		return nil, rpctypes.ErrGRPCCompacted
	case rev > v.head:
		return nil, rpctypes.ErrGRPCFutureRev
	}
	e.record().Compact = rev
	v.compactTo(rev)
	return &pb.CompactionResponse{Header: &pb.ResponseHeader{Revision: v.head}}, nil
}

// compactTo compacts as a client asked. A view with another bound on its history may have
// gone further by itself.
func (v *View) compactTo(rev int64) {
	v.compactAsked, v.headCompacted = rev, max(v.headCompacted, rev)
}

// pin keeps the history that a read needs. Called with mu held; unpin undoes it.
func (v *View) pin(compacted int64) {
	v.pinMu.Lock()
	v.pins[compacted]++
	v.pinMu.Unlock()
}

func (v *View) unpin(compacted int64) {
	v.pinMu.Lock()
	if v.pins[compacted]--; v.pins[compacted] == 0 {
		delete(v.pins, compacted)
	}
	v.pinMu.Unlock()
}

// Prune frees some of the memory of history below the published compact
// revision, and reports whether there is more to free. Publish does the same on
// the way; an idle writer may call it until there is no more.
func (v *View) Prune() (more bool) {
	v.prune(pruneEvents)
	return v.prunable()
}

func (v *View) prunable() bool {
	return v.history.first < v.dispatched && v.history.at(v.history.first).kv.ModRevision < v.compacted
}

// prune drops up to n events below the published compact revision, and with
// each the value it replaced. What a read in progress needs stays.
func (v *View) prune(n int) {
	if !v.prunable() {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	limit := v.compacted
	v.pinMu.Lock()
	for p := range v.pins {
		limit = min(limit, p)
	}
	v.pinMu.Unlock()
	for ; n > 0 && v.history.first < v.dispatched; n-- {
		x := v.history.at(v.history.first)
		if x.kv.ModRevision >= limit {
			return
		}
		if v.history.passed == v.history.first {
			v.history.pass()
		}
		v.history.forget(x.prev)
		x.prev = nil
		if it := x.item; x.tombstone() && it.newest == x {
			it.kept = true
			v.forget(it)
		}
		base := v.history.base
		if v.history.drop(); v.history.base != base {
			v.tallies.drop(base)
		}
	}
}

// trim compacts what other nodes have filled history with beyond its bound, oldest revisions
// first (docs/view.md, "Amplification"). It looks at nothing but what is applied, and at each event once.
func (v *View) trim() {
	h := &v.history
	if h.standing <= v.maxHistory {
		return
	}
	for ; h.passed < h.next && h.at(h.passed).kv.ModRevision < v.headCompacted; h.pass() {
	}
	if h.standing <= v.maxHistory {
		return
	}
	rev := v.headCompacted
	for most := v.maxHistory - v.maxHistory/trimShare; h.standing > most; {
		if rev = h.at(h.passed).kv.ModRevision + 1; rev > v.head {
			break
		}
		for ; h.passed < h.next && h.at(h.passed).kv.ModRevision < rev; h.pass() {
		}
	}
	if rev = min(rev, v.head); rev > v.headCompacted {
		v.headCompacted = rev
		v.trims++
	}
}

// Trims returns how often the view has compacted itself because other nodes' writes filled its history.
// Only the writer may call it.
func (v *View) Trims() uint64 { return v.trims }
