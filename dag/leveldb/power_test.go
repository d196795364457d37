package leveldb_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/dag/leveldb/powertest"
	"github.com/causeway-sync/causeway/dag/storetest"
)

// seedEnv holds a seed to replay; without it each run draws a new one.
const seedEnv = "CAUSEWAY_SEED"

func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if v := os.Getenv(seedEnv); v != "" {
		var err error
		if s, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with %s=%d", seedEnv, s)
		}
	})
	return s
}

// TestModel runs on powertest, which spares the real disk thousands of syncs.
func TestModel(t *testing.T) {
	storetest.RunModel(t, func(testing.TB) storetest.Open {
		d := powertest.New(1)
		return func() (dag.Store, error) { return leveldb.OpenStorage(d.Boot(), leveldb.Options{}) }
	})
}

// history is what was asked of a store, to compare what survived with.
type history struct {
	records []dag.Record
	ends    []int // how many records there were after each Append
	durable int   // records that must survive
	meta    byte  // the last value that PutMeta acknowledged
	metaTry byte  // the last value that was tried
}

// run appends until the power goes or n calls are done.
func (h *history) run(s *leveldb.Store, r *rand.Rand, n int) error {
	for range n {
		if r.IntN(10) == 0 {
			h.metaTry++
			if err := s.PutMeta("m", []byte{h.metaTry}); err != nil {
				return err
			}
			h.meta, h.durable = h.metaTry, len(h.records)
			continue
		}
		if r.IntN(10) == 0 {
			if err := s.Sync(); err != nil {
				return err
			}
			h.durable = len(h.records)
			continue
		}
		var batch []dag.Record
		for range 1 + r.IntN(4) {
			size := r.IntN(700)
			if r.IntN(20) == 0 {
				size = r.IntN(70_000) // over more than one journal block
			}
			rec := dag.Record{Kind: dag.RecordKind(r.Uint32()), Payload: make([]byte, size)}
			if r.IntN(4) > 0 { // zeros look like what was never written
				for i := range rec.Payload {
					rec.Payload[i] = byte(r.Uint32())
				}
			}
			for range r.IntN(3) {
				rec.Ops = append(rec.Ops, dag.ID{byte(len(h.records)), byte(len(h.records) >> 8), byte(len(batch)), byte(r.Uint32()), 9})
			}
			batch = append(batch, rec)
		}
		h.records = append(h.records, batch...)
		h.ends = append(h.ends, len(h.records))
		sync := r.IntN(2) == 0
		if _, err := s.Append(batch, sync); err != nil {
			return err
		}
		if sync {
			h.durable = len(h.records)
		}
	}
	return nil
}

// verify checks a reopened store against the history, and forgets what was lost.
func (h *history) verify(s *leveldb.Store) error {
	last := int(s.Last())
	if last < h.durable || last > len(h.records) {
		return fmt.Errorf("%d records survived, %d were synced, %d appended", last, h.durable, len(h.records))
	}
	whole := last == 0
	for i, end := range h.ends {
		if end == last {
			whole = true
			h.ends = h.ends[:i+1]
			break
		}
	}
	if !whole {
		return fmt.Errorf("%d records survived: a part of an Append", last)
	}
	if last == 0 {
		h.ends = nil
	}
	h.records, h.durable = h.records[:last], last
	n := 0
	if err := s.Scan(1, func(i dag.Index, r dag.Record) error {
		w := h.records[n]
		n++
		if i != dag.Index(n) || r.Kind != w.Kind || !bytes.Equal(r.Payload, w.Payload) {
			return fmt.Errorf("record %d is not the one appended", i)
		}
		for _, op := range w.Ops {
			if at, ok, err := s.Lookup(op); err != nil || !ok || at < i {
				return fmt.Errorf("Lookup of an op of record %d = %d, %v, %v", i, at, ok, err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if n != last {
		return fmt.Errorf("Scan found %d records, want %d", n, last)
	}
	v, err := s.GetMeta("m")
	switch {
	case errors.Is(err, dag.ErrNotFound) && h.meta == 0:
	case err != nil:
		return err
	case len(v) != 1 || v[0] != h.meta && v[0] != h.metaTry:
		return fmt.Errorf("meta = %v, want %d or %d", v, h.meta, h.metaTry)
	default:
		h.meta, h.metaTry = v[0], v[0]
	}
	return s.Check()
}

// TestPowerLoss cuts the power at random calls, again and again, also during
// recovery.
func TestPowerLoss(t *testing.T) {
	base := seed(t)
	disks := 60
	if testing.Short() {
		disks = 10
	}
	for n := range disks {
		losses(t, base+uint64(n))
	}
}

func losses(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	d := powertest.New(seed)
	if r.IntN(2) == 0 {
		d.Preallocate(1 << 20)
	}
	var h history
	for round := range 12 {
		st := d.Boot()
		if r.IntN(3) > 0 {
			d.LosePowerAt(1 + r.IntN(40))
		}
		s, err := leveldb.OpenStorage(st, leveldb.Options{})
		if err != nil {
			if !d.HasPower() {
				continue // lost while opening
			}
			t.Fatalf("seed %d, round %d: reopen: %v", seed, round, err)
		}
		err = h.verify(s)
		if err == nil {
			err = h.run(s, r, 1+r.IntN(30))
		}
		if err != nil && d.HasPower() {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		if r.IntN(4) > 0 {
			d.PowerLoss()
		}
		err = s.Close()
		if err != nil && d.HasPower() {
			t.Fatalf("seed %d, round %d: Close: %v", seed, round, err)
		}
		if err == nil && d.HasPower() {
			h.durable = len(h.records)
		}
	}
}

// TestPowerLossAtRotation cuts the power at calls around the change from one
// journal to the next, with unsynced records in the old one.
func TestPowerLossAtRotation(t *testing.T) {
	base := seed(t)
	calls := rotate(t, base, 0) // how many there are
	if calls < 10 {
		t.Fatalf("%d calls: no rotation", calls)
	}
	r := rand.New(rand.NewPCG(base, 8))
	for n := range 10 {
		rotate(t, base+uint64(n), 1+r.IntN(calls))
	}
}

// rotate appends across a change of journals, the last record synced, with the
// power going at the given call, or at the end if at is 0, and verifies what
// survived. It returns how many calls were made.
func rotate(t *testing.T, seed uint64, at int) (calls int) {
	t.Helper()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	d := powertest.New(seed)
	s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	add := func(n int, sync bool) error {
		recs := slices.Repeat([]dag.Record{{Payload: big}}, n)
		h.records, h.ends = append(h.records, recs...), append(h.ends, len(h.records)+n)
		if _, err := s.Append(recs, sync); err != nil {
			return err
		}
		if sync {
			h.durable = len(h.records)
		}
		return nil
	}
	if err := add(7, false); err != nil { // nearly a write buffer
		t.Fatal(err)
	}
	before := d.Changes()
	if at > 0 {
		d.LosePowerAt(at)
	}
	for n := range 3 {
		if err = add(1, n == 2); err != nil {
			break
		}
	}
	if err != nil && d.HasPower() {
		t.Fatal(err)
	}
	calls = d.Changes() - before
	d.PowerLoss()
	s.Close()
	if s, err = leveldb.OpenStorage(d.Boot(), leveldb.Options{}); err != nil {
		t.Fatalf("seed %d, power lost at call %d: reopen: %v", seed, at, err)
	}
	defer s.Close()
	if err := h.verify(s); err != nil {
		t.Fatalf("seed %d, power lost at call %d: %v", seed, at, err)
	}
	return calls
}

// TestFaults fails single calls: the store must say so, and stay failed though
// the disk works again.
func TestFaults(t *testing.T) {
	eio := errors.New("input/output error")
	for _, op := range []powertest.Op{powertest.Write, powertest.Sync} {
		t.Run(op.String(), func(t *testing.T) {
			d := powertest.New(1)
			s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append([]dag.Record{{Payload: []byte("kept")}}, true); err != nil {
				t.Fatal(err)
			}
			d.FailAt(op, 1, eio)
			if _, err := s.Append([]dag.Record{{Payload: []byte("lost")}}, true); !errors.Is(err, dag.ErrFailed) || !errors.Is(err, eio) {
				t.Errorf("Append = %v, want ErrFailed and the cause", err)
			}
			before := d.Changes()
			_, appendErr := s.Append([]dag.Record{{Payload: []byte("again")}}, true)
			_, readErr := s.Read(1)
			_, _, lookupErr := s.Lookup(dag.ID{})
			for call, err := range map[string]error{
				"Append": appendErr, "Read": readErr, "Lookup": lookupErr, "Sync": s.Sync(), "PutMeta": s.PutMeta("m", nil),
				"Scan": s.Scan(1, func(dag.Index, dag.Record) error { return nil }),
			} {
				if !errors.Is(err, dag.ErrFailed) || !errors.Is(err, eio) {
					t.Errorf("%s = %v, want ErrFailed and the cause", call, err)
				}
			}
			if got := s.Last(); got != 1 {
				t.Errorf("Last = %d, want 1", got)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			if after := d.Changes(); after != before {
				t.Errorf("the failed store made %d more changes", after-before)
			}
			d.PowerLoss()
			if s, err = leveldb.OpenStorage(d.Boot(), leveldb.Options{}); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if r, err := s.Read(1); err != nil || string(r.Payload) != "kept" {
				t.Errorf("Read after reopening = %q, %v", r.Payload, err)
			}
		})
	}
}

// TestFaultsInBackground fails calls that goleveldb makes when it rotates
// the journal and writes tables. It would retry; the store must not.
func TestFaultsInBackground(t *testing.T) {
	eio := errors.New("input/output error")
	big := make([]byte, 1<<20)
	for _, op := range []powertest.Op{powertest.Create, powertest.SyncDir, powertest.Sync} {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprintf("%v %d", op, nth), func(t *testing.T) {
				d := powertest.New(1)
				s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
				if err != nil {
					t.Fatal(err)
				}
				acknowledged := 0
				d.FailAt(op, nth, eio)
				for range 100 {
					if _, err = s.Append([]dag.Record{{Payload: big}}, acknowledged%4 == 3); err != nil {
						break
					}
					acknowledged++
				}
				if !errors.Is(err, dag.ErrFailed) || !errors.Is(err, eio) {
					t.Errorf("Append = %v, want ErrFailed and the cause", err)
				}
				s.Close()
				if s, err = leveldb.OpenStorage(d.Boot(), leveldb.Options{}); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if got := int(s.Last()); got < acknowledged-acknowledged%4 {
					t.Errorf("Last = %d after %d appends, every fourth synced", got, acknowledged)
				}
				if err := s.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestDiskFull(t *testing.T) {
	d := powertest.New(seed(t))
	s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.Full(100_000)
	var n dag.Index
	for ; err == nil; n++ {
		_, err = s.Append([]dag.Record{{Payload: make([]byte, 500)}}, true)
	}
	if !errors.Is(err, dag.ErrFailed) {
		t.Fatalf("Append on a full disk = %v, want ErrFailed", err)
	}
	s.Close()
	d.Full(-1)
	d.PowerLoss()
	if s, err = leveldb.OpenStorage(d.Boot(), leveldb.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Last(); got != n-1 {
		t.Errorf("Last = %d, want %d", got, n-1)
	}
	if len(d.Files(storage.TypeJournal)) != 1 {
		t.Errorf("journals: %v, want one", d.Files(storage.TypeJournal))
	}
}
