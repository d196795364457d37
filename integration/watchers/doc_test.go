// Package watchers watches one real node with many watchers at once, over real
// sockets, and checks what each of them was sent against what was written:
// every event of its range, once, in order.
//
// TestManyWatchers and TestStalledWatchers take some seconds with a small
// fleet. The sizes that docs/performance.md states are run by
//
//	go test ./integration/watchers -v -full -timeout 10m
//
// and each of them can be set by a flag of its own.
package watchers

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/integration/harness"
)

// size is how large a run is.
type size struct {
	watchers int           // in all
	whole    int           // of them, those of the whole keyspace
	streams  int           // they are spread over
	conns    int           // the streams share
	rate     int           // writes per second
	duration time.Duration // of the writing

	stalled int           // watchers that stop reading
	stall   time.Duration // for how long
}

var (
	small = size{
		watchers: 1000, whole: 20, streams: 40, conns: 8, rate: 500, duration: 2 * time.Second,
		stalled: 40, stall: 4 * time.Second,
	}
	large = size{
		watchers: 10_000, whole: 50, streams: 200, conns: 20, rate: 1000, duration: time.Minute,
		stalled: 100, stall: 15 * time.Second,
	}

	full  = flag.Bool("full", false, "run 10,000 watchers and 1,000 writes a second for a minute")
	given = size{}
)

func TestMain(m *testing.M) {
	flag.IntVar(&given.watchers, "watchers", 0, "watchers in all")
	flag.IntVar(&given.whole, "whole", 0, "watchers of the whole keyspace")
	flag.IntVar(&given.streams, "streams", 0, "streams that the watchers are spread over")
	flag.IntVar(&given.conns, "conns", 0, "connections that the streams share")
	flag.IntVar(&given.rate, "rate", 0, "writes per second")
	flag.DurationVar(&given.duration, "duration", 0, "how long to write")
	flag.IntVar(&given.stalled, "stalled", 0, "watchers that stop reading")
	flag.DurationVar(&given.stall, "stall", 0, "how long they do")
	flag.Parse()
	harness.Main(m)
}

// chosen returns the size that the flags ask for.
func chosen() size {
	s := small
	if *full {
		s = large
	}
	for _, f := range []struct{ set, by *int }{
		{&s.watchers, &given.watchers}, {&s.whole, &given.whole}, {&s.streams, &given.streams},
		{&s.conns, &given.conns}, {&s.rate, &given.rate}, {&s.stalled, &given.stalled},
	} {
		if *f.by != 0 {
			*f.set = *f.by
		}
	}
	if given.duration != 0 {
		s.duration = given.duration
	}
	if given.stall != 0 {
		s.stall = given.stall
	}
	return s
}

// needProc skips the test where memory cannot be read.
func needProc(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory is read from /proc")
	}
}
