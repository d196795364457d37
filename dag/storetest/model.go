package storetest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
)

// model is a store as dumb as can be.
type model struct {
	records []dag.Record
	meta    map[string][]byte
}

func (m *model) lookup(op dag.ID) (dag.Index, bool) {
	for i, r := range slices.Backward(m.records) {
		if slices.Contains(r.Ops, op) {
			return dag.Index(i + 1), true
		}
	}
	return 0, false
}

// RunModel compares the stores that place provides with a model, over random
// calls, reopening included. rapid prints how to replay a failure.
func RunModel(t *testing.T, place func(testing.TB) Open) {
	// Few names and ops, so that they meet again.
	op := rapid.Map(rapid.IntRange(0, 15), func(n int) dag.ID { return opID(n, 0) })
	name := rapid.SampledFrom([]string{"a", "ab", "abc", "b", "\xff", "peer/1", "peer/2"})
	record := rapid.Custom(func(t *rapid.T) dag.Record {
		return dag.Record{
			Kind:    dag.RecordKind(rapid.Byte().Draw(t, "kind")),
			Payload: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "payload"),
			Ops:     rapid.SliceOfN(op, 0, 4).Draw(t, "ops"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		open := place(t)
		s, err := open()
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		m := &model{meta: map[string][]byte{}}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				recs := rapid.SliceOfN(record, 0, 5).Draw(t, "records")
				first, err := s.Append(recs, rapid.Bool().Draw(t, "sync"))
				if err != nil || first != dag.Index(len(m.records)+1) {
					t.Fatalf("Append = %d, %v, want %d", first, err, len(m.records)+1)
				}
				m.records = append(m.records, recs...)
			},
			"sync": func(t *rapid.T) {
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
			},
			"read": func(t *rapid.T) {
				i := dag.Index(rapid.IntRange(0, len(m.records)+2).Draw(t, "index"))
				got, err := s.Read(i)
				if i == 0 || i > dag.Index(len(m.records)) {
					if !errors.Is(err, dag.ErrNotFound) {
						t.Fatalf("Read(%d) = %v, want ErrNotFound", i, err)
					}
					return
				}
				if d := diff(m.records[i-1], got); err != nil || d != "" {
					t.Fatalf("Read(%d) = %v, -want +got\n%s", i, err, d)
				}
			},
			"lookup": func(t *rapid.T) {
				id := op.Draw(t, "op")
				want, found := m.lookup(id)
				if got, ok, err := s.Lookup(id); got != want || ok != found || err != nil {
					t.Fatalf("Lookup = %d, %v, %v, want %d, %v", got, ok, err, want, found)
				}
			},
			"putMeta": func(t *rapid.T) {
				n, v := name.Draw(t, "name"), rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "value")
				if rapid.Bool().Draw(t, "remove") {
					v = nil
					delete(m.meta, n)
				} else {
					v = append([]byte{}, v...)
					m.meta[n] = v
				}
				if err := s.PutMeta(n, v); err != nil {
					t.Fatal(err)
				}
			},
			"getMeta": func(t *rapid.T) {
				n := name.Draw(t, "name")
				want, ok := m.meta[n]
				got, err := s.GetMeta(n)
				if ok && (err != nil || !bytes.Equal(got, want)) || !ok && !errors.Is(err, dag.ErrNotFound) {
					t.Fatalf("GetMeta(%q) = %x, %v, want %x, %v", n, got, err, want, ok)
				}
			},
			"scanMeta": func(t *rapid.T) {
				prefix := rapid.SampledFrom([]string{"", "a", "ab", "peer/"}).Draw(t, "prefix")
				var want, got []string
				for _, n := range slices.Sorted(maps.Keys(m.meta)) {
					if strings.HasPrefix(n, prefix) {
						want = append(want, n+"="+string(m.meta[n]))
					}
				}
				err := s.ScanMeta(prefix, func(n string, v []byte) error {
					got = append(got, n+"="+string(v))
					return nil
				})
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("ScanMeta(%q) = %q, %v, want %q", prefix, got, err, want)
				}
			},
			"reopen": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
					return // it is slow on a real disk
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = open(); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if got := s.Last(); got != dag.Index(len(m.records)) {
					t.Fatalf("Last = %d, want %d", got, len(m.records))
				}
				from := dag.Index(0)
				if n := len(m.records); n > 3 {
					from = dag.Index(n - 2)
				}
				if d := diff(m.records[max(from, 1)-1:], scanAll(t, s, from)); d != "" {
					t.Fatalf("Scan(%d): -want +got\n%s", from, d)
				}
			},
		})
	})
}
