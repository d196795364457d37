package etcdgw

import (
	"slices"
	"sort"
	"strings"

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
func checkOverlaps(ops []*pb.RequestOp) (keySet, intervals, error) {
	var dels intervals
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			dels = append(dels, deleteInterval(r))
		}
	}
	dels = dels.merged()

	puts := make(keySet)
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
		for _, nested := range [2]keySet{putsThen, putsElse} {
			if puts.meets(nested) || dels.meet(nested) {
				return nil, nil, rpctypes.ErrGRPCDuplicateKey
			}
		}
		puts = puts.union(putsThen).union(putsElse)
		dels = dels.union(delsThen).union(delsElse)
	}

	for _, op := range ops {
		r := op.GetRequestPut()
		if r == nil {
			continue
		}
		k := string(r.Key)
		if puts.has(k) || dels.contain(k) {
			return nil, nil, rpctypes.ErrGRPCDuplicateKey
		}
		puts[k] = struct{}{}
	}
	return puts, dels, nil
}

// keySet is a set of keys. Two are compared and united at the cost of the
// smaller one: transactions may be nested deeply.
type keySet map[string]struct{}

func (s keySet) has(k string) bool {
	_, ok := s[k]
	return ok
}

// meets reports whether s and t have a key in common.
func (s keySet) meets(t keySet) bool {
	if len(t) > len(s) {
		s, t = t, s
	}
	for k := range t {
		if s.has(k) {
			return true
		}
	}
	return false
}

// union returns the union of s and t, and leaves neither fit for use.
func (s keySet) union(t keySet) keySet {
	if len(t) > len(s) {
		s, t = t, s
	}
	for k := range t {
		s[k] = struct{}{}
	}
	return s
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
	slices.SortFunc(s, func(a, b interval) int { return strings.Compare(a.begin, b.begin) })
	out := s[:0]
	for _, iv := range s {
		out = out.join(iv)
	}
	return out
}

// join appends an interval that begins no earlier than the last of s.
func (s intervals) join(iv interval) intervals {
	switch last := len(s) - 1; {
	case iv.begin >= iv.end:
		return s
	case last >= 0 && iv.begin <= s[last].end:
		s[last].end = max(s[last].end, iv.end)
		return s
	default:
		return append(s, iv)
	}
}

// union returns the union of two merged lists, merged.
func (s intervals) union(t intervals) intervals {
	if len(t) == 0 {
		return s
	}
	out := make(intervals, 0, len(s)+len(t))
	for len(s) > 0 && len(t) > 0 {
		if s[0].begin <= t[0].begin {
			out, s = out.join(s[0]), s[1:]
		} else {
			out, t = out.join(t[0]), t[1:]
		}
	}
	for _, rest := range [2]intervals{s, t} {
		for _, iv := range rest {
			out = out.join(iv)
		}
	}
	return out
}

// contain reports whether k lies in one of the merged intervals.
func (s intervals) contain(k string) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].end > k })
	return i < len(s) && s[i].begin <= k
}

// meet reports whether a key lies in one of the merged intervals.
func (s intervals) meet(keys keySet) bool {
	if len(s) == 0 {
		return false
	}
	for k := range keys {
		if s.contain(k) {
			return true
		}
	}
	return false
}

// checkSize refuses a write above the limit. Reads are bounded by gRPC's own
// limit on received messages alone, as in etcd.
func checkSize(r proto.Message, limit int) error {
	if proto.Size(r) > limit {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	return nil
}
