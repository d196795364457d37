package mvcc

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestRoom: what has no room is refused and changes nothing.
func TestRoom(t *testing.T) {
	v := New(Config{})
	put := func(key string, size int) error {
		t.Helper()
		before := v.Head()
		_, ch, err := v.Evaluate(&pb.PutRequest{Key: []byte(key), Value: make([]byte, size)}, nil, time.Now())
		if err != nil && (ch != nil || v.Head() != before) {
			t.Errorf("a refused put made revision %d and change %v", v.Head(), ch)
		}
		return err
	}
	v.SetRoom(Room{Writes: 1, Bytes: 1000})
	if err := put("a", 1000); err != ErrNoRoom {
		t.Errorf("a put of 1000 bytes in a room of 1000 = %v, want ErrNoRoom", err)
	}
	if err := put("a", 1000-1-writeOverhead); err != nil {
		t.Errorf("a put that just fits = %v", err)
	}
	v.SetRoom(Room{Writes: 0, Bytes: 1000})
	if err := put("b", 1); err != ErrNoRoom {
		t.Errorf("a put without room for a write = %v, want ErrNoRoom", err)
	}
	v.SetRoom(NoBound)
	if err := put("b", 100_000); err != nil {
		t.Errorf("a put without a bound = %v", err)
	}
}
