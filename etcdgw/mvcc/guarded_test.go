package mvcc

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// TestGuarded checks that a guard sees the head, unpublished changes included,
// and that what it refuses is not applied.
func TestGuarded(t *testing.T) {
	v := New(Config{})
	must[*pb.LeaseGrantResponse](t, v, &pb.LeaseGrantRequest{ID: 7, TTL: 10})
	must[*pb.PutResponse](t, v, leased("b", 7))
	if _, _, err := v.Evaluate(leased("a", 7), nil, testNow); err != nil { // not published
		t.Fatal(err)
	}
	errNo := errors.New("no")
	var seen, none [][]byte
	refuse := func(keys func(int64) [][]byte) error {
		seen, none = keys(7), keys(8)
		return errNo
	}
	for _, req := range []proto.Message{leased("c", 7), &pb.LeaseRevokeRequest{ID: 7}, &pb.CompactionRequest{Revision: 2}} {
		_, ch, err := v.Evaluate(&Guarded{req, refuse}, nil, testNow)
		if err != errNo || ch != nil {
			t.Errorf("Evaluate(%v, refused) = %v, %v, want %v", req, ch, err, errNo)
		}
		if diff := cmp.Diff([][]byte{[]byte("a"), []byte("b")}, seen); diff != "" || none != nil {
			t.Errorf("the guard sees under lease 7 (-want +got):\n%sand %q under none", diff, none)
		}
	}
	allow := func(func(int64) [][]byte) error { return nil }
	if _, ch, err := v.Evaluate(&Guarded{leased("c", 7), allow}, nil, testNow); err != nil || ch == nil {
		t.Errorf("Evaluate(put, allowed) = %v, %v, want a change", ch, err)
	}
}

// TestWatchRefused checks that a refusal takes its place among the answers.
func TestWatchRefused(t *testing.T) {
	v := New(Config{})
	s := v.NewWatchStream()
	defer s.Close()
	if err := s.Watch(t.Context(), &pb.WatchCreateRequest{Key: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refuse(t.Context(), "because"); err != nil {
		t.Fatal(err)
	}
	if err := s.Watch(t.Context(), &pb.WatchCreateRequest{Key: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []*pb.WatchResponse{
		{Created: true},
		{Created: true, Canceled: true, WatchId: -1, CancelReason: "because"},
		{Created: true, WatchId: 1},
	} {
		want.Header = &pb.ResponseHeader{Revision: 1}
		got, err := s.Recv(t.Context())
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("answer %d = %v, %v, want %v", i, got, err, want)
		}
	}
}
