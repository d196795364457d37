package etcdgw

import (
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// The functions of this file check requests by their bytes alone, before any
// state is looked at, in the order in which etcd checks them: a request with
// several faults gets the error that etcd gives.

// checkRange checks a range request.
func checkRange(r *pb.RangeRequest) error {
	if len(r.Key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if _, ok := pb.RangeRequest_SortOrder_name[int32(r.SortOrder)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	if _, ok := pb.RangeRequest_SortTarget_name[int32(r.SortTarget)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

// checkPut checks a put request.
func checkPut(r *pb.PutRequest) error {
	if len(r.Key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if r.IgnoreValue && len(r.Value) != 0 {
		return rpctypes.ErrGRPCValueProvided
	}
	if r.IgnoreLease && r.Lease != 0 {
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

// checkDelete checks a delete request.
func checkDelete(r *pb.DeleteRangeRequest) error {
	if len(r.Key) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn checks a transaction of at most maxOps compares, and as many
// operations in each branch, counted along nested transactions.
func checkTxn(r *pb.TxnRequest, maxOps int) error {
	if err := checkTxnOps(r, maxOps); err != nil {
		return err
	}
	// Overlaps are looked for last: by now the number of operations is bounded.
	if _, _, err := checkOverlaps(r.Success); err != nil {
		return err
	}
	_, _, err := checkOverlaps(r.Failure)
	return err
}

func checkTxnOps(r *pb.TxnRequest, maxOps int) error {
	ops := max(len(r.Compare), len(r.Success), len(r.Failure))
	if ops > maxOps {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.Compare {
		if len(c.Key) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, branch := range [2][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			if err := checkRequestOp(op, maxOps-ops); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRequestOp(op *pb.RequestOp, maxOps int) error {
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(r.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(r.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(r.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxnOps(r.RequestTxn, maxOps)
	default:
		return rpctypes.ErrGRPCKeyNotFound
	}
}

// checkOverlaps refuses a list of operations that puts a key twice, or puts and
// deletes it, and returns the keys put and the intervals deleted. As in etcd a
// key may be put in both branches of one nested transaction, and the puts of a
// nested transaction are compared with the deletes of those before it only.
func checkOverlaps(ops []*pb.RequestOp) (map[string]struct{}, intervals, error) {
	var dels intervals
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			dels = append(dels, deleteInterval(r))
		}
	}
	dels = dels.merged()

	puts := make(map[string]struct{})
	for _, op := range ops {
		r := op.GetRequestTxn()
		if r == nil {
			continue
		}
		putsThen, delsThen, err := checkOverlaps(r.Success)
		if err != nil {
			return nil, nil, err
		}
		putsElse, delsElse, err := checkOverlaps(r.Failure)
		if err != nil {
			return nil, nil, err
		}
		for k := range putsThen {
			if _, twice := puts[k]; twice || dels.contain(k) {
				return nil, nil, rpctypes.ErrGRPCDuplicateKey
			}
		}
		for k := range putsElse {
			if _, twice := puts[k]; twice || dels.contain(k) {
				return nil, nil, rpctypes.ErrGRPCDuplicateKey
			}
		}
		for k := range putsThen {
			puts[k] = struct{}{}
		}
		for k := range putsElse {
			puts[k] = struct{}{}
		}
		if len(delsThen)+len(delsElse) > 0 {
			dels = append(append(dels, delsThen...), delsElse...).merged()
		}
	}

	for _, op := range ops {
		r := op.GetRequestPut()
		if r == nil {
			continue
		}
		k := string(r.Key)
		if _, twice := puts[k]; twice || dels.contain(k) {
			return nil, nil, rpctypes.ErrGRPCDuplicateKey
		}
		puts[k] = struct{}{}
	}
	return puts, dels, nil
}

// interval is the keys k with begin <= k < end.
type interval struct{ begin, end string }

// intervals is disjoint and ascending once merged.
type intervals []interval

// deleteInterval is the interval that a delete covers when overlaps are looked
// for. As in etcd an end of "\x00" (all keys from begin on) is taken at face
// value and so covers nothing: clients replace a whole keyspace that way.
func deleteInterval(r *pb.DeleteRangeRequest) interval {
	if len(r.RangeEnd) == 0 {
		return interval{string(r.Key), string(r.Key) + "\x00"}
	}
	return interval{string(r.Key), string(r.RangeEnd)}
}

// merged sorts and joins s in place, and drops empty intervals.
func (s intervals) merged() intervals {
	sort.Slice(s, func(i, j int) bool { return s[i].begin < s[j].begin })
	out := s[:0]
	for _, iv := range s {
		switch {
		case iv.begin >= iv.end:
		case len(out) > 0 && iv.begin <= out[len(out)-1].end:
			out[len(out)-1].end = max(out[len(out)-1].end, iv.end)
		default:
			out = append(out, iv)
		}
	}
	return out
}

// contain reports whether k lies in one of the merged intervals.
func (s intervals) contain(k string) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].end > k })
	return i < len(s) && s[i].begin <= k
}

// checkSize refuses a write above the limit. Reads are bounded by gRPC's own
// limit on received messages alone, as in etcd.
func checkSize(r proto.Message, limit int) error {
	if proto.Size(r) > limit {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	return nil
}
