package mvcc

import (
	"bytes"
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// ExpireRequest asks Evaluate to end a lease that has run out, see [Expire].
type ExpireRequest struct{ pb.LeaseRevokeRequest }

// Expire returns the request that ends lease id and deletes its keys, if it has
// run out by then. Unlike a revoke it cannot fail for its keys: a key that the
// node may no longer write stays, and of more keys than an operation holds the
// first go now and the rest with the next Expire, for which the lease stays.
func Expire(id int64) *ExpireRequest {
	r := new(ExpireRequest)
	r.ID = id
	return r
}

// lease is a lease of this node.
type lease struct {
	id, ttl int64
	expiry  time.Time // zero from Replay until the first time anyone tells the time
	index   int       // in the heap
	keys    map[*item]struct{}
}

func (l *lease) remaining(now time.Time) time.Duration { return l.expiry.Sub(now) }

// lessor holds the leases. head is what the writer sees, shown what readers see.
type lessor struct {
	mu      sync.Mutex
	head    map[int64]*lease
	shown   map[int64]*lease
	changed []int64 // granted or ended since the last publish
	queue   leaseQueue
	adrift  []*lease // replayed, expiry not set
}

func (s *lessor) init() {
	s.head, s.shown = make(map[int64]*lease), make(map[int64]*lease)
}

func (s *lessor) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shown)
}

// granted reports whether the lease exists at the head. For the writer.
func (s *lessor) granted(id int64) bool { return s.head[id] != nil }

func (s *lessor) pending() bool { return len(s.changed) > 0 }

// grant adds a lease that runs from now, or, if now is zero, from the first
// time that is told.
func (s *lessor) grant(g Grant, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &lease{id: g.ID, ttl: g.TTL, keys: make(map[*item]struct{})}
	s.head[l.id] = l
	s.changed = append(s.changed, l.id)
	if now.IsZero() {
		l.index = -1
		s.adrift = append(s.adrift, l)
		return
	}
	l.expiry = now.Add(time.Duration(l.ttl) * time.Second)
	heap.Push(&s.queue, l)
}

// end removes a lease. Keys that are still attached stay as they are.
func (s *lessor) end(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.head[id]
	delete(s.head, id)
	s.changed = append(s.changed, id)
	if l.index >= 0 {
		heap.Remove(&s.queue, l.index)
	} else if i := slices.Index(s.adrift, l); i >= 0 {
		s.adrift = slices.Delete(s.adrift, i, i+1)
	}
}

// publish shows readers what was granted and ended.
func (s *lessor) publish() {
	if len(s.changed) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.changed {
		if l := s.head[id]; l != nil {
			s.shown[id] = l
		} else {
			delete(s.shown, id)
		}
	}
	s.changed = s.changed[:0]
}

// anchor starts the leases that were replayed. Called with mu held.
func (s *lessor) anchor(now time.Time) {
	for _, l := range s.adrift {
		l.expiry = now.Add(time.Duration(l.ttl) * time.Second)
		heap.Push(&s.queue, l)
	}
	s.adrift = nil
}

func (s *lessor) attach(id int64, it *item) {
	if id == 0 {
		return
	}
	s.mu.Lock()
	if l := s.head[id]; l != nil {
		l.keys[it] = struct{}{}
	}
	s.mu.Unlock()
}

func (s *lessor) detach(id int64, it *item) {
	if id == 0 {
		return
	}
	s.mu.Lock()
	if l := s.head[id]; l != nil {
		delete(l.keys, it)
	}
	s.mu.Unlock()
}

// attached returns the keys whose current put is under the lease, in order. For the writer.
func (s *lessor) attached(id int64) []*item {
	l := s.head[id]
	items := make([]*item, 0, len(l.keys))
	for it := range l.keys {
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b *item) int { return cmp.Compare(a.name, b.name) })
	return items
}

func (v *View) evaluateGrant(e *execution, r *pb.LeaseGrantRequest, now time.Time) (*pb.LeaseGrantResponse, error) {
	id := r.ID
	for id == 0 || r.ID == 0 && v.leases.granted(id) {
		id = rand.Int64()
	}
	switch {
	case r.TTL > maxLeaseTTL:
		return nil, rpctypes.ErrGRPCLeaseTTLTooLarge
	case v.leases.granted(id):
		return nil, rpctypes.ErrGRPCLeaseExist
	}
	g := Grant{ID: id, TTL: max(r.TTL, minLeaseTTL)}
	e.record().Grant = g
	v.leases.grant(g, now)
	return &pb.LeaseGrantResponse{Header: &pb.ResponseHeader{Revision: v.head}, ID: g.ID, TTL: g.TTL}, nil
}

func (v *View) evaluateRevoke(e *execution, r *pb.LeaseRevokeRequest, auth Authorizer) (*pb.LeaseRevokeResponse, error) {
	if !v.leases.granted(r.ID) {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	items := v.leases.attached(r.ID)
	b := budget{v: v, auth: auth}
	for _, it := range items {
		if err := b.key(it.key(), 0); err != nil {
			return nil, err
		}
	}
	return v.endLease(e, r.ID, items, true), nil
}

func (v *View) evaluateExpire(e *execution, r *ExpireRequest, auth Authorizer, now time.Time) (*pb.LeaseRevokeResponse, error) {
	l := v.leases.head[r.ID]
	if l == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	v.leases.mu.Lock()
	v.leases.anchor(now)
	early := l.remaining(now) > 0
	v.leases.mu.Unlock()
	if early { // kept alive since
		return &pb.LeaseRevokeResponse{Header: &pb.ResponseHeader{Revision: v.head}}, nil
	}
	var items []*item
	b, all := budget{v: v, auth: auth}, true
	for _, it := range v.leases.attached(r.ID) {
		switch b.key(it.key(), 0) {
		case nil:
			items = append(items, it)
		case rpctypes.ErrGRPCRequestTooLarge, ErrNoRoom:
			all = false
		}
		if !all {
			break
		}
	}
	return v.endLease(e, r.ID, items, all), nil
}

// endLease deletes items in one revision, and the lease if all of its keys are among them.
func (v *View) endLease(e *execution, id int64, items []*item, all bool) *pb.LeaseRevokeResponse {
	for _, it := range items {
		e.delete(it)
	}
	if all {
		e.record().Revoke = id
		v.leases.end(id)
	}
	return &pb.LeaseRevokeResponse{Header: &pb.ResponseHeader{Revision: e.revision()}}
}

// LeaseStatus describes a lease.
type LeaseStatus struct {
	ID         int64
	GrantedTTL int64         // seconds
	Remaining  time.Duration // negative if it has run out and is about to end
	Keys       [][]byte      // in order; nil unless asked for
}

// Leases returns the leases, the one that runs out first first.
func (v *View) Leases(now time.Time) []LeaseStatus {
	s := &v.leases
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor(now)
	all := make([]LeaseStatus, 0, len(s.shown))
	for _, l := range s.shown {
		all = append(all, LeaseStatus{ID: l.id, GrantedTTL: l.ttl, Remaining: l.remaining(now)})
	}
	slices.SortFunc(all, func(a, b LeaseStatus) int {
		if a.Remaining != b.Remaining {
			return int(min(max(a.Remaining-b.Remaining, -1), 1))
		}
		return int(min(max(a.ID-b.ID, -1), 1))
	})
	return all
}

// LeaseTimeToLive describes lease id, with its keys if asked for. The error is
// rpctypes.ErrGRPCLeaseNotFound.
func (v *View) LeaseTimeToLive(id int64, keys bool, now time.Time) (LeaseStatus, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := &v.leases
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor(now)
	l := s.shown[id]
	if l == nil {
		return LeaseStatus{}, rpctypes.ErrGRPCLeaseNotFound
	}
	st := LeaseStatus{ID: id, GrantedTTL: l.ttl, Remaining: l.remaining(now)}
	if !keys {
		return st, nil
	}
	found := make(map[*item]struct{}, len(l.keys))
	look := func(it *item) {
		if x := it.at(v.published); x != nil && x.kv.Lease == id {
			found[it] = struct{}{}
		}
	}
	for it := range l.keys {
		look(it)
	}
	// Keys that an unpublished change took from the lease still count.
	for i := v.history.since(v.published + 1); i < v.history.next; i++ {
		look(v.history.at(i).item)
	}
	st.Keys = make([][]byte, 0, len(found))
	for it := range found {
		st.Keys = append(st.Keys, it.key())
	}
	slices.SortFunc(st.Keys, bytes.Compare)
	return st, nil
}

// KeepAlive lets lease id run from now for its whole time to live again, which
// it returns, in seconds. It is not durable: a lease always has its whole time
// after a restart. The error is rpctypes.ErrGRPCLeaseNotFound, also for a lease
// that has run out and is about to end.
func (v *View) KeepAlive(id int64, now time.Time) (ttl int64, err error) {
	s := &v.leases
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor(now)
	l := s.shown[id]
	if l == nil || l.remaining(now) <= 0 || s.head[id] != l {
		return 0, rpctypes.ErrGRPCLeaseNotFound
	}
	l.expiry = now.Add(time.Duration(l.ttl) * time.Second)
	heap.Fix(&s.queue, l.index)
	return l.ttl, nil
}

// Expired returns the leases that have run out, first come first. Each is to be
// ended by an [Expire].
func (v *View) Expired(now time.Time) []int64 {
	s := &v.leases
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor(now)
	var out []*lease
	s.queue.expired(0, now, &out)
	slices.SortFunc(out, func(a, b *lease) int {
		if c := a.expiry.Compare(b.expiry); c != 0 {
			return c
		}
		return int(min(max(a.id-b.id, -1), 1))
	})
	ids := make([]int64, len(out))
	for i, l := range out {
		ids[i] = l.id
	}
	return ids
}

// leaseQueue is a heap of leases by expiry.
type leaseQueue []*lease

func (q leaseQueue) Len() int           { return len(q) }
func (q leaseQueue) Less(i, j int) bool { return q[i].expiry.Before(q[j].expiry) }
func (q leaseQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *leaseQueue) Push(x any) {
	l := x.(*lease)
	l.index = len(*q)
	*q = append(*q, l)
}

// Pop implements heap.Interface.
func (q *leaseQueue) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	l.index = -1
	return l
}

// expired appends the leases of the heap below i that have run out: no more is visited.
func (q leaseQueue) expired(i int, now time.Time, out *[]*lease) {
	if i >= len(q) || q[i].remaining(now) > 0 {
		return
	}
	*out = append(*out, q[i])
	q.expired(2*i+1, now, out)
	q.expired(2*i+2, now, out)
}
