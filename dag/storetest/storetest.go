// Package storetest is the conformance suite of [dag.Store]: what every
// implementation must do, by the contract's text: [Run] call by call, [RunModel]
// against a dumb model, over random calls. What only some media can do
// (bit rot, power loss, failing syncs) is tested beside the implementation.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/causeway-sync/causeway/dag"
)

// Open opens the store kept in one place, which was closed before, or is empty
// the first time.
type Open func() (dag.Store, error)

// Run tests the stores that place provides. Each call of place is for a new,
// empty place, which must last until tb ends.
func Run(t *testing.T, place func(tb testing.TB) Open) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"Empty", testEmpty},
		{"AppendRead", testAppendRead},
		{"Scan", testScan},
		{"ScanStops", testScanStops},
		{"Lookup", testLookup},
		{"Meta", testMeta},
		{"ScanMeta", testScanMeta},
		{"Ownership", testOwnership},
		{"Limits", testLimits},
		{"Reopen", testReopen},
		{"Closed", testClosed},
		{"Size", testSize},
		{"Concurrent", testConcurrent},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, place(t)) })
	}
}

func mustOpen(tb testing.TB, open Open) dag.Store {
	tb.Helper()
	s, err := open()
	if err != nil {
		tb.Fatal("Open:", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error("Close:", err)
		}
	})
	return s
}

func mustAppend(tb testing.TB, s dag.Store, sync bool, recs ...dag.Record) dag.Index {
	tb.Helper()
	first, err := s.Append(recs, sync)
	if err != nil {
		tb.Fatal("Append:", err)
	}
	return first
}

// rec returns a record that differs for each n, with ops operations.
func rec(n, ops int) dag.Record {
	r := dag.Record{Kind: dag.RecordKind(n), Payload: bytes.Repeat([]byte{byte(n), 0, 0xff}, n%50)}
	for i := range ops {
		r.Ops = append(r.Ops, opID(n, i))
	}
	return r
}

func opID(n, i int) dag.ID { return dag.ID{byte(n), byte(n >> 8), byte(i), byte(i >> 8), 1} }

func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// fataler is what testing.TB and rapid.T have in common here.
type fataler interface {
	Helper()
	Fatal(...any)
}

func scanAll(tb fataler, s dag.Store, from dag.Index) []dag.Record {
	tb.Helper()
	var got []dag.Record
	want := max(from, 1)
	err := s.Scan(from, func(i dag.Index, r dag.Record) error {
		if i != want {
			return fmt.Errorf("Scan calls with index %d, want %d", i, want)
		}
		want++
		got = append(got, dag.Record{Kind: r.Kind, Payload: bytes.Clone(r.Payload), Ops: append([]dag.ID(nil), r.Ops...)})
		return nil
	})
	if err != nil {
		tb.Fatal("Scan:", err)
	}
	return got
}

func testEmpty(t *testing.T, open Open) {
	s := mustOpen(t, open)
	if got := s.Last(); got != 0 {
		t.Errorf("Last = %d, want 0", got)
	}
	for _, i := range []dag.Index{0, 1, math.MaxUint64} {
		if _, err := s.Read(i); !errors.Is(err, dag.ErrNotFound) {
			t.Errorf("Read(%d) = %v, want ErrNotFound", i, err)
		}
		if got := scanAll(t, s, i); got != nil {
			t.Errorf("Scan(%d) = %v, want nothing", i, got)
		}
	}
	if _, ok, err := s.Lookup(opID(1, 1)); ok || err != nil {
		t.Errorf("Lookup = %v, %v, want false, nil", ok, err)
	}
	if err := s.Sync(); err != nil {
		t.Errorf("Sync = %v", err)
	}
	for _, sync := range []bool{false, true} {
		if first := mustAppend(t, s, sync); first != 1 || s.Last() != 0 {
			t.Errorf("Append of nothing = %d, Last = %d, want 1, 0", first, s.Last())
		}
	}
}

func testAppendRead(t *testing.T, open Open) {
	s := mustOpen(t, open)
	var want []dag.Record
	for n := 1; n < 60; {
		batch := []dag.Record{}
		for range 1 + n%4 {
			batch = append(batch, rec(n, n%3))
			n++
		}
		if first := mustAppend(t, s, n%2 == 0, batch...); first != dag.Index(len(want)+1) {
			t.Fatalf("Append = %d, want %d", first, len(want)+1)
		}
		want = append(want, batch...)
		if got := s.Last(); got != dag.Index(len(want)) {
			t.Fatalf("Last = %d, want %d", got, len(want))
		}
	}
	for i, w := range want {
		got, err := s.Read(dag.Index(i + 1))
		if err != nil {
			t.Fatal("Read:", err)
		}
		if d := diff(w, got); d != "" {
			t.Errorf("Read(%d): -want +got\n%s", i+1, d)
		}
	}
	if _, err := s.Read(s.Last() + 1); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Read beyond the last = %v, want ErrNotFound", err)
	}
}

func testScan(t *testing.T, open Open) {
	s := mustOpen(t, open)
	var want []dag.Record
	for n := range 20 {
		want = append(want, rec(n, n%2))
	}
	mustAppend(t, s, true, want[:7]...)
	mustAppend(t, s, false, want[7:]...)
	for from := range dag.Index(23) {
		if d := diff(want[min(max(from, 1)-1, 20):], scanAll(t, s, from)); d != "" {
			t.Errorf("Scan(%d): -want +got\n%s", from, d)
		}
	}
}

func testScanStops(t *testing.T, open Open) {
	s := mustOpen(t, open)
	mustAppend(t, s, true, rec(1, 0), rec(2, 0), rec(3, 0))
	stop := errors.New("stop")
	calls := 0
	err := s.Scan(1, func(i dag.Index, _ dag.Record) error {
		calls++
		// Reading inside a scan is allowed.
		if _, err := s.Read(i); err != nil {
			return err
		}
		if i == 2 {
			return stop
		}
		return nil
	})
	if err != stop || calls != 2 {
		t.Errorf("Scan = %v after %d calls, want the function's own error after 2", err, calls)
	}
}

func testLookup(t *testing.T, open Open) {
	s := mustOpen(t, open)
	mustAppend(t, s, false, rec(1, 1), rec(2, 3), rec(3, 0))
	check := func(op dag.ID, want dag.Index) {
		t.Helper()
		got, ok, err := s.Lookup(op)
		if err != nil || got != want || ok != (want != 0) {
			t.Errorf("Lookup(%v) = %d, %v, %v, want %d", op, got, ok, err, want)
		}
	}
	check(opID(1, 0), 1)
	check(opID(2, 0), 2)
	check(opID(2, 2), 2)
	check(opID(2, 3), 0)
	check(opID(3, 0), 0)
	// A later record takes over, in the same append too.
	mustAppend(t, s, true, rec(1, 1), dag.Record{Ops: []dag.ID{opID(2, 0), opID(9, 9), opID(9, 9)}})
	check(opID(1, 0), 4)
	check(opID(2, 0), 5)
	check(opID(2, 1), 2)
	check(opID(9, 9), 5)
}

func testMeta(t *testing.T, open Open) {
	s := mustOpen(t, open)
	check := func(name string, want []byte) {
		t.Helper()
		got, err := s.GetMeta(name)
		if want == nil {
			if !errors.Is(err, dag.ErrNotFound) {
				t.Errorf("GetMeta(%q) = %v, want ErrNotFound", name, err)
			}
			return
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("GetMeta(%q) = %x, %v, want %x", name, got, err, want)
		}
	}
	put := func(name string, v []byte) {
		t.Helper()
		if err := s.PutMeta(name, v); err != nil {
			t.Fatalf("PutMeta(%q): %v", name, err)
		}
	}
	check("a", nil)
	put("a", []byte("1"))
	put("a\x00b", []byte{0, 255})
	put("empty", []byte{})
	check("a", []byte("1"))
	check("a\x00b", []byte{0, 255})
	check("empty", []byte{})
	put("a", []byte("two"))
	check("a", []byte("two"))
	put("a", nil)
	check("a", nil)
	put("a", nil)
	check("a\x00b", []byte{0, 255})
	if s.Last() != 0 {
		t.Errorf("Last = %d after PutMeta, want 0", s.Last())
	}
}

func testScanMeta(t *testing.T, open Open) {
	s := mustOpen(t, open)
	for _, name := range []string{"peer/b", "peer/\xff", "peer", "window", "peer/a", "other"} {
		if err := s.PutMeta(name, []byte("v"+name)); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, true, rec(1, 1))
	for prefix, want := range map[string][]string{
		"":       {"other", "peer", "peer/a", "peer/b", "peer/\xff", "window"},
		"peer/":  {"peer/a", "peer/b", "peer/\xff"},
		"peer":   {"peer", "peer/a", "peer/b", "peer/\xff"},
		"z":      nil,
		"window": {"window"},
	} {
		var got []string
		if err := s.ScanMeta(prefix, func(name string, v []byte) error {
			if string(v) != "v"+name {
				return fmt.Errorf("%q has value %q", name, v)
			}
			got = append(got, name)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Errorf("ScanMeta(%q): -want +got\n%s", prefix, d)
		}
	}
	stop := errors.New("stop")
	if err := s.ScanMeta("", func(string, []byte) error { return stop }); err != stop {
		t.Errorf("ScanMeta = %v, want the function's own error", err)
	}
}

func testOwnership(t *testing.T, open Open) {
	s := mustOpen(t, open)
	r := dag.Record{Kind: 1, Payload: []byte("payload"), Ops: []dag.ID{{1}}}
	mustAppend(t, s, true, r)
	v := []byte("value")
	if err := s.PutMeta("m", v); err != nil {
		t.Fatal(err)
	}
	// What was passed in is not kept; what is returned is the caller's.
	r.Payload[0], r.Ops[0], v[0] = 'X', dag.ID{2}, 'X'
	for range 2 {
		got, err := s.Read(1)
		if err != nil || string(got.Payload) != "payload" || got.Ops[0] != (dag.ID{1}) {
			t.Fatalf("Read = %q %v, %v", got.Payload, got.Ops, err)
		}
		got.Payload[0], got.Ops[0] = 'Y', dag.ID{3}
		_ = append(got.Payload, 'Z')
		m, err := s.GetMeta("m")
		if err != nil || string(m) != "value" {
			t.Fatalf("GetMeta = %q, %v", m, err)
		}
		m[0] = 'Y'
	}
}

func testLimits(t *testing.T, open Open) {
	s := mustOpen(t, open)
	for name, r := range map[string]dag.Record{
		"payload": {Payload: make([]byte, dag.MaxRecordPayload+1)},
		"ops":     {Ops: make([]dag.ID, dag.MaxRecordOps+1)},
	} {
		// All or none: the first record is not stored either.
		if _, err := s.Append([]dag.Record{rec(1, 1), r}, true); !errors.Is(err, dag.ErrTooLarge) {
			t.Errorf("Append of a too large %s = %v, want ErrTooLarge", name, err)
		}
	}
	if _, ok, _ := s.Lookup(opID(1, 0)); ok || s.Last() != 0 {
		t.Errorf("a refused Append left something: Last = %d", s.Last())
	}
	for _, m := range []struct {
		name string
		v    []byte
	}{{"", nil}, {strings.Repeat("x", dag.MaxMetaName+1), nil}, {"x", make([]byte, dag.MaxMetaValue+1)}} {
		if err := s.PutMeta(m.name, m.v); !errors.Is(err, dag.ErrTooLarge) {
			t.Errorf("PutMeta of %d and %d bytes = %v, want ErrTooLarge", len(m.name), len(m.v), err)
		}
	}
	// The bounds themselves are accepted, and the store has not failed.
	largest := dag.Record{Payload: bytes.Repeat([]byte{7}, dag.MaxRecordPayload), Ops: make([]dag.ID, dag.MaxRecordOps)}
	for i := range largest.Ops {
		largest.Ops[i] = opID(7, i)
	}
	mustAppend(t, s, true, largest)
	mustAppend(t, s, true, rec(1, 1))
	got, err := s.Read(1)
	if err != nil || !bytes.Equal(got.Payload, largest.Payload) || !slices.Equal(got.Ops, largest.Ops) {
		t.Errorf("Read of the largest record = %d bytes, %d ops, %v", len(got.Payload), len(got.Ops), err)
	}
	if err := s.PutMeta(strings.Repeat("x", dag.MaxMetaName), make([]byte, dag.MaxMetaValue)); err != nil {
		t.Errorf("PutMeta of the largest = %v", err)
	}
}

func testReopen(t *testing.T, open Open) {
	var want []dag.Record
	for n := range 10 {
		s, err := open()
		if err != nil {
			t.Fatal("Open:", err)
		}
		if d := diff(want, scanAll(t, s, 1)); d != "" {
			t.Fatalf("open %d: -want +got\n%s", n, d)
		}
		batch := []dag.Record{rec(2*n, 1), rec(2*n+1, 2)}
		if first := mustAppend(t, s, n%2 == 0, batch...); first != dag.Index(len(want)+1) {
			t.Fatalf("Append = %d, want %d", first, len(want)+1)
		}
		want = append(want, batch...)
		if err := s.PutMeta("n", []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, false, rec(100+n, 1)) // Close makes it durable
		want = append(want, rec(100+n, 1))
		if err := s.Close(); err != nil {
			t.Fatal("Close:", err)
		}
	}
	s := mustOpen(t, open)
	if d := diff(want, scanAll(t, s, 1)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if v, err := s.GetMeta("n"); err != nil || !bytes.Equal(v, []byte{9}) {
		t.Errorf("GetMeta = %x, %v, want 09", v, err)
	}
	if i, ok, err := s.Lookup(opID(5, 1)); i != 8 || !ok || err != nil {
		t.Errorf("Lookup = %d, %v, %v, want 8", i, ok, err)
	}
}

func testClosed(t *testing.T, open Open) {
	s := mustOpen(t, open)
	mustAppend(t, s, true, rec(1, 1))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	_, appendErr := s.Append([]dag.Record{rec(1, 1)}, true)
	_, readErr := s.Read(1)
	_, _, lookupErr := s.Lookup(opID(1, 0))
	_, metaErr := s.GetMeta("m")
	_, sizeErr := s.Size()
	for name, err := range map[string]error{
		"Append": appendErr, "Read": readErr, "Lookup": lookupErr, "GetMeta": metaErr, "Size": sizeErr,
		"Sync":     s.Sync(),
		"Scan":     s.Scan(1, func(dag.Index, dag.Record) error { return nil }),
		"PutMeta":  s.PutMeta("m", nil),
		"ScanMeta": s.ScanMeta("", func(string, []byte) error { return nil }),
	} {
		if !errors.Is(err, dag.ErrClosed) {
			t.Errorf("%s after Close = %v, want ErrClosed", name, err)
		}
	}
	if got := s.Last(); got != 1 {
		t.Errorf("Last after Close = %d, want 1", got)
	}
}

func testSize(t *testing.T, open Open) {
	s := mustOpen(t, open)
	before, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, true, dag.Record{Payload: make([]byte, 1<<20)})
	after, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	if grown := after - before; grown < 1<<20 || grown > 3<<20 {
		t.Errorf("Size grew by %d bytes for a payload of 1 MiB", grown)
	}
}
