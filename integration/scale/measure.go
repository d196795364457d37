package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// kinds of lists.
var kinds = []struct {
	name string
	at   func(*site) int64
	page bool // from anywhere, as a continued list; else the first page
}{
	{"first page, present", func(*site) int64 { return 0 }, false},
	{"any page, present", func(*site) int64 { return 0 }, true},
	{"any page, near past", func(s *site) int64 { return s.near }, true},
	{"any page, far past", func(s *site) int64 { return s.far }, true},
}

// measureLists measures lists of each kind, alternately on the sites.
func measureLists(ctx context.Context, sites []*site, o options, t *table) error {
	for _, kind := range kinds {
		rng := rand.New(rand.NewPCG(7, 7)) // the same pages for all servers
		for i := range o.lists + o.lists/10 {
			from := []byte(root)
			if kind.page {
				from = key(rng.IntN(sites[0].keys))
			}
			for _, s := range sites {
				took, err := s.list(ctx, from, kind.at(s), int64(o.limit))
				if err != nil {
					return fmt.Errorf("%s: %s: %w", s.server.Name, kind.name, err)
				}
				if i >= o.lists/10 { // the first ones warm up
					t.add(s, kind.name+", ms", float64(took)/float64(time.Millisecond))
				}
			}
		}
	}
	return nil
}

// list reads one page with the count of all that follows.
func (s *site) list(ctx context.Context, from []byte, rev, limit int64) (time.Duration, error) {
	end := []byte(root)
	end[len(end)-1]++
	begin := time.Now()
	resp, err := pb.NewKVClient(s.conn).Range(ctx, &pb.RangeRequest{Key: from, RangeEnd: end, Limit: limit, Revision: rev})
	took := time.Since(begin)
	if err == nil && resp.Count < int64(len(resp.Kvs)) {
		err = fmt.Errorf("count %d of %d keys", resp.Count, len(resp.Kvs))
	}
	return took, err
}

// measureStarts measures starts on the data, alternately.
func measureStarts(ctx context.Context, sites []*site, o options, t *table) error {
	for range o.starts {
		for _, s := range sites {
			if err := s.start(ctx); err != nil {
				return err
			}
			u, err := s.process.Usage()
			started := s.process.Started
			s.stop()
			if err != nil {
				return err
			}
			t.add(s, "start, s", started.Seconds())
			t.add(s, "start, CPU s", u.CPU.Seconds())
			t.add(s, "RSS after start, MiB", float64(u.RSS)/(1<<20))
			t.add(s, "peak RSS of start, MiB", float64(u.Peak)/(1<<20))
		}
	}
	return nil
}
