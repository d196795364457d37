package verify_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	goleveldb "github.com/syndtr/goleveldb/leveldb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/verify"
)

var (
	forgeries = flag.Int("verify.forgeries", 20, "how many random records are forged")
	seed      = flag.Uint64("verify.seed", 0, "seed of the random damage; 0: a new one")
)

// newRand returns a random source whose seed a failed test prints.
func newRand(t *testing.T) *rand.Rand {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with -verify.seed %d", n)
		}
	})
	return rand.New(rand.NewPCG(n, 0))
}

// TestFlippedBits flips single bits of every file of the store, in journals and
// in tables. What can be read without is no damage, if the records are the same.
func TestFlippedBits(t *testing.T) {
	r := newRand(t)
	journal := newDir(t, 10)
	tables := duplicate(t, journal)
	s, err := leveldb.Open(filepath.Join(tables, "store"), leveldb.Options{}) // moves all to tables
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound := run(t, journal, verify.Options{})
	for _, dir := range []string{journal, tables} {
		err := filepath.WalkDir(filepath.Join(dir, "store"), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "LO") { // LOG, LOG.old, LOCK hold nothing
				return err
			}
			whole, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			used := len(bytes.TrimRight(whole, "\x00")) // journals are preallocated
			if strings.HasSuffix(d.Name(), ".bak") {
				used = 0 // what CURRENT was before; nothing reads it while CURRENT is sound
			}
			for range min(used, 12) {
				at, bit := r.IntN(used), byte(1)<<r.IntN(8)
				flipped := bytes.Clone(whole)
				flipped[at] ^= bit
				if err := os.WriteFile(p, flipped, 0o600); err != nil {
					return err
				}
				got := run(t, dir, verify.Options{})
				if !strings.HasSuffix(d.Name(), ".log") && got.Verdict == verify.Sound && got.StateHash == sound.StateHash && got.Records == sound.Records {
					continue // a table's filter or a manifest's last entry, without which the records read the same
				}
				if got.Verdict != verify.Damaged {
					t.Errorf("%s, byte %d of %d, bit %#x: %+v", d.Name(), at, used, bit, got)
				}
			}
			return os.WriteFile(p, whole, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, dir, verify.Options{Closed: true}); got.Verdict != verify.Sound {
			t.Errorf("undone: %+v", got)
		}
	}
}

// TestTruncatedJournal cuts the journal of a node that was stopped in good order.
func TestTruncatedJournal(t *testing.T) {
	dir := newDir(t, 3)
	logs, err := filepath.Glob(filepath.Join(dir, "store", "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("journals %v, %v", logs, err)
	}
	whole, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(whole, "\x00"))
	r := newRand(t)
	cuts := []int{0, 1, used - 1, used - 40, used - 100}
	for range 12 {
		cuts = append(cuts, r.IntN(used))
	}
	for _, n := range cuts {
		for _, zeros := range []int{0, 9000} { // the file ends there, or is zero from there on
			if err := os.WriteFile(logs[0], append(whole[:n:n], make([]byte, zeros)...), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := run(t, dir, verify.Options{Closed: true}); got.Verdict != verify.Damaged {
				t.Errorf("cut at %d of %d: %+v", n, used, got)
			}
			if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged && got.Closed {
				t.Errorf("cut at %d of %d: passes for closed: %+v", n, used, got)
			}
		}
	}
	if err := os.Remove(logs[0]); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged {
		t.Errorf("the journal removed: %+v", got)
	}
}

// TestKeysOfTheStore removes, alters and adds entries below the log's own checks.
func TestKeysOfTheStore(t *testing.T) {
	dir := newDir(t, 5)
	for name, edit := range map[string]func(db *goleveldb.DB) error{
		"a record removed":     func(db *goleveldb.DB) error { return db.Delete(recordKey(9), nil) },
		"the last one removed": func(db *goleveldb.DB) error { return db.Delete(recordKey(last(t, dir)), nil) },
		"an index entry gone":  func(db *goleveldb.DB) error { return db.Delete(append([]byte("o"), firstOp(t, dir)...), nil) },
		"an index entry more": func(db *goleveldb.DB) error {
			return db.Put(append([]byte("o"), make([]byte, 32)...), recordKey(9)[1:], nil)
		},
		"a named value altered": func(db *goleveldb.DB) error { return db.Put([]byte("mwindow"), []byte("nonsense"), nil) },
		"a record swapped": func(db *goleveldb.DB) error {
			b, err := db.Get(recordKey(9), nil)
			if err != nil {
				return err
			}
			return db.Put(recordKey(10), b, nil)
		},
	} {
		copied := duplicate(t, dir)
		db, err := goleveldb.OpenFile(filepath.Join(copied, "store"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := edit(db); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got := run(t, copied, verify.Options{}); got.Verdict != verify.Damaged {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func recordKey(i dag.Index) []byte { return binary.BigEndian.AppendUint64([]byte("r"), uint64(i)) }

func last(t *testing.T, dir string) (i dag.Index) {
	t.Helper()
	each(t, dir, func(at dag.Index, _ dag.Record) { i = at })
	return i
}

func firstOp(t *testing.T, dir string) (op []byte) {
	t.Helper()
	each(t, dir, func(_ dag.Index, rec dag.Record) {
		if op == nil && len(rec.Ops) > 0 {
			op = bytes.Clone(rec.Ops[0][:])
		}
	})
	return op
}

// each calls fn with every record of dir.
func each(t *testing.T, dir string, fn func(dag.Index, dag.Record)) {
	t.Helper()
	s, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Scan(1, func(i dag.Index, rec dag.Record) error { fn(i, rec); return nil }); err != nil {
		t.Fatal(err)
	}
}

// reblock returns rec with another block in place of its operation's.
func reblock(rec dag.Record, edit func(block []byte)) dag.Record {
	block, _, err := commit.RecordOp(rec)
	if err != nil || block == nil {
		panic("not a record of an operation")
	}
	edit(block) // a part of the payload
	return renamed(rec, block)
}

// renamed names the operation of a block in rec.
func renamed(rec dag.Record, block []byte) dag.Record {
	if u, err := dag.Rebuild(bytes.Clone(block), nil, nil, nil); err == nil {
		rec.Ops = []dag.ID{u.ID()}
	}
	return rec
}

// TestForgedLog rewrites the log with fitting hashes.
func TestForgedLog(t *testing.T) {
	dir := newDir(t, 6)
	// The log's last operation is the node's, and a head: nothing rests on it.
	var head, received, local dag.Index
	var lastLocal dag.Record
	each(t, dir, func(i dag.Index, rec dag.Record) {
		switch {
		case bytes.Contains(rec.Payload, []byte("another branch")):
			received = i
		case len(rec.Ops) > 0:
			head = i
		case bytes.Contains(rec.Payload, []byte("the node's value 3")):
			local = i
			lastLocal = dag.Record{Kind: rec.Kind, Payload: bytes.Clone(rec.Payload)}
		}
	})
	if head == 0 || received == 0 || local == 0 {
		t.Fatalf("no such records: %d, %d, %d", head, received, local)
	}
	at := func(i dag.Index, edit func(rec dag.Record) []dag.Record) func(dag.Index, dag.Record) []dag.Record {
		return func(j dag.Index, rec dag.Record) []dag.Record {
			if i == j {
				return edit(rec)
			}
			return []dag.Record{rec}
		}
	}
	replace := func(old, new string) func(dag.Record) []dag.Record {
		return func(rec dag.Record) []dag.Record {
			if !bytes.Contains(rec.Payload, []byte(old)) || len(old) != len(new) {
				t.Fatalf("cannot replace %q", old)
			}
			rec.Payload = bytes.Replace(rec.Payload, []byte(old), []byte(new), 1)
			return []dag.Record{rec}
		}
	}
	for _, v := range []struct {
		name string
		edit func(dag.Index, dag.Record) []dag.Record
		step verify.Step
		what string
	}{
		{"nothing", func(_ dag.Index, rec dag.Record) []dag.Record { return []dag.Record{rec} }, "", ""},
		{"the signature of a head", at(head, func(rec dag.Record) []dag.Record {
			return []dag.Record{reblock(rec, func(block []byte) { block[len(block)-1] ^= 1 })}
		}), verify.StepRecords, "signature"},
		{"the signature of an op that others build on", at(received, func(rec dag.Record) []dag.Record {
			return []dag.Record{reblock(rec, func(block []byte) { block[len(block)-60] ^= 1 })}
		}), verify.StepRecords, "signature"},
		{"an op under another's name", at(head, func(rec dag.Record) []dag.Record {
			rec.Ops = []dag.ID{{1, 2, 3}}
			return []dag.Record{rec}
		}), verify.StepRecords, "names"},
		{"a block that is none", at(head, func(rec dag.Record) []dag.Record {
			return []dag.Record{reblock(rec, func(block []byte) { block[0] = 0xff })}
		}), verify.StepRecords, "malformed"},
		{"a change that was sealed otherwise", at(local, replace("the node's value 3", "the node's value 4")), verify.StepReplay, "body-roots"},
		{"a change of another key", at(local, replace("k3", "k4")), verify.StepReplay, ""},
		{"a change left out", at(local, func(dag.Record) []dag.Record { return nil }), verify.StepReplay, ""},
		{"a change twice", at(local, func(rec dag.Record) []dag.Record { return []dag.Record{rec, lastLocal} }), verify.StepReplay, ""},
		{"a received body", at(received, replace("another branch", "another brunch")), verify.StepReplay, "body-roots"},
		{"a received op left out", func(i dag.Index, rec dag.Record) []dag.Record {
			if i == 2 { // the next one's past
				return nil
			}
			return []dag.Record{rec}
		}, verify.StepReplay, ""},
		{"the founding op left out", at(1, func(dag.Record) []dag.Record { return nil }), verify.StepReplay, ""},
		{"an op twice", at(received, func(rec dag.Record) []dag.Record { return []dag.Record{rec, rec} }), verify.StepReplay, "already present"},
		{"an unknown kind", at(local, func(rec dag.Record) []dag.Record {
			return []dag.Record{{Kind: 99, Payload: rec.Payload}}
		}), verify.StepReplay, "kind"},
	} {
		got := run(t, rewrite(t, dir, v.edit), verify.Options{})
		if v.step == "" {
			if got.Verdict != verify.Sound {
				t.Errorf("%s: %+v", v.name, got)
			}
			continue
		}
		ok := slices.ContainsFunc(got.Findings, func(f verify.Finding) bool {
			return f.Step == v.step && strings.Contains(f.What, v.what)
		})
		if got.Verdict != verify.Damaged || !ok {
			t.Errorf("%s: %+v, want a finding of the step %s that says %q", v.name, got, v.step, v.what)
		}
	}
}

// TestRandomForgery alters a byte anywhere in the block or body of an operation
// that was received, with fitting hashes.
func TestRandomForgery(t *testing.T) {
	r := newRand(t)
	dir := newDir(t, 6)
	var received []dag.Index
	each(t, dir, func(i dag.Index, rec dag.Record) {
		if block, _, err := commit.RecordOp(rec); err == nil && block != nil {
			received = append(received, i)
		}
	})
	for range 15 {
		i := received[r.IntN(len(received))]
		forged := rewrite(t, dir, func(j dag.Index, rec dag.Record) []dag.Record {
			if i == j {
				block, _, _ := commit.RecordOp(rec)
				block[r.IntN(len(block))] ^= byte(1 + r.IntN(255))
				rec = renamed(rec, block)
			}
			return []dag.Record{rec}
		})
		if got := run(t, forged, verify.Options{}); got.Verdict != verify.Damaged {
			t.Errorf("record %d: %+v", i, got)
		}
	}
}

// TestInvalidOp: an operation that is signed and whole, and breaks a rule.
func TestInvalidOp(t *testing.T) {
	s := newSite(t)
	s.fill(2)
	s.learn()
	stranger := s.mesh.Key("stranger")
	h, _ := s.graph.Draft(nil, 0, 0)
	signed, err := dag.Sign(h, dag.Body{}, stranger)
	if err != nil {
		t.Fatal(err)
	}
	s.write(2, dag.Transaction{dagtest.Put("a", "place for it")})
	dir := s.close()
	var at dag.Index
	each(t, dir, func(i dag.Index, rec dag.Record) {
		if bytes.Contains(rec.Payload, []byte("place for it")) {
			at = i
		}
	})
	forged := rewrite(t, dir, func(i dag.Index, rec dag.Record) []dag.Record {
		if i != at {
			return []dag.Record{rec}
		}
		old, _, err := commit.RecordOp(rec)
		if err != nil {
			t.Fatal(err)
		}
		// The payload has the block, and the body behind it, each after its length.
		before, _, _ := bytes.Cut(rec.Payload, binary.AppendUvarint(nil, uint64(len(old))))
		payload := binary.AppendUvarint(bytes.Clone(before), uint64(len(signed.Block())))
		payload = append(payload, signed.Block()...)
		payload = append(payload, 0, 0) // no body, no trail
		return []dag.Record{{Kind: rec.Kind, Payload: payload, Ops: []dag.ID{signed.ID()}}}
	})
	got := run(t, forged, verify.Options{})
	if got.Verdict != verify.Damaged || !strings.Contains(got.Findings[0].What, "not-enrolled") {
		t.Errorf("an operation of a stranger: %+v", got)
	}
}

// TestKeyFile: a node's key that others may read is found, and one that is none.
func TestKeyFile(t *testing.T) {
	dir := newDir(t, 1)
	file := filepath.Join(dir, "node.key")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged || got.Findings[0].Step != verify.StepKeys || got.StateHash == "" {
		t.Errorf("a key that others may read: %+v, want that finding and all steps", got)
	}
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged || got.Findings[0].Where != "node.key" {
		t.Errorf("a key that is none: %+v", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := identity.WriteKeyFile(file, identity.NewKeyFromSeed([32]byte{2}), "", nil); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged || !strings.Contains(got.Findings[0].What, "another key") {
		t.Errorf("another key than the log's: %+v", got)
	}
	operator := filepath.Join(dir, "operator.key")
	if err := identity.WriteKeyFile(operator, identity.NewKeyFromSeed([32]byte{1}), "", []byte("passphrase")); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); len(got.Findings) != 1 {
		t.Errorf("an operator's key under a passphrase: %+v", got)
	}
	if err := os.Chmod(operator, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); len(got.Findings) != 2 || got.Findings[0].Where != "operator.key" {
		t.Errorf("an operator's key that others may read: %+v", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	if got := run(t, dir, verify.Options{}); got.Verdict != verify.Damaged {
		t.Errorf("a key without a store: %+v", got)
	}
}

// TestRandomRecords alters a byte anywhere in a record of any kind, with fitting
// hashes: the check ends with a verdict, and what passes shows the same state. (What
// only the node itself said, a lease's time to live for instance, nothing proves.)
func TestRandomRecords(t *testing.T) {
	r := newRand(t)
	dir := newDir(t, 6)
	sound := run(t, dir, verify.Options{})
	end := last(t, dir)
	for range *forgeries {
		i := dag.Index(1 + r.IntN(int(end)))
		what := ""
		forged := rewrite(t, dir, func(j dag.Index, rec dag.Record) []dag.Record {
			if i == j && len(rec.Payload) > 0 {
				at, by := r.IntN(len(rec.Payload)), byte(1+r.IntN(255))
				what = fmt.Sprintf("record %d of kind %d, byte %d by %#x", i, rec.Kind, at, by)
				rec.Payload[at] ^= by
			}
			return []dag.Record{rec}
		})
		got := run(t, forged, verify.Options{})
		if got.Verdict == verify.Sound && (got.StateHash != sound.StateHash || got.Operations != sound.Operations) {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
