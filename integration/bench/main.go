// Bench measures one Causeway node beside a real etcd v3.6 and a gRPC server
// that does nothing, in one run on one disk:
//
//	go run ./integration/bench
//
// Each round starts one server at a time on an empty directory, in turn,
// drives it with the same closed-loop clients (1,000 on 100 connections, then
// one alone), and stops it. It prints every round, the medians, and the ratios of the
// rounds' pairs: the machine's speed may drift between rounds, a ratio within one round
// does not. Nothing is asserted: a benchmark reports.
//
// The servers are real processes: causeway and etcd are built from the
// modules (integration/reference pins etcd), and talk over loopback TCP.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the command's flags.
type options struct {
	clients  int
	conns    int
	rounds   int
	duration time.Duration
	warmup   time.Duration
	keys     int
	value    int
	dir      string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == echoCommand {
		if err := serveEcho(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench echo:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.clients, "clients", 1000, "closed-loop clients of the loaded run")
	flag.IntVar(&o.conns, "conns", 100, "connections they share")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; each measures every server once")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "counted time of each measurement")
	flag.DurationVar(&o.warmup, "warmup", time.Second, "time before it that is not counted")
	flag.IntVar(&o.keys, "keys", 100_000, "distinct keys")
	flag.IntVar(&o.value, "value", 256, "value size in bytes")
	flag.StringVar(&o.dir, "dir", "", "where to put data directories (default: a temporary directory)")
	flag.Parse()
	if o.value < 8 || o.keys < 1 || o.clients < 1 || o.conns < 1 || o.rounds < 1 {
		fmt.Fprintln(os.Stderr, "bench: values have at least 8 bytes; keys, clients, conns and rounds are at least 1")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "causeway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := build(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d clients on %d connections, then 1 on 1; puts of %d bytes over %d keys; %v per measurement after %v\n\n",
		o.clients, o.conns, o.value, o.keys, o.duration, o.warmup)
	t := newTable(servers)
	for round := range o.rounds {
		for i := range servers {
			// Rotate the order, so that none always runs first.
			s := servers[(round+i)%len(servers)]
			m, err := measure(ctx, s, filepath.Join(dir, fmt.Sprintf("%s-%d", s.Name, round)), o)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			t.add(s.Name, m)
			fmt.Printf("round %d  %-9s %s\n", round+1, s.Name, m)
		}
	}
	fmt.Println()
	t.print(os.Stdout)
	return nil
}
