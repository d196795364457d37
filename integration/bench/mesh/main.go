// Mesh measures what a put costs the nodes of a mesh: the one that a client
// writes to, and those that only receive it. It starts nine causeway nodes on
// this machine, each a process of its own, lets one client write to one of them, and then a
// thousand, and prints the processor time of each put and of each operation at either
// side, and where a profile says it goes:
//
//	go run ./integration/bench/mesh
//
// What the nodes cost while nobody writes is measured first and taken off. Nothing
// is asserted: a benchmark reports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "mesh:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	nodes    int
	clients  int
	conns    int
	duration time.Duration
	keys     int
	value    int
	keep     string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("mesh", flag.ContinueOnError)
	flags.IntVar(&o.nodes, "nodes", 9, "nodes of the mesh, from 2 to 32")
	flags.IntVar(&o.clients, "clients", 1000, "closed-loop clients of the second load")
	flags.IntVar(&o.conns, "conns", 100, "connections they share")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "time of each measurement")
	flags.IntVar(&o.keys, "keys", 10_000, "distinct keys")
	flags.IntVar(&o.value, "value", 256, "value size in bytes")
	flags.StringVar(&o.keep, "profiles", "", "keep the profiles in this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.nodes < 2 || o.nodes > 32 || o.clients < 1 || o.conns < 1 || o.keys < 1 || o.value < 8 || o.duration < 2*time.Second {
		return errors.New("no arguments; 2 to 32 nodes; clients, conns and keys from 1; value from 8; duration from 2s")
	}
	scratch, err := os.MkdirTemp("", "causeway-mesh-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if o.keep == "" {
		o.keep = scratch
	}
	m, err := start(ctx, o, scratch)
	defer m.stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d nodes, puts of %d bytes over %d keys, %v each\n", o.nodes, o.value, o.keys, o.duration)
	idle, err := m.measure(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "idle: %.4f cores at each node\n", float64(idle.origin+idle.receivers)/float64(o.nodes)/float64(idle.took))
	for _, clients := range []int{1, o.clients} {
		got, err := m.measure(ctx, clients)
		if err != nil {
			return err
		}
		if err := got.print(out, clients, idle); err != nil {
			return err
		}
	}
	return nil
}
