package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func TestParseRetention(t *testing.T) {
	for _, tt := range []struct {
		mode, text string
		want       retention
		ok         bool
	}{
		{CompactPeriodic, "", retention{}, true},
		{CompactPeriodic, "0", retention{}, true},
		{CompactPeriodic, "1", retention{time: time.Hour}, true},
		{CompactPeriodic, "5m", retention{time: 5 * time.Minute}, true},
		{CompactPeriodic, "-1", retention{}, false},
		{CompactPeriodic, "-5m", retention{}, false},
		{CompactPeriodic, "5x", retention{}, false},
		{CompactPeriodic, "9999999999", retention{}, false},
		{CompactPeriodic, "1ms", retention{}, false},
		{CompactRevision, "0", retention{}, true},
		{CompactRevision, "1000", retention{revisions: 1000}, true},
		{CompactRevision, "5m", retention{}, false},
		{CompactRevision, "-5", retention{}, false},
		{"sometimes", "5", retention{}, false},
	} {
		got, err := parseRetention(tt.mode, tt.text)
		if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("parseRetention(%s, %q) = %v, %v, want %v, %v", tt.mode, tt.text, got, err, tt.want, tt.ok)
		}
	}
}

// compactions runs a compactor for a time, in which the revision grows by one
// each minute, and returns what it compacted to, and after how many minutes.
// fail fails a compaction.
func compactions(t *testing.T, keep retention, minutes int, fail func(n int) error) (revs []int64, at []int) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		passed := func() int { return int(time.Since(start) / time.Minute) }
		ctx, cancel := context.WithCancel(t.Context())
		c := compactor{
			keep: keep, ready: func() bool { return true },
			revision: func() int64 { return int64(1 + passed()) },
			compact: func(_ context.Context, rev int64) error {
				revs, at = append(revs, rev), append(at, passed())
				return fail(len(revs))
			},
			log: slog.New(slog.DiscardHandler),
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.run(ctx) })
		time.Sleep(time.Duration(minutes)*time.Minute + time.Second)
		cancel()
		wg.Wait()
	})
	return revs, at
}

// TestAutoCompaction checks when what is compacted. As etcd's, the compactor of
// a time keeps up to one sample more than it.
func TestAutoCompaction(t *testing.T) {
	never := func(int) error { return nil }
	for _, tt := range []struct {
		name    string
		keep    retention
		minutes int
		fail    func(int) error
		revs    []int64
		at      []int
	}{
		{"off", retention{}, 100, never, nil, nil},
		{"half an hour", retention{time: 30 * time.Minute}, 100, never, []int64{1, 28, 58}, []int{30, 60, 90}},
		{"three hours", retention{time: 3 * time.Hour}, 310, never, []int64{1, 55, 115}, []int{180, 240, 300}},
		{"failing at first", retention{time: 10 * time.Minute}, 22, func(n int) error {
			if n <= 2 {
				return errors.New("no")
			}
			return nil
		}, []int64{1, 1, 2, 12}, []int{10, 11, 12, 22}},
		{"compacted by others", retention{time: 10 * time.Minute}, 22, func(int) error { return rpctypes.ErrGRPCCompacted }, []int64{1, 10}, []int{10, 20}},
		{"ten revisions", retention{revisions: 10}, 21, never, []int64{1, 6, 11}, []int{10, 15, 20}},
		{"ten revisions, failing", retention{revisions: 10}, 16, func(int) error { return errors.New("no") }, []int64{1, 6}, []int{10, 15}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			revs, at := compactions(t, tt.keep, tt.minutes, tt.fail)
			if !slices.Equal(revs, tt.revs) || !slices.Equal(at, tt.at) {
				t.Errorf("compacted to %v after %v minutes, want %v after %v", revs, at, tt.revs, tt.at)
			}
		})
	}
}

// TestAutoCompactionOfNode checks that a node compacts by itself, and stops with it.
func TestAutoCompactionOfNode(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.AutoCompactionRetention = "100ms"
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	kv := pb.NewKVClient(client(t, n))
	deadline := time.Now().Add(10 * time.Second)
	for n.pipeline.View().CompactRevision() < 3 {
		if time.Now().After(deadline) {
			t.Fatalf("compact revision %d after ten seconds, want 3 or more", n.pipeline.View().CompactRevision())
		}
		if _, err := kv.Put(t.Context(), &pb.PutRequest{Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := n.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
}
