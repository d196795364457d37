package dag_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestIDText(t *testing.T) {
	id := dag.ID(sha256.Sum256([]byte("op")))
	text := id.String()
	if !strings.HasPrefix(text, "bafyrei") || id.CID().String() != text {
		t.Errorf("String = %s", text)
	}
	if got, err := dag.ParseID(text); err != nil || got != id {
		t.Errorf("ParseID(String) = %v, %v", got, err)
	}
	var got dag.ID
	if err := got.UnmarshalText([]byte(text)); err != nil || got != id {
		t.Errorf("UnmarshalText = %v, %v", got, err)
	}
	for _, bad := range []string{"", text[:58], text + "a", strings.ToUpper(text), "z" + text[1:], "bafkrei" + text[7:],
		"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"} {
		if _, err := dag.ParseID(bad); !errors.Is(err, dag.ErrID) {
			t.Errorf("ParseID(%q) = %v, want ErrID", bad, err)
		}
		if err := got.UnmarshalText([]byte(bad)); err == nil || got != id {
			t.Errorf("UnmarshalText(%q) changed the ID or gave no error", bad)
		}
	}
}

// TestRoots checks the roots against the recursive definition of RFC 6962 and
// the hash of its known test tree of eight leaves.
func TestRoots(t *testing.T) {
	var root func(items [][]byte) [32]byte
	root = func(items [][]byte) [32]byte {
		if len(items) == 1 {
			return sha256.Sum256(append([]byte{0}, items[0]...))
		}
		k := 1
		for k*2 < len(items) {
			k *= 2
		}
		l, r := root(items[:k]), root(items[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
	}
	var items [][]byte
	for i := range 70 {
		items = append(items, []byte(fmt.Sprint("item ", i)))
		got, none, nor := dag.Body{Transactions: items}.Roots()
		if got == nil || *got != root(items) || none != nil || nor != nil {
			t.Fatalf("root of %d items = %x, want %x", len(items), got, root(items))
		}
	}
	known := [][]byte{{}, {0x00}, {0x10}, {0x20, 0x21}, {0x30, 0x31}, {0x40, 0x41, 0x42, 0x43},
		{0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57},
		{0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f}}
	_, got, same := dag.Body{Statements: known, Schemas: known}.Roots()
	if *same != *got {
		t.Errorf("root of schemas = %x, of statements %x", *same, *got)
	}
	if want := "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"; hex.EncodeToString(got[:]) != want {
		t.Errorf("root of the known tree = %x, want %s", got, want)
	}
}

func writes() *rapid.Generator[dag.Write] {
	return rapid.Custom(func(t *rapid.T) dag.Write {
		some := rapid.SliceOfN(rapid.Byte(), 0, 300)
		w := dag.Write{
			Kind: rapid.SampledFrom([]dag.WriteKind{dag.Replace, dag.Patch, dag.DeleteFinal, dag.DeleteObserved, dag.DeleteRange}).Draw(t, "kind"),
			Key:  rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "key"),
		}
		if w.Kind == dag.DeleteRange {
			if rapid.Bool().Draw(t, "bounded") {
				w.End = append(slices.Clone(w.Key), rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "end")...)
			}
			return w
		}
		switch w.Incarnation.Kind = rapid.SampledFrom([]dag.IncarnationKind{dag.IncarnationSelf, dag.IncarnationLocal, dag.IncarnationPast}).Draw(t, "incarnation"); w.Incarnation.Kind {
		case dag.IncarnationPast:
			w.Incarnation.Op = dag.ID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "op"))
			fallthrough
		case dag.IncarnationLocal:
			w.Incarnation.Tx = rapid.Uint32().Draw(t, "tx")
			w.Incarnation.Write = rapid.Uint32().Draw(t, "write")
		}
		if w.Kind.Puts() {
			w.Value = some.Draw(t, "value")
			w.Leased = rapid.Bool().Draw(t, "leased")
		}
		if w.Kind == dag.Replace {
			w.Schema = rapid.SampledFrom([]dag.SchemaID{dag.SchemaJSON, dag.SchemaOpaque, {0: 1}, {31: 2}, dag.SchemaIDOf(nil)}).Draw(t, "schema")
		}
		return w
	})
}

func TestTransactionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := dag.Transaction(rapid.SliceOfN(writes(), 1, 8).Draw(t, "writes"))
		got, err := dag.DecodeTransaction(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestBodyRoundTrip(t *testing.T) {
	items := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		want := dag.Body{Transactions: items.Draw(t, "transactions"), Statements: items.Draw(t, "statements"), Schemas: items.Draw(t, "schemas")}
		encoded := want.Encode()
		if want.Empty() != (encoded == nil) {
			t.Fatalf("Encode of %+v = %x", want, encoded)
		}
		got, err := dag.DecodeBody(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWriteErrors(t *testing.T) {
	for name, test := range map[string]struct {
		hex  string
		want error
	}{
		"delete of five elements":   {"81850241" + "6bf6f441" + "76", dag.ErrWrite},
		"replace of three elements": {"81830041" + "6bf6", dag.ErrWrite},
		"replace without schema":    {"81850041" + "6bf6f44176", dag.ErrWrite},
		"patch with a schema":       {"81860141" + "6bf6f44176f6", dag.ErrWrite},
		"schema of true":            {"81860041" + "6bf6f44176f5", dag.ErrWrite},
		"schema of 31 bytes":        {"81860041" + "6bf6f44176581f" + strings.Repeat("11", 31), dag.ErrWrite},
		"schema of zeros":           {"81860041" + "6bf6f441765820" + strings.Repeat("00", 32), dag.ErrWrite},
		"opaque in 32 bytes":        {"81860041" + "6bf6f441765820" + strings.Repeat("00", 31) + "01", dag.ErrWrite},
		"schema of a number":        {"81860041" + "6bf6f4417600", dag.ErrWrite},
		"kind 5":                    {"81830541" + "6bf6", dag.ErrWrite},
		"incarnation of one":        {"81830241" + "6b8100", dag.ErrWrite},
		"index of 2^32":             {"81830241" + "6b82001b0000000100000000", dag.ErrLimit},
		"more writes than bytes":    {"9a00010000", dag.ErrWrite},
		"more writes than the most": {"9a00010001", dag.ErrLimit},
		"cut":                       {"81830241", dag.ErrWrite},
	} {
		b, err := hex.DecodeString(test.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := dag.DecodeTransaction(b); !errors.Is(err, test.want) || got != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
}

func TestVerifyNamesTheBad(t *testing.T) {
	m := dagtest.New(t, 2)
	var us []*dag.Unverified
	for i, s := range chain(m, 9) {
		block := s.Block()
		if i%4 == 2 {
			block = slices.Clone(block)
			block[len(block)-1] ^= 1
		}
		u, err := dag.Decode(block, s.Body())
		if err != nil {
			t.Fatal(err)
		}
		us = append(us, u)
	}
	signed, errs := dag.Verify(us)
	for i := range us {
		bad := i%4 == 2
		if (signed[i] == nil) != bad || (dag.ReasonOf(errs[i]) == dag.ReasonSignature) != bad {
			t.Errorf("op %d: %v, %v, want bad = %v", i, signed[i], errs[i], bad)
		}
	}
	if signed, errs := dag.Verify(nil); len(signed)+len(errs) != 0 {
		t.Errorf("Verify of nothing = %v, %v", signed, errs)
	}
}

func TestSign(t *testing.T) {
	m := dagtest.New(t, 2)
	s := m.Draw("G -> b1{/k=v -/j}").Signed("b1")
	u, err := dag.Decode(s.Block(), s.Body())
	if err != nil || u.ID() != s.ID() || u.ID() != dag.ID(sha256.Sum256(s.Block())) {
		t.Fatalf("Decode of a signed op = %v, %v", u, err)
	}
	if _, errs := dag.Verify([]*dag.Unverified{u}); errs[0] != nil {
		t.Error(errs[0])
	}
	got := u.Transactions()
	if len(got) != 1 || len(got[0]) != 2 || !bytes.Equal(got[0][0].Key, []byte("/k")) {
		t.Errorf("transactions = %+v", got)
	}
	if _, err := dag.Sign(dag.Header{Seq: 2}, dag.Body{}, m.Node(1)); dag.ReasonOf(err) != dag.ReasonSeqPrev {
		t.Errorf("Sign of a malformed header = %v", err)
	}
}

// TestLargestBlock: no header within the bounds makes a block beyond MaxBlock.
func TestLargestBlock(t *testing.T) {
	const most = 1<<63 - 1
	root := &[32]byte{}
	h := dag.Header{Mesh: &dag.ID{}, Seq: most, Prev: &dag.ID{}, Parents: make([]dag.ID, dag.MaxParents), Depth: most, Wall: most,
		Epoch: most, Bytes: most, Writes: most, Size: most, Transactions: root, Statements: root, Schemas: root}
	if n := len(raw(h, dag.Version, 15)); n > dag.MaxBlock {
		t.Errorf("%d bytes", n)
	}
}
