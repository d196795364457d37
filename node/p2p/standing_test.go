package p2p

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func testStandings(bans *[]time.Duration) (*standings, *logBuffer, *time.Time) {
	log := new(logBuffer)
	now := time.Unix(1_700_000_000, 0)
	s := newStandings(slog.New(slog.NewTextHandler(log, nil)), newMetrics(), Timing{}.withDefaults(),
		func(_ peer.ID, d time.Duration) { *bans = append(*bans, d) })
	s.now = func() time.Time { return now }
	return s, log, &now
}

func TestBansGrow(t *testing.T) {
	var bans []time.Duration
	s, _, now := testStandings(&bans)
	for range 3 {
		s.report("a", reasonMalformed, nil)
		s.report("a", reasonMalformed, nil) // during the ban: no second one
		until, banned := s.banned("a")
		if !banned {
			t.Fatal("a lie brought no ban")
		}
		*now = until.Add(time.Second)
		if _, banned := s.banned("a"); banned {
			t.Fatal("the ban does not end")
		}
	}
	if len(bans) != 3 || bans[0] != 30*time.Second || bans[1] != time.Minute || bans[2] != 2*time.Minute {
		t.Errorf("bans = %v, want 30s 1m 2m", bans)
	}
	*now = now.Add(2 * time.Hour)
	s.report("a", reasonMalformed, nil)
	if got := bans[len(bans)-1]; got != 30*time.Second {
		t.Errorf("after two quiet hours the ban is %v, want 30s", got)
	}
}

func TestFaultsAreForgiven(t *testing.T) {
	var bans []time.Duration
	s, _, now := testStandings(&bans)
	for range 100 {
		s.report("slow", reasonStalled, nil)
		s.report("unknown", reasonNotEnrolled, nil)
		*now = now.Add(time.Minute)
	}
	if len(bans) != 0 {
		t.Errorf("%d bans for a stall a minute, want none", len(bans))
	}
	for range 10 {
		s.report("slow", reasonStalled, nil)
	}
	if len(bans) != 1 {
		t.Errorf("%d bans for ten stalls at once, want 1", len(bans))
	}
}

func TestLogIsLimited(t *testing.T) {
	var bans []time.Duration
	s, log, now := testStandings(&bans)
	for range 1000 {
		s.report("a", reasonStalled, nil)
	}
	*now = now.Add(2 * time.Minute)
	s.report("a", reasonStalled, nil)
	if n := strings.Count(log.String(), "peer misbehaved"); n != 2 {
		t.Errorf("%d log lines, want 2: one per interval", n)
	}
}

func TestStandingsAreBounded(t *testing.T) {
	var bans []time.Duration
	s, _, _ := testStandings(&bans)
	s.report("liar", reasonMalformed, nil)
	for i := range 2 * maxStandings {
		s.report(peer.ID(rune(i)), reasonNotEnrolled, nil)
	}
	if len(s.peers) > maxStandings {
		t.Errorf("%d peers are remembered, want at most %d", len(s.peers), maxStandings)
	}
	if _, banned := s.banned("liar"); !banned {
		t.Error("fresh peers pushed out a ban")
	}
	if len(s.metrics.named) > maxMetricPeers {
		t.Errorf("metrics name %d peers, want at most %d", len(s.metrics.named), maxMetricPeers)
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBucket(2, 3, now)
	for i := range 3 {
		if !b.take(1, now) {
			t.Fatalf("take %d of a burst of 3 failed", i)
		}
	}
	if b.take(1, now) {
		t.Error("the bucket gave more than its burst")
	}
	if now = now.Add(time.Second); !b.take(2, now) || b.take(1, now) {
		t.Error("after a second the bucket should give 2")
	}
	if wait := b.owe(4, now); wait != 2*time.Second {
		t.Errorf("owe(4) = %v, want 2s", wait)
	}
}
