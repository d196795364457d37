package mvcc

import (
	"bytes"
	"cmp"
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// branch is the outcome of a transaction's compares, and of those of the
// transactions nested in the branch taken.
type branch struct {
	succeeded bool
	ops       []*pb.RequestOp
	nested    []*branch // of the nested transactions among ops, in order
}

// decide evaluates all compares before anything is applied, as etcd does.
func (s *snapshot) decide(ctx context.Context, r *pb.TxnRequest) (*branch, error) {
	b := &branch{succeeded: true, ops: r.GetSuccess()}
	for _, c := range r.GetCompare() {
		ok, err := s.holds(ctx, c)
		if err != nil {
			return nil, err
		}
		if !ok {
			b.succeeded, b.ops = false, r.GetFailure()
			break
		}
	}
	for _, op := range b.ops {
		if t, ok := op.GetRequest().(*pb.RequestOp_RequestTxn); ok {
			n, err := s.decide(ctx, t.RequestTxn)
			if err != nil {
				return nil, err
			}
			b.nested = append(b.nested, n)
		}
	}
	return b, nil
}

// holds evaluates a compare: on a range it holds if it does for each key. A
// key that is absent counts as one with zero revisions, but has no value.
func (s *snapshot) holds(ctx context.Context, c *pb.Compare) (bool, error) {
	if single(c.RangeEnd) {
		if x := s.get(c.Key, s.revision); x != nil {
			return compareKey(c, &x.kv), nil
		}
		return compareAbsent(c), nil
	}
	empty, ok := true, true
	err := s.scan(ctx, spanOf(c.Key, c.RangeEnd), s.revision, func(x *version) bool {
		empty, ok = false, compareKey(c, &x.kv)
		return ok
	})
	if empty {
		ok = compareAbsent(c)
	}
	return ok, err
}

func compareAbsent(c *pb.Compare) bool {
	return c.Target != pb.Compare_VALUE && compareKey(c, new(mvccpb.KeyValue))
}

func compareKey(c *pb.Compare, kv *mvccpb.KeyValue) bool {
	var result int
	switch c.Target {
	case pb.Compare_VALUE:
		result = bytes.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		result = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		result = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		result = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		result = cmp.Compare(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return result == 0
	case pb.Compare_NOT_EQUAL:
		return result != 0
	case pb.Compare_GREATER:
		return result > 0
	case pb.Compare_LESS:
		return result < 0
	}
	return true
}

func (v *View) evaluateTxn(e *execution, r *pb.TxnRequest, auth Authorizer) (*pb.TxnResponse, error) {
	ctx := context.Background()
	s := v.headSnapshot()
	b, err := s.decide(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := v.checkBranch(&s, b, &budget{v: v, auth: auth}); err != nil {
		return nil, err
	}
	resp, err := e.branch(ctx, b, auth)
	if err != nil {
		return nil, err
	}
	resp.Header.Revision = e.revision()
	return resp, nil
}

// checkBranch checks, before anything is applied, that nothing of the branch can fail.
func (v *View) checkBranch(s *snapshot, b *branch, budget *budget) error {
	nested := b.nested
	for _, op := range b.ops {
		var err error
		switch t := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			err = s.checkRevision(t.RequestRange.GetRevision())
		case *pb.RequestOp_RequestPut:
			err = v.checkPut(t.RequestPut, budget)
		case *pb.RequestOp_RequestDeleteRange:
			err = v.checkDelete(t.RequestDeleteRange, budget)
		case *pb.RequestOp_RequestTxn:
			err = v.checkBranch(s, nested[0], budget)
			nested = nested[1:]
		default:
			err = rpctypes.ErrGRPCKeyNotFound
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRevision checks the revision of a range in a transaction. A range by
// itself takes every negative one for the present; within a transaction etcd
// finds it compacted, but for -1 while nothing is.
func (s *snapshot) checkRevision(rev int64) error {
	if rev < 0 && (s.compacted > 0 || rev < -1) {
		return rpctypes.ErrGRPCCompacted
	}
	_, err := resolve(rev, s.window, s.revision, s.compacted)
	return err
}

// branch applies a branch that was checked; each operation sees those before it.
func (e *execution) branch(ctx context.Context, b *branch, auth Authorizer) (*pb.TxnResponse, error) {
	resp := newTxnResponse(b)
	nested := b.nested
	for i, op := range b.ops {
		switch t := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			s := snapshot{v: e.v, revision: e.revision(), compacted: e.v.headCompacted, window: e.v.headWindow}
			r, err := s.rangeKeys(ctx, t.RequestRange)
			if err != nil {
				return nil, err
			}
			resp.Responses[i] = rangeOp(r)
		case *pb.RequestOp_RequestPut:
			resp.Responses[i] = &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: e.evaluatePut(t.RequestPut)}}
		case *pb.RequestOp_RequestDeleteRange:
			resp.Responses[i] = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: e.evaluateDelete(t.RequestDeleteRange, auth)}}
		case *pb.RequestOp_RequestTxn:
			r, err := e.branch(ctx, nested[0], auth)
			if err != nil {
				return nil, err
			}
			resp.Responses[i] = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: r}}
			nested = nested[1:]
		}
	}
	return resp, nil
}

// newTxnResponse returns a response whose header has no revision: etcd sets
// that of the outermost one only.
func newTxnResponse(b *branch) *pb.TxnResponse {
	return &pb.TxnResponse{
		Header:    &pb.ResponseHeader{},
		Succeeded: b.succeeded,
		Responses: make([]*pb.ResponseOp, len(b.ops)),
	}
}

func rangeOp(r *pb.RangeResponse) *pb.ResponseOp {
	return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: r}}
}

// ReadOnly reports whether whatever branch a transaction takes only reads:
// such a one may go to [View.ReadTxn].
func ReadOnly(r *pb.TxnRequest) bool { return readOnly(r.GetSuccess()) && readOnly(r.GetFailure()) }

func readOnly(ops []*pb.RequestOp) bool {
	for _, op := range ops {
		switch t := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
		case *pb.RequestOp_RequestTxn:
			if !ReadOnly(t.RequestTxn) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ReadTxn answers a read-only transaction from the published state, all of it
// at one revision. Errors are those of [View.Range], and
// rpctypes.ErrGRPCKeyNotFound for an operation that is not a read. Any goroutine
// may call it.
func (v *View) ReadTxn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	s := v.acquire()
	defer s.release()
	b, err := s.decide(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := s.read(ctx, b)
	if err != nil {
		return nil, err
	}
	resp.Header.Revision = s.revision
	return resp, nil
}

func (s *snapshot) read(ctx context.Context, b *branch) (*pb.TxnResponse, error) {
	resp := newTxnResponse(b)
	nested := b.nested
	for i, op := range b.ops {
		switch t := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			if err := s.checkRevision(t.RequestRange.GetRevision()); err != nil {
				return nil, err
			}
			r, err := s.rangeKeys(ctx, t.RequestRange)
			if err != nil {
				return nil, err
			}
			resp.Responses[i] = rangeOp(r)
		case *pb.RequestOp_RequestTxn:
			r, err := s.read(ctx, nested[0])
			if err != nil {
				return nil, err
			}
			resp.Responses[i] = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: r}}
			nested = nested[1:]
		default:
			return nil, rpctypes.ErrGRPCKeyNotFound
		}
	}
	return resp, nil
}
