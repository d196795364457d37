package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var (
	seedFlag = flag.Uint64("seed", 1, "seed of the random scenarios")
	runsFlag = flag.Int("runs", 75, "how many reconciliations of each kind of fork")
)

// results reconciles pairs of a scenario by one of the algorithms.
func results(t *testing.T, m *mesh, algorithm, runs int, n func(*rand.Rand) int, scenario func(*mesh, *rand.Rand, int) (*pair, error)) *tally {
	t.Helper()
	rng := rand.New(rand.NewPCG(*seedFlag, 0))
	tallies := make([]*tally, len(algorithms))
	tallies[algorithm] = new(tally)
	err := compare(t.Context(), runs, func() (*pair, error) { return scenario(m, rng, n(rng)) }, tallies)
	if err != nil {
		t.Fatalf("seed %d: %v", *seedFlag, err)
	}
	return tallies[algorithm]
}

func founded(t *testing.T, authors int) *mesh {
	t.Helper()
	m, err := newMesh(authors, valueSize)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func always(n int) func(*rand.Rand) int { return func(*rand.Rand) int { return n } }

const ours = 2 // in algorithms

// TestChains: in the paper's scenario one round trip always, and at most 300
// bytes beside the operations, everything counted.
func TestChains(t *testing.T) {
	m := founded(t, 2)
	for _, n := range lengths {
		got := results(t, m, ours, 1, always(n), chains)
		if got.roundTrips != 1 || got.overhead > 300 {
			t.Errorf("n = %d: %d round trips, %d bytes", n, got.roundTrips, got.overhead)
		}
	}
}

// TestPaper: the algorithms of the paper do as it says of them.
func TestPaper(t *testing.T) {
	m := founded(t, 2)
	for _, n := range []int{1, 10, 40} {
		if got := results(t, m, 0, 1, always(n), chains); got.roundTrips != n+1 {
			t.Errorf("algorithm 1, n = %d: %d round trips, want %d", n, got.roundTrips, n+1)
		}
	}
	got := results(t, m, 1, 400, func(rng *rand.Rand) int { return 1 + rng.IntN(60) }, chains)
	if share := float64(got.inOne) / float64(got.runs); share < 0.95 || share > 0.999 {
		t.Errorf("seed %d: algorithm 2 takes one round trip in %v of %d runs, want about 0.977", *seedFlag, share, got.runs)
	}
}

// TestForkers: with a tenth of the operations by an author who forks, known or
// unknown, 99.9% of reconciliations take one round trip. -runs makes it say more.
func TestForkers(t *testing.T) {
	m := founded(t, 3)
	var all tally
	for how := range 4 {
		got := results(t, m, ours, *runsFlag, func(rng *rand.Rand) int { return 10 + rng.IntN(291) }, forkers(how))
		t.Logf("kind %d: %s", how, got)
		all.sum(got)
	}
	if missed := all.runs - all.inOne; missed > 1+all.runs/1000 {
		t.Errorf("seed %d: %d of %d took more than one round trip", *seedFlag, missed, all.runs)
	}
}

// TestThirdParties and TestStrangers: bytes follow what differs.
func TestThirdParties(t *testing.T) {
	got := results(t, founded(t, 4), ours, 1, always(5000), thirdParties)
	if got.roundTrips != 1 || got.overhead > 1000 {
		t.Errorf("seed %d: %d round trips, %d bytes", *seedFlag, got.roundTrips, got.overhead)
	}
}

func TestStrangers(t *testing.T) {
	got := results(t, founded(t, 2400), ours, 1, always(2400), strangers)
	if got.roundTrips != 1 || got.overhead > 5000 {
		t.Errorf("seed %d: %d round trips, %d bytes", *seedFlag, got.roundTrips, got.overhead)
	}
}

// TestCommand: wrong flags are refused, and what is drawn is well-formed.
func TestCommand(t *testing.T) {
	if err := run(t.Context(), []string{"x"}, io.Discard); err == nil {
		t.Error("an argument is no error")
	}
	if err := run(t.Context(), []string{"-scale", "0"}, io.Discard); err == nil || errors.Is(err, flag.ErrHelp) {
		t.Errorf("run -scale 0 = %v", err)
	}
	folder := t.TempDir()
	tallies := make([][]*tally, len(lengths))
	for i := range tallies {
		tallies[i] = newTallies()
		for j, t := range tallies[i] {
			t.add(result{roundTrips: 1 + i*j, overhead: 100 + i*j*1000})
		}
	}
	if err := draw(folder, tallies); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sync-overhead.svg", "sync-round-trips.svg"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(b)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}
