package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
)

// algorithms are what is compared, in the tables' order.
var algorithms = []struct {
	name string
	run  func(p *pair) (result, error)
}{
	{"algorithm 1", func(p *pair) (result, error) { return reconcileBec(p.a, p.b, false, p.anchor) }},
	{"algorithm 2", func(p *pair) (result, error) { return reconcileBec(p.a, p.b, true, p.anchor) }},
	{"causeway", func(p *pair) (result, error) { return reconcileOurs(p.a, p.b, &p.memory) }},
}

// A tally sums the results of one algorithm.
type tally struct{ runs, roundTrips, inOne, overhead, most int }

func (t *tally) add(r result) {
	t.runs++
	t.roundTrips += r.roundTrips
	if r.roundTrips == 1 {
		t.inOne++
	}
	t.overhead += r.overhead
	t.most = max(t.most, r.overhead)
}

func (t tally) String() string {
	return fmt.Sprintf("%10.3f %9.2f%% %10.0f %10d", float64(t.roundTrips)/float64(t.runs),
		100*float64(t.inOne)/float64(t.runs), float64(t.overhead)/float64(t.runs), t.most)
}

const header = "%-28s %-12s %6s %10s %10s %10s %10s\n"

func printHeader(out io.Writer, title string) {
	fmt.Fprintf(out, "\n%s\n\n"+header, title, "", "", "runs", "trips", "in one", "bytes", "at most")
}

// compare reconciles pairs of a scenario by those algorithms that have a tally.
func compare(ctx context.Context, runs int, scenario func() (*pair, error), tallies []*tally) error {
	for range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := scenario()
		if err != nil {
			return err
		}
		for i, t := range tallies {
			if t == nil {
				continue
			}
			c := p
			if i < len(tallies)-1 { // the last one may have the original
				if c, err = p.clone(); err != nil {
					return err
				}
			}
			r, err := algorithms[i].run(c)
			if err != nil {
				return fmt.Errorf("%s: %w", algorithms[i].name, err)
			}
			t.add(r)
		}
	}
	return nil
}

// lengths are the n of the paper's figure.
var lengths = []int{1, 3, 10, 30, 100, 300, 1000}

// runsOf returns how often a scenario of length n is run.
func (o options) runsOf(n int) int {
	return max(1, int(o.scale*float64(min(1000, 40_000/n))))
}

// valueSize is the length of the values written, in bytes, as in the paper.
const valueSize = 1000

// measureChains is the paper's evaluation. It returns the tallies by length and algorithm.
func measureChains(ctx context.Context, o options, out io.Writer) ([][]*tally, error) {
	printHeader(out, "The paper's scenario: n common operations, then n more at each of two nodes, of 1,000 bytes.")
	var all [][]*tally
	total := newTallies()
	for _, n := range lengths {
		m, err := newMesh(2, valueSize)
		if err != nil {
			return nil, err
		}
		rng := rand.New(rand.NewPCG(o.seed, uint64(n)))
		tallies := newTallies()
		if err := compare(ctx, o.runsOf(n), func() (*pair, error) { return chains(m, rng, n) }, tallies); err != nil {
			return nil, err
		}
		printTallies(out, fmt.Sprintf("n = %d", n), tallies)
		for i, t := range tallies {
			total[i].sum(t)
		}
		all = append(all, tallies)
	}
	printTallies(out, "all", total)
	return all, nil
}

func newTallies() []*tally {
	tallies := make([]*tally, len(algorithms))
	for i := range tallies {
		tallies[i] = new(tally)
	}
	return tallies
}

func (t *tally) sum(b *tally) {
	t.runs += b.runs
	t.roundTrips += b.roundTrips
	t.inOne += b.inOne
	t.overhead += b.overhead
	t.most = max(t.most, b.most)
}

func printTallies(out io.Writer, title string, tallies []*tally) {
	for i, t := range tallies {
		if t != nil {
			fmt.Fprintf(out, "%-28s %-12s %6d %s\n", title, algorithms[i].name, t.runs, t)
			title = ""
		}
	}
}

// measureForkers is the same with a tenth of the operations by an author who forks.
func measureForkers(ctx context.Context, o options, out io.Writer) error {
	printHeader(out, "The same, one operation in ten by an author who forks; n = 10 to 300.")
	total := newTallies()
	total[0] = nil
	for how, title := range []string{
		forkNew:    "fork new to both",
		forkLater:  "fork new, after shared ops",
		forkKnown:  "fork known to both",
		forkOneWay: "fork known to one",
	} {
		m, err := newMesh(3, 16)
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(o.seed, uint64(1_000_000+how)))
		tallies := newTallies()
		tallies[0] = nil
		scenario := func() (*pair, error) { return forkers(how)(m, rng, 10+rng.IntN(291)) }
		if err := compare(ctx, max(1, int(500*o.scale)), scenario, tallies); err != nil {
			return err
		}
		printTallies(out, title, tallies)
		for i, t := range tallies {
			if t != nil {
				total[i].sum(t)
			}
		}
	}
	printTallies(out, "all", total)
	return nil
}

// measureLarge runs the two scenarios in which a filter of operations is large.
func measureLarge(ctx context.Context, o options, out io.Writer) error {
	printHeader(out, "Much in common that both got from others.")
	for _, c := range []struct {
		title      string
		authors, n int
		runs       int
		scenario   func(m *mesh, rng *rand.Rand, n int) (*pair, error)
	}{
		{"4 authors, 100,000 in common", 4, 100_000, 1, thirdParties},
		{"10,000 authors, never met", 10_000, 10_000, 5, strangers},
	} {
		m, err := newMesh(c.authors, 16)
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(o.seed, uint64(c.n)))
		tallies := newTallies()
		tallies[0] = nil
		scenario := func() (*pair, error) { return c.scenario(m, rng, c.n) }
		if err := compare(ctx, max(1, int(float64(c.runs)*o.scale)), scenario, tallies); err != nil {
			return err
		}
		printTallies(out, c.title, tallies)
	}
	return nil
}
