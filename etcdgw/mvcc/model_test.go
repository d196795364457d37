package mvcc

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// model is etcd as a list of whole states, one per revision.
type model struct {
	states    map[int64]map[string]*mvccpb.KeyValue
	rev       int64
	compacted int64
	leases    map[int64]int64

	// Of the change being made.
	next  map[string]*mvccpb.KeyValue
	wrote bool
}

func newModel() *model {
	return &model{states: map[int64]map[string]*mvccpb.KeyValue{1: {}}, rev: 1, leases: make(map[int64]int64)}
}

func (m *model) begin() { m.next, m.wrote = maps.Clone(m.states[m.rev]), false }

func (m *model) current() int64 {
	if m.wrote {
		return m.rev + 1
	}
	return m.rev
}

func (m *model) commit() {
	if m.wrote {
		m.rev++
		m.states[m.rev] = m.next
	}
}

func inRange(key string, from, end []byte) bool {
	switch {
	case len(end) == 0:
		return key == string(from)
	case string(end) == "\x00":
		return key >= string(from)
	default:
		return key >= string(from) && key < string(end)
	}
}

func keysIn(state map[string]*mvccpb.KeyValue, from, end []byte) []*mvccpb.KeyValue {
	var kvs []*mvccpb.KeyValue
	for k, kv := range state {
		if inRange(k, from, end) {
			kvs = append(kvs, kv)
		}
	}
	sort.Slice(kvs, func(i, j int) bool { return bytes.Compare(kvs[i].Key, kvs[j].Key) < 0 })
	return kvs
}

func copyKV(kv *mvccpb.KeyValue) *mvccpb.KeyValue { return proto.Clone(kv).(*mvccpb.KeyValue) }

// rangeAt answers r where the store is at revision current. state is what
// revision 0 reads.
func (m *model) rangeAt(r *pb.RangeRequest, current, compacted int64, state map[string]*mvccpb.KeyValue) (*pb.RangeResponse, error) {
	if r.Revision > 0 {
		switch {
		case r.Revision>>40 != current>>40, r.Revision < compacted:
			return nil, rpctypes.ErrGRPCCompacted
		case r.Revision > current:
			return nil, rpctypes.ErrGRPCFutureRev
		case r.Revision <= m.rev:
			state = m.states[r.Revision]
		}
	}
	all := keysIn(state, r.Key, r.RangeEnd)
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: current}, Count: int64(len(all))}
	if r.CountOnly {
		return resp, nil
	}
	filters := r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
	kvs := all
	if r.SortOrder == pb.RangeRequest_NONE && !filters && r.Limit > 0 && int64(len(kvs)) > r.Limit+1 {
		kvs = kvs[:r.Limit+1]
	}
	for _, kv := range kvs {
		if (r.MinModRevision == 0 || kv.ModRevision >= r.MinModRevision) && (r.MaxModRevision == 0 || kv.ModRevision <= r.MaxModRevision) &&
			(r.MinCreateRevision == 0 || kv.CreateRevision >= r.MinCreateRevision) && (r.MaxCreateRevision == 0 || kv.CreateRevision <= r.MaxCreateRevision) {
			resp.Kvs = append(resp.Kvs, copyKV(kv))
		}
	}
	order := r.SortOrder
	if order == pb.RangeRequest_NONE && r.SortTarget != pb.RangeRequest_KEY {
		order = pb.RangeRequest_ASCEND // of Limit+1 keys, as etcd happens to do
	}
	sign := map[pb.RangeRequest_SortOrder]int{pb.RangeRequest_ASCEND: 1, pb.RangeRequest_DESCEND: -1}[order]
	if sign != 0 {
		slices.SortStableFunc(resp.Kvs, func(a, b *mvccpb.KeyValue) int {
			switch r.SortTarget {
			case pb.RangeRequest_KEY:
				return sign * bytes.Compare(a.Key, b.Key)
			case pb.RangeRequest_VALUE:
				return sign * bytes.Compare(a.Value, b.Value)
			case pb.RangeRequest_VERSION:
				return sign * int(a.Version-b.Version)
			case pb.RangeRequest_CREATE:
				return sign * int(a.CreateRevision-b.CreateRevision)
			default:
				return sign * int(a.ModRevision-b.ModRevision)
			}
		})
	}
	if r.Limit > 0 && int64(len(resp.Kvs)) > r.Limit {
		resp.Kvs, resp.More = resp.Kvs[:r.Limit], true
	}
	if r.KeysOnly {
		for _, kv := range resp.Kvs {
			kv.Value = nil
			if r.SortTarget != pb.RangeRequest_VALUE {
				kv.Lease = 0
			}
		}
	}
	return resp, nil
}

func (m *model) checkPut(r *pb.PutRequest) error {
	if _, ok := m.leases[r.Lease]; r.Lease != 0 && !ok {
		return rpctypes.ErrGRPCLeaseNotFound
	}
	if (r.IgnoreValue || r.IgnoreLease) && m.states[m.rev][string(r.Key)] == nil {
		return rpctypes.ErrGRPCKeyNotFound
	}
	return nil
}

func (m *model) put(r *pb.PutRequest) *pb.PutResponse {
	m.wrote = true
	old := m.next[string(r.Key)]
	kv := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, CreateRevision: m.rev + 1, ModRevision: m.rev + 1, Version: 1}
	resp := &pb.PutResponse{Header: &pb.ResponseHeader{Revision: m.rev + 1}}
	if old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
		if r.IgnoreValue {
			kv.Value = old.Value
		}
		if r.IgnoreLease {
			kv.Lease = old.Lease
		}
		if r.PrevKv {
			resp.PrevKv = old
		}
	}
	m.next[string(r.Key)] = kv
	return resp
}

func (m *model) del(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	kvs := keysIn(m.next, r.Key, r.RangeEnd)
	resp := &pb.DeleteRangeResponse{Deleted: int64(len(kvs))}
	for _, kv := range kvs {
		m.wrote = true
		delete(m.next, string(kv.Key))
		if r.PrevKv {
			resp.PrevKvs = append(resp.PrevKvs, kv)
		}
	}
	resp.Header = &pb.ResponseHeader{Revision: m.current()}
	return resp
}

func (m *model) holds(c *pb.Compare, state map[string]*mvccpb.KeyValue) bool {
	kvs := keysIn(state, c.Key, c.RangeEnd)
	if len(kvs) == 0 {
		if c.Target == pb.Compare_VALUE {
			return false
		}
		kvs = append(kvs, &mvccpb.KeyValue{})
	}
	for _, kv := range kvs {
		var d int64
		switch c.Target {
		case pb.Compare_VALUE:
			d = int64(bytes.Compare(kv.Value, c.GetValue()))
		case pb.Compare_VERSION:
			d = kv.Version - c.GetVersion()
		case pb.Compare_CREATE:
			d = kv.CreateRevision - c.GetCreateRevision()
		case pb.Compare_MOD:
			d = kv.ModRevision - c.GetModRevision()
		case pb.Compare_LEASE:
			d = kv.Lease - c.GetLease()
		}
		ok := map[pb.Compare_CompareResult]bool{
			pb.Compare_EQUAL: d == 0, pb.Compare_NOT_EQUAL: d != 0, pb.Compare_GREATER: d > 0, pb.Compare_LESS: d < 0,
		}[c.Result]
		if !ok {
			return false
		}
	}
	return true
}

// txn walks a transaction; with a nil check it applies it.
func (m *model) txn(r *pb.TxnRequest, check func(*pb.RequestOp) error) (*pb.TxnResponse, error) {
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: true}
	ops := r.Success
	for _, c := range r.Compare {
		if !m.holds(c, m.states[m.rev]) {
			resp.Succeeded, ops = false, r.Failure
			break
		}
	}
	for _, op := range ops {
		if check != nil {
			if err := check(op); err != nil {
				return nil, err
			}
			if n := op.GetRequestTxn(); n != nil {
				if _, err := m.txn(n, check); err != nil {
					return nil, err
				}
			}
			continue
		}
		out := &pb.ResponseOp{}
		switch t := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			x, err := m.rangeAt(t.RequestRange, m.current(), m.compacted, m.next)
			if err != nil {
				return nil, err
			}
			out.Response = &pb.ResponseOp_ResponseRange{ResponseRange: x}
		case *pb.RequestOp_RequestPut:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: m.put(t.RequestPut)}
		case *pb.RequestOp_RequestDeleteRange:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: m.del(t.RequestDeleteRange)}
		case *pb.RequestOp_RequestTxn:
			x, err := m.txn(t.RequestTxn, nil)
			if err != nil {
				return nil, err
			}
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: x}
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp, nil
}

// evaluate is View.Evaluate.
func (m *model) evaluate(req proto.Message) (proto.Message, error) {
	m.begin()
	defer func() { m.next = nil }()
	switch r := req.(type) {
	case *pb.PutRequest:
		if err := m.checkPut(r); err != nil {
			return nil, err
		}
		resp := m.put(r)
		m.commit()
		return resp, nil
	case *pb.DeleteRangeRequest:
		resp := m.del(r)
		m.commit()
		return resp, nil
	case *pb.TxnRequest:
		_, err := m.txn(r, func(op *pb.RequestOp) error {
			if p := op.GetRequestPut(); p != nil {
				return m.checkPut(p)
			}
			if g := op.GetRequestRange(); g != nil {
				_, err := m.rangeAt(g, m.rev, m.compacted, m.next)
				return err
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		resp, err := m.txn(r, nil)
		if err != nil {
			return nil, err
		}
		m.commit()
		resp.Header.Revision = m.rev
		return resp, nil
	case *pb.CompactionRequest:
		switch {
		case r.Revision <= m.compacted:
			return nil, rpctypes.ErrGRPCCompacted
		case r.Revision > m.rev:
			return nil, rpctypes.ErrGRPCFutureRev
		}
		m.compacted = r.Revision
		return &pb.CompactionResponse{Header: &pb.ResponseHeader{Revision: m.rev}}, nil
	case *pb.LeaseGrantRequest:
		if _, ok := m.leases[r.ID]; ok {
			return nil, rpctypes.ErrGRPCLeaseExist
		}
		m.leases[r.ID] = max(r.TTL, 2)
		return &pb.LeaseGrantResponse{Header: &pb.ResponseHeader{Revision: m.rev}, ID: r.ID, TTL: max(r.TTL, 2)}, nil
	case *pb.LeaseRevokeRequest:
		if _, ok := m.leases[r.ID]; !ok {
			return nil, rpctypes.ErrGRPCLeaseNotFound
		}
		delete(m.leases, r.ID)
		for k, kv := range m.next {
			if kv.Lease == r.ID {
				delete(m.next, k)
				m.wrote = true
			}
		}
		m.commit()
		return &pb.LeaseRevokeResponse{Header: &pb.ResponseHeader{Revision: m.rev}}, nil
	}
	return nil, errors.New("unknown request")
}

func (m *model) drawPut(t *rapid.T) *pb.PutRequest {
	p := &pb.PutRequest{Key: drawKey(t), Value: drawValue(t), PrevKv: rapid.Bool().Draw(t, "prev_kv")}
	switch rapid.IntRange(0, 7).Draw(t, "kind of put") {
	case 0:
		p.IgnoreValue, p.Value = true, nil
	case 1:
		p.IgnoreLease = true
	case 2, 3:
		p.Lease = rapid.Int64Range(1, 3).Draw(t, "lease")
	}
	return p
}

func (m *model) drawRevision(t *rapid.T) int64 {
	switch rapid.IntRange(0, 9).Draw(t, "kind of revision") {
	case 0, 1, 2, 3:
		return 0
	case 4:
		return rapid.Int64Range(1, 3).Draw(t, "window") << 40
	default:
		return rapid.Int64Range(1, m.rev+2).Draw(t, "revision")
	}
}

func (m *model) drawRange(t *rapid.T) *pb.RangeRequest {
	key := drawKey(t)
	r := &pb.RangeRequest{
		Key: key, RangeEnd: drawEnd(t, key), Revision: m.drawRevision(t),
		Limit:      rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 20}).Draw(t, "limit"),
		SortOrder:  pb.RangeRequest_SortOrder(rapid.IntRange(0, 2).Draw(t, "order")),
		SortTarget: pb.RangeRequest_SortTarget(rapid.IntRange(0, 4).Draw(t, "target")),
		KeysOnly:   rapid.Bool().Draw(t, "keys_only"),
		CountOnly:  rapid.IntRange(0, 4).Draw(t, "count_only") == 0,
	}
	bound := func(name string) int64 {
		return rapid.SampledFrom([]int64{0, 0, 0, m.rev / 2, m.rev - 1}).Draw(t, name)
	}
	r.MinModRevision, r.MaxModRevision = bound("min mod"), bound("max mod")
	r.MinCreateRevision, r.MaxCreateRevision = bound("min create"), bound("max create")
	return r
}

func (m *model) drawTxn(t *rapid.T, depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		key := drawKey(t)
		c := &pb.Compare{Key: key, RangeEnd: drawEnd(t, key), Result: pb.Compare_CompareResult(rapid.IntRange(0, 3).Draw(t, "result"))}
		n := rapid.Int64Range(0, m.rev).Draw(t, "operand")
		switch c.Target = pb.Compare_CompareTarget(rapid.IntRange(0, 4).Draw(t, "compare target")); c.Target {
		case pb.Compare_VERSION:
			c.TargetUnion = &pb.Compare_Version{Version: n % 3}
		case pb.Compare_CREATE:
			c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: n}
		case pb.Compare_MOD:
			c.TargetUnion = &pb.Compare_ModRevision{ModRevision: n}
		case pb.Compare_VALUE:
			c.TargetUnion = &pb.Compare_Value{Value: drawValue(t)}
		case pb.Compare_LEASE:
			c.TargetUnion = &pb.Compare_Lease{Lease: n % 4}
		}
		r.Compare = append(r.Compare, c)
	}
	var ops func() []*pb.RequestOp
	used := make(map[string]bool) // etcd refuses a key written twice before the store sees it
	ops = func() []*pb.RequestOp {
		var out []*pb.RequestOp
		for range rapid.IntRange(0, 3).Draw(t, "operations") {
			switch rapid.IntRange(0, 4).Draw(t, "operation") {
			case 0:
				out = append(out, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: m.drawRange(t)}})
			case 1:
				key := drawKey(t)
				d := &pb.DeleteRangeRequest{Key: key, RangeEnd: drawEnd(t, key), PrevKv: true}
				if slices.ContainsFunc(testKeys, func(k string) bool { return used[k] && inRange(k, d.Key, d.RangeEnd) }) {
					continue
				}
				for _, k := range testKeys {
					used[k] = used[k] || inRange(k, d.Key, d.RangeEnd)
				}
				out = append(out, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: d}})
			case 2:
				if depth > 0 {
					n := m.drawTxn(t, depth-1)
					for _, k := range testKeys { // whatever it writes, no one else does
						used[k] = true
					}
					if len(out) == 0 {
						out = append(out, &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: n}})
					}
				}
			default:
				p := m.drawPut(t)
				if !used[string(p.Key)] {
					used[string(p.Key)] = true
					out = append(out, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: p}})
				}
			}
		}
		return out
	}
	r.Success = ops()
	clear(used)
	r.Failure = ops()
	return r
}

// TestModel compares a view with the model, request by request, and what its
// readers see with the model at the revision published.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkModel(t, New(Config{}), func(*Change) {}) })
}

// checkModel compares a new view with the model, and calls check with each change.
func checkModel(t *rapid.T, v *View, check func(*Change)) {
	m := newModel()
	published, compacted := m.rev, m.compacted
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		var req proto.Message
		switch rapid.IntRange(0, 14).Draw(t, "step") {
		case 0:
			req = &pb.CompactionRequest{Revision: rapid.Int64Range(1, m.rev+1).Draw(t, "compact")}
		case 1:
			req = &pb.LeaseGrantRequest{ID: rapid.Int64Range(1, 3).Draw(t, "lease"), TTL: 5}
		case 2:
			req = &pb.LeaseRevokeRequest{ID: rapid.Int64Range(1, 3).Draw(t, "lease")}
		case 3, 4:
			v.Publish()
			published, compacted = m.rev, m.compacted
			continue
		case 5, 6, 7:
			r := m.drawRange(t)
			want, wantErr := m.rangeAt(r, published, compacted, m.states[published])
			got, err := v.Range(context.Background(), r)
			if err != wantErr || err == nil && !proto.Equal(got, want) {
				t.Fatalf("Range(%v) = %v, %v\nwant %v, %v", r, got, err, want, wantErr)
			}
			continue
		case 8, 9:
			req = m.drawTxn(t, 1)
		case 10:
			key := drawKey(t)
			req = &pb.DeleteRangeRequest{Key: key, RangeEnd: drawEnd(t, key), PrevKv: rapid.Bool().Draw(t, "prev_kv")}
		default:
			req = m.drawPut(t)
		}
		before := m.rev
		want, wantErr := m.evaluate(req)
		got, ch, err := v.Evaluate(req, nil, time.Time{}.Add(1))
		if err != wantErr || err == nil && !proto.Equal(got, want) {
			t.Fatalf("Evaluate(%v) = %v, %v\nwant %v, %v", req, got, err, want, wantErr)
		}
		if v.Head() != m.rev {
			t.Fatalf("Evaluate(%v): head %d, want %d", req, v.Head(), m.rev)
		}
		if m.rev != before && (ch == nil || ch.Revision != m.rev) {
			t.Fatalf("Evaluate(%v): change %v, want revision %d", req, ch, m.rev)
		}
		if ch != nil {
			check(ch)
		}
	}
	v.Publish()
	checkView(t, v)
	for rev := max(m.compacted, 1); rev <= m.rev; rev++ {
		all := &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev}
		want, _ := m.rangeAt(all, m.rev, m.compacted, nil)
		if got, err := v.Range(context.Background(), all); err != nil || !proto.Equal(got, want) {
			t.Fatalf("Range(%v) = %v, %v\nwant %v", all, got, err, want)
		}
		count := &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev, CountOnly: true}
		if got, err := v.Range(context.Background(), count); err != nil || got.Count != want.Count {
			t.Fatalf("Range(%v) = %v, %v\nwant %d", count, got, err, want.Count)
		}
	}
}
