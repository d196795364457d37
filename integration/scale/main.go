// Scale measures what the size of the keyspace costs: one Causeway node beside
// a real etcd v3.6 on the same data, in one run on one disk:
//
//	go run ./integration/scale
//
// Each server is loaded with a small and a large keyspace (10,000 and 1,000,000
// keys) through large transactions. Then it measures
//
//   - lists of a prefix with limit 500 and the count of all that follows, as
//     kube-apiserver pages: first pages and pages from anywhere, at the present,
//     at a revision 1,000 changes ago, and at one 50,000 changes ago;
//   - whole starts on that data: time to the first answered read, processor
//     time, and resident memory then.
//
// Requests come from one client, so that times are those of a request by
// itself. Lists are measured alternately on the servers, and medians are
// printed with the ratios large / small keyspace and causeway / etcd. Nothing
// is asserted: a benchmark reports.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"

	"github.com/causeway-sync/causeway/integration/rival"
)

// options are the command's flags.
type options struct {
	small, large int
	value        int
	churn        int
	limit        int
	lists        int
	starts       int
	dir          string
	only         string
}

func main() {
	var o options
	flag.IntVar(&o.small, "small", 10_000, "keys of the small keyspace")
	flag.IntVar(&o.large, "large", 1_000_000, "keys of the large keyspace")
	flag.IntVar(&o.value, "value", 100, "value size in bytes")
	flag.IntVar(&o.churn, "churn", 50_000, "changes between the revision in the far past and the present")
	flag.IntVar(&o.limit, "limit", 500, "limit of a list")
	flag.IntVar(&o.lists, "lists", 200, "lists of each kind")
	flag.IntVar(&o.starts, "starts", 5, "starts on the data of each keyspace")
	flag.StringVar(&o.dir, "dir", "", "where to put data directories (default: a temporary directory)")
	flag.StringVar(&o.only, "only", "", "measure this server only: causeway or etcd")
	flag.Parse()
	if o.small < 1 || o.large < 1 || o.value < 1 || o.churn < 2*nearPast || o.limit < 1 || o.lists < 1 || o.starts < 1 {
		fmt.Fprintf(os.Stderr, "scale: all numbers are at least 1, and the churn is at least %d\n", 2*nearPast)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "causeway-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := rival.Build(ctx, dir)
	if err != nil {
		return err
	}
	var t table
	for _, keys := range []int{o.small, o.large} {
		var sites []*site
		defer func() {
			for _, s := range sites {
				s.stop()
			}
		}()
		for _, srv := range servers {
			if o.only != "" && srv.Name != o.only {
				continue
			}
			s := &site{server: srv, dir: filepath.Join(dir, srv.Name+"-"+strconv.Itoa(keys)), keys: keys}
			sites = append(sites, s)
			if err := s.load(ctx, o); err != nil {
				return fmt.Errorf("%s: load %d keys: %w", srv.Name, keys, err)
			}
			fmt.Printf("%-9s %8d keys: loaded in %.1f s, %d changes more in %.1f s, %d MiB on disk\n",
				srv.Name, keys, s.loading.Seconds(), o.churn, s.churning.Seconds(), s.onDisk()>>20)
		}
		if err := measureLists(ctx, sites, o, &t); err != nil {
			return err
		}
		for _, s := range sites {
			s.stop()
		}
		if err := measureStarts(ctx, sites, o, &t); err != nil {
			return err
		}
	}
	fmt.Println()
	t.print(os.Stdout, o)
	return nil
}
