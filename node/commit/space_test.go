package commit

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
)

// TestQuotaAlarm: the put that does not fit raises the alarm; it stops clients
// and nobody else, and it stands until it is disarmed, restarts included.
func TestQuotaAlarm(t *testing.T) {
	ctx := context.Background()
	store := memstore.New()
	cfg := Config{Store: store, Key: key("founder"), Mesh: found(t, store), Quota: 1000, MemberID: func(identity.PublicKey) uint64 { return 7 }}
	reopen := func() *Pipeline {
		p, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := reopen()
	put := func(size int) error {
		_, err := p.Submit(ctx, &pb.PutRequest{Key: []byte("k"), Value: make([]byte, size)})
		return err
	}
	if err := put(100); err != nil {
		t.Fatal(err)
	}
	if err := put(1000); err != rpctypes.ErrGRPCNoSpace {
		t.Fatalf("a put beyond the quota = %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	want := []mvcc.Alarm{{Member: 7, Type: pb.AlarmType_NOSPACE}}
	for range 2 {
		if diff := cmp.Diff(want, p.View().Alarms()); diff != "" {
			t.Fatalf("alarms (-want +got):\n%s", diff)
		}
		if err := put(1); err != rpctypes.ErrGRPCNoSpace {
			t.Errorf("a small put while the alarm stands = %v, want %v", err, rpctypes.ErrGRPCNoSpace)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p = reopen()
	}
	defer func() { p.Close() }()

	b := joined(t, p, "b", 1)
	if _, err := b.Submit(ctx, &pb.PutRequest{Key: []byte("theirs"), Value: make([]byte, 5000)}); err != nil {
		t.Fatal(err)
	}
	meet(t, p, b)
	if p.View().StateHash() != b.View().StateHash() {
		t.Error("another node's put was not taken in while the alarm stands")
	}

	for _, key := range []string{"k", "gone"} {
		if _, err := p.Submit(ctx, &pb.DeleteRangeRequest{Key: []byte(key)}); err != nil {
			t.Errorf("a delete while the alarm stands = %v, want nil", err)
		}
	}
	if _, err := p.Submit(ctx, &pb.CompactionRequest{Revision: p.View().Revision()}); err != nil {
		t.Errorf("a compaction while the alarm stands = %v, want nil", err)
	}
	if _, err := p.Submit(ctx, &pb.DeleteRangeRequest{Key: []byte("theirs")}); err != nil {
		t.Errorf("a delete while the alarm stands = %v, want nil", err)
	}
	if _, err := p.Submit(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: 7, Alarm: pb.AlarmType_NOSPACE}); err != nil {
		t.Fatal(err)
	}
	if err := put(1); err != nil {
		t.Errorf("a put where another node's history is larger than the quota = %v, want nil", err)
	}
	for put(100) == nil { // own history fills it
	}
	if err := put(1); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("a put where history fills the quota = %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	if diff := cmp.Diff(want, p.View().Alarms()); diff != "" {
		t.Errorf("alarms raised again (-want +got):\n%s", diff)
	}
}

// TestAlarmByHand: a put refused by an alarm that was raised by hand does not
// raise another.
func TestAlarmByHand(t *testing.T) {
	p := founder(t)
	if _, err := p.Submit(t.Context(), &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: 3, Alarm: pb.AlarmType_NOSPACE}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte("k")}); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("a put = %v, want %v", err, rpctypes.ErrGRPCNoSpace)
	}
	if got := p.View().Alarms(); len(got) != 1 {
		t.Errorf("alarms: %v, want the one raised by hand", got)
	}
}

// TestLogSpace: little space stops puts, hardly any all requests of clients; other
// nodes' operations go on, and clients too once there is space.
func TestLogSpace(t *testing.T) {
	store := memstore.New()
	var free atomic.Int64
	var broken atomic.Bool
	free.Store(1 << 40)
	p, err := Open(Config{Store: store, Key: key("founder"), Mesh: found(t, store), FreeSpace: func() (int64, error) {
		if broken.Load() {
			return 0, errors.New("no such device")
		}
		return free.Load(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	b := joined(t, p, "b", 1)
	for _, step := range []struct {
		free        int64
		broken      bool
		want        space
		put, delete error
	}{
		{LowSpace, false, spaceAmple, nil, nil},
		{LowSpace - 1, false, spaceLow, rpctypes.ErrGRPCNoSpace, nil},
		{LowSpace + 1, false, spaceLow, rpctypes.ErrGRPCNoSpace, nil},
		{LastSpace - 1, false, spaceLast, rpctypes.ErrGRPCNoSpace, rpctypes.ErrGRPCNoSpace},
		{LastSpace, false, spaceLow, rpctypes.ErrGRPCNoSpace, nil},
		{LowSpace * 2, false, spaceAmple, nil, nil},
		{0, false, spaceLast, rpctypes.ErrGRPCNoSpace, rpctypes.ErrGRPCNoSpace},
		{0, true, spaceAmple, nil, nil},
	} {
		free.Store(step.free)
		broken.Store(step.broken)
		for deadline := time.Now().Add(10 * time.Second); space(p.space.Load()) != step.want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes free are %d, want %d", step.free, p.space.Load(), step.want)
			}
		}
		if low := p.LogSpaceLow(); low != (step.want != spaceAmple) {
			t.Errorf("%d bytes free: LogSpaceLow() = %v", step.free, low)
		}
		if _, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte("k")}); err != step.put {
			t.Errorf("%d bytes free: a put = %v, want %v", step.free, err, step.put)
		}
		if _, err := p.Submit(t.Context(), &pb.DeleteRangeRequest{Key: []byte("k")}); err != step.delete {
			t.Errorf("%d bytes free: a delete = %v, want %v", step.free, err, step.delete)
		}
		if _, err := b.Submit(t.Context(), &pb.PutRequest{Key: []byte("theirs")}); err != nil {
			t.Fatal(err)
		}
		meet(t, p, b)
		if p.View().StateHash() != b.View().StateHash() {
			t.Errorf("%d bytes free: another node's put was not taken in", step.free)
		}
	}
	if got := p.View().Alarms(); len(got) != 0 {
		t.Errorf("alarms after all: %v, want none: this one ends by itself", got)
	}
}
