package mvcc

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// testNow is the time in tests that do not care.
var testNow = time.Unix(1_700_000_000, 0)

// must evaluates a request that must succeed, and publishes.
func must[T proto.Message](t testing.TB, v *View, req proto.Message) T {
	t.Helper()
	resp, _, err := v.Evaluate(req, nil, testNow)
	if err != nil {
		t.Fatalf("Evaluate(%v): %v", req, err)
	}
	v.Publish()
	return resp.(T)
}

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}
