package mvcc

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// rangeReply is a response with its header, and room for one key, allocated at once.
type rangeReply struct {
	pb.RangeResponse
	header pb.ResponseHeader
	one    [1]*mvccpb.KeyValue
}

func newRangeReply(revision int64) *rangeReply {
	r := new(rangeReply)
	r.Header = &r.header
	r.header.Revision = revision
	return r
}

// Range answers a range request from the published state, as etcd does. The
// key-values of the response are shared and must not be modified. Errors:
// rpctypes.ErrGRPCCompacted, rpctypes.ErrGRPCFutureRev, and ctx's. Any goroutine
// may call it; a large range does not keep the writer waiting.
func (v *View) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if single(r.RangeEnd) {
		return v.rangeOne(r)
	}
	s := v.acquire()
	defer s.release()
	return s.rangeKeys(ctx, r)
}

// rangeOne is Range for a single key.
func (v *View) rangeOne(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	v.mu.RLock()
	current := v.published
	rev, err := resolve(r.Revision, v.window, current, v.compacted)
	if err != nil {
		v.mu.RUnlock()
		return nil, err
	}
	var x *version
	if it := v.keys[string(r.Key)]; it != nil {
		x = it.at(rev)
	}
	v.mu.RUnlock()
	return answerOne(r, x, current), nil
}

func answerOne(r *pb.RangeRequest, x *version, current int64) *pb.RangeResponse {
	resp := newRangeReply(current)
	if x == nil {
		return &resp.RangeResponse
	}
	resp.Count = 1
	if !r.CountOnly && wanted(r, &x.kv) {
		resp.one[0] = project(r, &x.kv)
		resp.Kvs = resp.one[:]
	}
	return &resp.RangeResponse
}

// rangeKeys answers a range request from the snapshot.
func (s *snapshot) rangeKeys(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev, err := resolve(r.Revision, s.window, s.revision, s.compacted)
	if err != nil {
		return nil, err
	}
	if single(r.RangeEnd) {
		return answerOne(r, s.get(r.Key, rev), s.revision), nil
	}
	resp := newRangeReply(s.revision)
	sp := spanOf(r.Key, r.RangeEnd)
	if r.CountOnly {
		resp.Count, err = s.count(ctx, sp, rev)
		return &resp.RangeResponse, err
	}
	// A limit cuts what is read, unless order or filters need all of it: to one
	// key more than asked for, which is sorted with the others, as etcd does.
	cut := r.Limit > 0 && r.SortOrder == pb.RangeRequest_NONE && !filtered(r)
	err = s.scan(ctx, sp, rev, func(x *version) bool {
		resp.Count++
		if wanted(r, &x.kv) {
			resp.Kvs = append(resp.Kvs, &x.kv)
		}
		return !cut || resp.Count <= r.Limit
	})
	if err != nil {
		return nil, err
	}
	if cut && resp.Count > r.Limit {
		if resp.Count, err = s.count(ctx, sp, rev); err != nil {
			return nil, err
		}
	}
	sortKeys(r, resp.Kvs)
	if r.Limit > 0 && int64(len(resp.Kvs)) > r.Limit {
		resp.Kvs, resp.More = resp.Kvs[:r.Limit], true
	}
	if r.KeysOnly {
		for i, kv := range resp.Kvs {
			resp.Kvs[i] = project(r, kv)
		}
	}
	return &resp.RangeResponse, nil
}

func filtered(r *pb.RangeRequest) bool {
	return r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
}

// wanted applies the request's bounds on revisions.
func wanted(r *pb.RangeRequest, kv *mvccpb.KeyValue) bool {
	return (r.MaxModRevision == 0 || kv.ModRevision <= r.MaxModRevision) &&
		(r.MinModRevision == 0 || kv.ModRevision >= r.MinModRevision) &&
		(r.MaxCreateRevision == 0 || kv.CreateRevision <= r.MaxCreateRevision) &&
		(r.MinCreateRevision == 0 || kv.CreateRevision >= r.MinCreateRevision)
}

// project leaves the value out if only keys are asked for. The lease goes with
// it unless values are sorted by, as in etcd from 3.7 on, which reads neither.
func project(r *pb.RangeRequest, kv *mvccpb.KeyValue) *mvccpb.KeyValue {
	if !r.KeysOnly {
		return kv
	}
	out := &mvccpb.KeyValue{
		Key:            kv.Key,
		CreateRevision: kv.CreateRevision,
		ModRevision:    kv.ModRevision,
		Version:        kv.Version,
	}
	if r.SortTarget == pb.RangeRequest_VALUE {
		out.Lease = kv.Lease
	}
	return out
}

// sortKeys sorts key-values that are in key order as etcd does: a target other
// than the key sorts ascending by default, and after the limit then.
func sortKeys(r *pb.RangeRequest, kvs []*mvccpb.KeyValue) {
	order := r.SortOrder
	if r.SortTarget == pb.RangeRequest_KEY {
		if order == pb.RangeRequest_DESCEND {
			slices.Reverse(kvs)
		}
		return
	}
	var compare func(a, b *mvccpb.KeyValue) int
	switch r.SortTarget {
	case pb.RangeRequest_VERSION:
		compare = func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.Version, b.Version) }
	case pb.RangeRequest_CREATE:
		compare = func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) }
	case pb.RangeRequest_MOD:
		compare = func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.ModRevision, b.ModRevision) }
	case pb.RangeRequest_VALUE:
		compare = func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Value, b.Value) }
	default: // the gateway refuses it
		return
	}
	by := sort.Interface(sortedBy{kvs, compare})
	if order == pb.RangeRequest_DESCEND {
		by = sort.Reverse(by)
	}
	sort.Sort(by)
}

// sortedBy sorts with package sort, whose order of equals is etcd's, though not
// that of the keys: clients that page by anything else see the same of both.
type sortedBy struct {
	kvs     []*mvccpb.KeyValue
	compare func(a, b *mvccpb.KeyValue) int
}

func (s sortedBy) Len() int           { return len(s.kvs) }
func (s sortedBy) Less(i, j int) bool { return s.compare(s.kvs[i], s.kvs[j]) < 0 }
func (s sortedBy) Swap(i, j int)      { s.kvs[i], s.kvs[j] = s.kvs[j], s.kvs[i] }
