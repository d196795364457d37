// Update measures what an update of a Kubernetes object costs on a link between two
// sites, beside the same update as a whole value:
//
//	go run ./integration/bench/update
//
// Two causeway nodes run as processes of this machine, connected over TCP. Clients of one put
// Pods of about 2 KB whose status changes, one at a time or several at once, as many as share an operation
// then. Counted at the other node are the bytes of gossip and of sync that it was sent, announcements of heads
// included, and all bytes of the TCP connection (by ss, where that is installed): with what libp2p adds for framing,
// encryption and keeping the mesh of gossip. Nothing is asserted: a benchmark reports.
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

	"github.com/causeway-sync/causeway/etcdgw/kube/kubetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "update:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("update", flag.ContinueOnError)
	rounds := flags.Int("rounds", 200, "updates of each object")
	encoding := flags.String("encoding", "", "only this one: json or protobuf")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *rounds < 1 {
		return errors.New("no arguments; rounds from 1")
	}
	scratch, err := os.MkdirTemp("", "causeway-update-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	l, err := connect(ctx, scratch)
	defer l.cut()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-10s %6s %8s  %22s  %22s\n", "", "", "updates", "patch: sent, by TCP", "whole: sent, by TCP")
	before, err := l.read(ctx)
	if err != nil {
		return err
	}
	for _, pod := range kubetest.Pods {
		if *encoding != "" && pod.Name != *encoding {
			continue
		}
		object := float64(len(pod.Make(1)))
		for _, together := range []int{1, 4, 16} {
			var got [2]cost
			for i, whole := range []bool{false, true} {
				if got[i], before, err = l.measure(ctx, before, pod, together, *rounds, whole); err != nil {
					return err
				}
			}
			fmt.Fprintf(out, "%-10s %6.0f %8.1f  %5.0f (%.2f) %5.0f (%.2f)  %5.0f (%.2f) %5.0f (%.2f)\n", pod.Name, object, got[0].together,
				got[0].sent, got[0].sent/object, got[0].tcp, got[0].tcp/object, got[1].sent, got[1].sent/object, got[1].tcp, got[1].tcp/object)
		}
	}
	return nil
}
