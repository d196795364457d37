package etcdgw

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestRangeStreamNegativeLimit: a negative limit is none, and all comes at once, as in etcd.
func TestRangeStreamNegativeLimit(t *testing.T) {
	s := newSite(t)
	for i := range 3 * firstChunkKeys {
		s.submitPut(t, fmt.Sprintf("k%03d", i), "v")
	}
	stream, err := s.kv.RangeStream(testContext(t), &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	all, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if r := all.RangeResponse; len(r.Kvs) != 3*firstChunkKeys || r.Count != 3*firstChunkKeys || r.Header == nil {
		t.Errorf("the first message has %d keys of %d, header %v; want all", len(r.Kvs), r.Count, r.Header)
	}
}
