// Sync measures reconciliation beside the algorithms of the paper that it
// follows, Kleppmann and Howard's "Byzantine Eventual Consistency and the
// Fundamental Limits of Peer-to-Peer Databases" (arXiv 2012.00472):
//
//	go run ./integration/bench/sync
//
// It prints tables of round trips, of the share of reconciliations that took
// one, and of bytes beside the operations: for the paper's scenario, for the same
// with authors who fork, for operations learned through third parties, and for
// thousands of authors without a shared past. With -svg it also draws them.
// Everything is simulated in memory with real operations, and replays from -seed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "sync:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	seed  uint64
	scale float64
	svg   string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the random scenarios")
	flags.Float64Var(&o.scale, "scale", 1, "how many runs, as a multiple of the usual")
	flags.StringVar(&o.svg, "svg", "", "also draw the charts into this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.scale <= 0 {
		return errors.New("no arguments, and a scale above 0")
	}
	fmt.Fprintf(out, "Seed %d. Bytes are of both sides, with 4 for the length of each message, less the operations that the other lacked.\n", o.seed)
	byLength, err := measureChains(ctx, o, out)
	if err != nil {
		return err
	}
	if err := measureForkers(ctx, o, out); err != nil {
		return err
	}
	if err := measureLarge(ctx, o, out); err != nil {
		return err
	}
	if o.svg == "" {
		return nil
	}
	return draw(o.svg, byLength)
}
