package etcdgw

import (
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// firstChunkKeys is how many keys the first message of a RangeStream holds; the
// number is then doubled and halved to come near MaxRequestBytes.
const firstChunkKeys = 10

// checkRangeStream checks a streamed range request. Orders and filters that need
// the whole result first are not streamed; clients then use Range.
func checkRangeStream(r *pb.RangeRequest) error {
	if err := checkRange(r); err != nil {
		return err
	}
	if r.SortOrder != pb.RangeRequest_NONE &&
		(r.SortTarget != pb.RangeRequest_KEY || r.SortOrder != pb.RangeRequest_ASCEND) {
		return status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")
	}
	if r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0 {
		return status.Error(codes.Unimplemented, "RangeStream does not support revision filters")
	}
	return nil
}

// RangeStream implements KV: the answer of Range at one revision, in messages of
// about MaxRequestBytes. The last one has the header, more and count.
func (s *kvServer) RangeStream(r *pb.RangeRequest, stream pb.KV_RangeStreamServer) error {
	if err := checkRangeStream(r); err != nil {
		return err
	}
	ctx := stream.Context()
	by, err := s.caller(ctx)
	if err != nil {
		return err
	}
	if err := s.auth.CheckRange(by, r.Key, r.RangeEnd); err != nil {
		return err
	}
	s.metrics.ranges.Inc()
	left := r.Limit
	if left == 0 || r.CountOnly { // a negative limit is none, and as in etcd there is one message then
		left = math.MaxInt64
	}
	chunk := min(firstChunkKeys, left)
	var present, sent int64 // the revision when the first was read, and keys
	for {
		r.Limit = chunk
		resp, err := s.view.Range(stream.Context(), r)
		if err != nil {
			return err
		}
		if present == 0 {
			present = resp.Header.Revision
			if r.Revision == 0 {
				r.Revision = present
			}
		}
		left -= int64(len(resp.Kvs))
		sent += int64(len(resp.Kvs))
		if n := len(resp.Kvs); n > 0 {
			lastKey := resp.Kvs[n-1].Key
			r.Key = append(lastKey[:len(lastKey):len(lastKey)], 0)
		}
		out := &pb.RangeResponse{Kvs: resp.Kvs}
		last := !resp.More || left == 0 || len(resp.Kvs) == 0
		if last {
			out.Header, out.More, out.Count = s.header(present), resp.More, sent
			switch {
			case r.CountOnly:
				out.Count = resp.Count
			case resp.More:
				// As etcd counts, which differs from the keys there are where a sort target
				// without an order, not refused, has mixed them up.
				rest, err := s.view.Range(stream.Context(), &pb.RangeRequest{Key: r.Key, RangeEnd: r.RangeEnd, Revision: r.Revision, CountOnly: true})
				if err != nil {
					return err
				}
				out.Count += rest.Count
			}
		}
		if err := stream.Send(&pb.RangeStreamResponse{RangeResponse: out}); err != nil {
			return err
		}
		if last {
			return nil
		}
		switch size := proto.Size(out); {
		case size < s.cfg.MaxRequestBytes/2:
			chunk *= 2
		case size > s.cfg.MaxRequestBytes*2:
			chunk = max(chunk/2, 1)
		}
		chunk = min(chunk, left)
	}
}
