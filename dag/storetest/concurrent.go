package storetest

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/causeway-sync/causeway/dag"
)

// testConcurrent has one writer append while others read, scan and look up;
// meant for the race detector.
func testConcurrent(t *testing.T, open Open) {
	s := mustOpen(t, open)
	const appends = 150
	content := func(i dag.Index) []byte { return fmt.Appendf(nil, "record %d", i) }
	var done atomic.Bool
	var started sync.WaitGroup
	var g errgroup.Group

	verify := func(i dag.Index, r dag.Record) error {
		if !bytes.Equal(r.Payload, content(i)) || len(r.Ops) != 1 || r.Ops[0] != opID(int(i), 0) {
			return fmt.Errorf("record %d is %q", i, r.Payload)
		}
		return nil
	}
	readers := []func() error{
		func() error { // what Last says exists can be read
			i := s.Last()
			if i == 0 {
				return nil
			}
			r, err := s.Read(i)
			if err != nil {
				return err
			}
			return verify(i, r)
		},
		func() error {
			next, last := dag.Index(1), s.Last()
			err := s.Scan(1, func(i dag.Index, r dag.Record) error {
				if i != next {
					return fmt.Errorf("Scan calls with %d, want %d", i, next)
				}
				next++
				return verify(i, r)
			})
			if err == nil && next <= last {
				err = fmt.Errorf("Scan ended before %d, want %d included", next, last)
			}
			return err
		},
		func() error { // an op may be found before Last shows it, but then it can be read
			want := s.Last() + 1
			i, ok, err := s.Lookup(opID(int(want), 0))
			if err != nil || !ok {
				return err
			}
			if i != want {
				return fmt.Errorf("Lookup = %d, want %d", i, want)
			}
			r, err := s.Read(i)
			if err != nil {
				return err
			}
			return verify(i, r)
		},
		func() error {
			if _, err := s.Size(); err != nil {
				return err
			}
			return s.ScanMeta("", func(string, []byte) error { return nil })
		},
	}
	for _, read := range readers {
		started.Add(1)
		g.Go(func() error {
			started.Done()
			for !done.Load() {
				if err := read(); err != nil {
					return err
				}
			}
			return read()
		})
	}
	started.Wait()
	g.Go(func() error {
		defer done.Store(true)
		for i := dag.Index(1); i <= appends; i++ {
			r := dag.Record{Payload: content(i), Ops: []dag.ID{opID(int(i), 0)}}
			if _, err := s.Append([]dag.Record{r}, i%5 == 0); err != nil {
				return err
			}
			if i%20 == 0 {
				if err := s.PutMeta("m", content(i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
