package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"
)

// parts are what processor time is spent on. A stack belongs to the first part of which
// it has a function; the last has what belongs to none.
var parts = []struct {
	name  string
	funcs []string
}{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge"}},
	{"verifying signatures", []string{"causeway/identity.(*Batch)", "causeway/identity.Verify", "causeway/dag.Verify"}},
	{"signing", []string{"causeway/dag.Sign"}},
	{"the view", []string{"causeway/etcdgw/mvcc."}},
	{"the log", []string{"causeway/dag/leveldb.", "syndtr/goleveldb"}},
	{"checking operations", []string{"causeway/dag."}},
	{"committing, else", []string{"causeway/node/commit."}},
	{"sync sessions", []string{"causeway/dag/reconcile.", "p2p.(*exchange)", "p2p.(*syncer)"}},
	{"gossip", []string{"go-libp2p-pubsub", "p2p.(*gossip)", "p2p.(*intake)", "p2p.(*delivery)"}},
	{"connections to nodes", []string{"go-libp2p", "go-yamux", "quic-go", "crypto/tls", "flynn/noise", "causeway/node/p2p."}},
	{"clients", []string{"google.golang.org/grpc", "golang.org/x/net", "causeway/etcdgw", "net/http"}},
	{"the scheduler, else", nil},
}

// shares returns which share of profiles together each part has.
func shares(profiles []string) ([]float64, error) {
	text, err := exec.Command("go", append([]string{"tool", "pprof", "-traces"}, profiles...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go tool pprof: %w", err)
	}
	took := make([]time.Duration, len(parts))
	var total, value time.Duration
	var stack []string
	end := func() {
		if value > 0 {
			took[partOf(stack)] += value
			total += value
		}
		value, stack = 0, nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "-----") {
			end()
			continue
		}
		fields := strings.Fields(line)
		if len(fields) == 2 && stack == nil {
			if d, err := time.ParseDuration(fields[0]); err == nil {
				value, fields = d, fields[1:]
			}
		}
		if value > 0 && len(fields) > 0 {
			stack = append(stack, fields[0])
		}
	}
	end()
	of := make([]float64, len(parts))
	for i, d := range took {
		of[i] = float64(d) / float64(max(1, total))
	}
	return of, nil
}

// partOf returns to which part a stack belongs.
func partOf(stack []string) int {
	for i, p := range parts {
		for _, name := range p.funcs {
			for _, f := range stack {
				if strings.Contains(f, name) {
					return i
				}
			}
		}
	}
	return len(parts) - 1
}

// printShares writes what each part costs by put and by operation.
func printShares(out io.Writer, got measured, puts, ops, origin, receiver float64) error {
	ofOrigin, err := shares(got.profiles[:1])
	if err != nil {
		return err
	}
	ofReceiver, err := shares(got.profiles[1:])
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\torigin: of all\tµs/put\tµs/op\treceiver: of all\tµs/put\tµs/op\t")
	for i, p := range parts {
		o, r := ofOrigin[i], ofReceiver[i]
		fmt.Fprintf(tw, "%s\t%.1f%%\t%.2f\t%.0f\t%.1f%%\t%.2f\t%.0f\t\n", p.name,
			100*o, o*origin/puts/1000, o*origin/ops/1000, 100*r, r*receiver/puts/1000, r*receiver/ops/1000)
	}
	return tw.Flush()
}
