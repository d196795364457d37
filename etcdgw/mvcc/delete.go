package mvcc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

func (v *View) evaluateDelete(e *execution, r *pb.DeleteRangeRequest, auth Authorizer) (*pb.DeleteRangeResponse, error) {
	b := budget{auth: auth}
	if err := v.checkDelete(r, &b); err != nil {
		return nil, err
	}
	return e.evaluateDelete(r, auth), nil
}

// checkDelete checks a delete against the head before anything is applied.
func (v *View) checkDelete(r *pb.DeleteRangeRequest, b *budget) error {
	if !single(r.RangeEnd) && b.wholeRange(r.Key, r.RangeEnd) {
		return b.allow(len(r.Key) + len(r.RangeEnd))
	}
	for _, it := range v.visibleIn(r.Key, r.RangeEnd) {
		if err := b.key(it.key, 0); err != nil {
			return err
		}
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
// if that is allowed, else key by key.
func (e *execution) evaluateDelete(r *pb.DeleteRangeRequest, auth Authorizer) *pb.DeleteRangeResponse {
	resp := &pb.DeleteRangeResponse{Header: &pb.ResponseHeader{}}
	items := e.v.visibleIn(r.Key, r.RangeEnd)
	if r.PrevKv && len(items) > 0 {
		resp.PrevKvs = make([]*mvccpb.KeyValue, len(items))
		for i, it := range items {
			resp.PrevKvs[i] = &it.visible().kv
		}
	}
	b := budget{auth: auth}
	switch {
	case len(items) == 0:
	case !single(r.RangeEnd) && b.wholeRange(r.Key, r.RangeEnd):
		e.deleteSpan(r.Key, upper(r.RangeEnd), items)
	default:
		for _, it := range items {
			e.delete(it)
		}
	}
	resp.Deleted = int64(len(items))
	resp.Header.Revision = e.revision()
	return resp
}
