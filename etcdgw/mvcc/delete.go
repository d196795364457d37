package mvcc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

func (v *View) evaluateDelete(e *execution, r *pb.DeleteRangeRequest, auth Authorizer) (*pb.DeleteRangeResponse, error) {
	b := budget{v: v, auth: auth}
	if err := v.checkDelete(r, &b); err != nil {
		return nil, err
	}
	return e.evaluateDelete(r, auth), nil
}

// checkDelete checks a delete against the head before anything is applied. A
// range that goes with one write passes over what the node may not delete, at
// other nodes; here the request fails.
func (v *View) checkDelete(r *pb.DeleteRangeRequest, b *budget) error {
	items := v.visibleIn(r.Key, r.RangeEnd)
	if single(r.RangeEnd) {
		for _, it := range items {
			return b.key(it.key(), 0)
		}
		return nil
	}
	whole := b.wholeRange(r.Key, r.RangeEnd)
	local := false
	for _, it := range items {
		var err error
		switch {
		case it.local:
			local = true
		case whole:
			err = b.mayWrite(it.key())
		default:
			err = b.key(it.key(), 0)
		}
		if err != nil {
			return err
		}
	}
	size := len(r.Key) + len(r.RangeEnd)
	if whole {
		if err := b.allow(size, false); err != nil {
			return err
		}
	}
	if local {
		return b.allow(size, true)
	}
	return nil
}

// visibleIn returns the items of etcd's range that are visible at the head. For the writer.
func (v *View) visibleIn(key, end []byte) []*item {
	if single(end) {
		if it := v.keys[string(key)]; it != nil && it.visible() != nil {
			return []*item{it}
		}
		return nil
	}
	return v.visibleSpan(spanOf(key, end))
}

// visibleSpan is visibleIn for a span.
func (v *View) visibleSpan(s span) []*item {
	var items []*item
	v.live.Ascend(entry{name: s.key}, func(x entry) bool {
		if !s.below(x.name) {
			return false
		}
		items = append(items, x.item)
		return true
	})
	return items
}

// evaluateDelete applies a delete that was checked: of a range with one write
// if that is allowed, else key by key. Of local keys it always is.
func (e *execution) evaluateDelete(r *pb.DeleteRangeRequest, auth Authorizer) *pb.DeleteRangeResponse {
	resp := &pb.DeleteRangeResponse{Header: &pb.ResponseHeader{}}
	items := e.v.visibleIn(r.Key, r.RangeEnd)
	if r.PrevKv && len(items) > 0 {
		resp.PrevKvs = make([]*mvccpb.KeyValue, len(items))
		for i, it := range items {
			resp.PrevKvs[i] = &it.visible().kv
		}
	}
	resp.Deleted = int64(len(items))
	if !single(r.RangeEnd) {
		b := budget{v: e.v, auth: auth}
		for _, local := range [...]bool{false, true} {
			of := ofNamespace(items, local)
			switch {
			case len(of) == 0:
			case local || b.wholeRange(r.Key, r.RangeEnd):
				e.deleteSpan(r.Key, upper(r.RangeEnd), of, local)
			default:
				e.deleteEach(of)
			}
		}
	} else {
		e.deleteEach(items)
	}
	resp.Header.Revision = e.revision()
	return resp
}

func (e *execution) deleteEach(items []*item) {
	for _, it := range items {
		e.delete(it)
	}
}

// ofNamespace returns those of items, which are visible, that show a value of the namespace.
func ofNamespace(items []*item, local bool) []*item {
	of := make([]*item, 0, len(items))
	for _, it := range items {
		if it.local == local {
			of = append(of, it)
		}
	}
	return of
}
