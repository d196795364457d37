// Join measures how fast a fresh node takes in a mesh's whole history from
// another over loopback, beside the rate at which the same machine verifies the
// signatures of the same operations in batches and writes them durably:
//
//	go run ./integration/bench/join -ops 1000000
//
// Both nodes are real causeway processes that talk libp2p and keep their logs
// in leveldb. The mesh is made first, offline, and kept in -data for the next
// run. With -cuts N the fresh node is killed N times on its way and started again.
// Nothing is asserted: a benchmark reports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/causeway-sync/causeway/dag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "join:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	ops     int
	authors int
	value   int
	keys    int
	cuts    int
	seed    uint64
	data    string
	profile string
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("join", flag.ContinueOnError)
	flags.IntVar(&o.ops, "ops", 100_000, "operations of the mesh")
	flags.IntVar(&o.authors, "authors", 4, "nodes that wrote them")
	flags.IntVar(&o.value, "value", 100, "size of the value that each writes, in bytes")
	flags.IntVar(&o.keys, "keys", 100_000, "distinct keys")
	flags.IntVar(&o.cuts, "cuts", 0, "how often the fresh node is killed on its way")
	flags.Uint64Var(&o.seed, "seed", 1, "where it is killed")
	flags.StringVar(&o.data, "data", "", "keep the mesh in this folder and reuse it, until a format changes (default: a temporary one)")
	flags.StringVar(&o.profile, "profile", "", "write processor profiles of both nodes into this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.ops < 1 || o.authors < 1 || o.authors > maxAuthors || o.value < 0 || o.keys < 1 || o.cuts < 0 {
		return fmt.Errorf("no arguments; ops, authors and keys from 1, at most %d authors; value and cuts from 0", maxAuthors)
	}
	scratch, err := os.MkdirTemp("", "causeway-join-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if o.data == "" {
		o.data = scratch
	}
	m := mesh{options: o, dir: filepath.Join(o.data, fmt.Sprintf("mesh-v%d-%d-%d-%d-%d", dag.Version, o.ops, o.authors, o.value, o.keys))}
	if err := m.make(ctx, out); err != nil {
		return err
	}
	c, err := measureCeiling(ctx, m.dir, filepath.Join(scratch, "ceiling"), o.ops)
	if err != nil {
		return err
	}
	c.print(out)
	j := join{options: o, origin: m.dir, fresh: filepath.Join(scratch, "fresh"), held: c}
	if err := j.build(ctx, scratch); err != nil {
		return err
	}
	defer j.stop()
	return j.run(ctx, out)
}
