package etcd

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// The functions of this file make requests shorter to write.

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func get(key, end string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

// op wraps a request for a transaction.
func op(req any) *pb.RequestOp {
	switch r := req.(type) {
	case *pb.PutRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	case *pb.RangeRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	case *pb.DeleteRangeRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
	case *pb.TxnRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
	default:
		return &pb.RequestOp{}
	}
}

func ops(reqs ...any) []*pb.RequestOp {
	out := make([]*pb.RequestOp, len(reqs))
	for i, r := range reqs {
		out[i] = op(r)
	}
	return out
}

// txn is a transaction without compares.
func txn(reqs ...any) *pb.TxnRequest { return &pb.TxnRequest{Success: ops(reqs...)} }

// when is a transaction with one compare.
func when(c *pb.Compare, then, otherwise []*pb.RequestOp) *pb.TxnRequest {
	return &pb.TxnRequest{Compare: []*pb.Compare{c}, Success: then, Failure: otherwise}
}

func modIs(key string, rev int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: rev}}
}

func watchOf(key, end string, start int64) *pb.WatchCreateRequest {
	return &pb.WatchCreateRequest{Key: []byte(key), RangeEnd: []byte(end), StartRevision: start}
}
