// Command causeway runs a node of a Causeway mesh and looks after it.
//
// A node keeps one key-value state in step with the nodes of other operators,
// and serves it to clients through the etcd v3 API. Data is written to
// standard output, everything else to standard error. The exit code is 0 after
// success, 1 after a failure and 2 after a wrong command line; see
// docs/cli.md.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc/grpclog"
)

func main() {
	// What clients do wrong is in the node's log where it matters; gRPC would
	// write to standard error by itself.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
