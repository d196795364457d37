package reconcile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

func id(b byte) dag.ID { return dag.ID{b} }

// validMessages are messages of each kind.
func validMessages() map[string]message {
	refs := []ref{{tag{1}, 1, tag{3}}, {tag{1}, 1, tag{4}}, {tag{2}, 1 << 40, tag{3}}}
	return map[string]message{
		"empty":    &summary{mesh: tag{9}, salt: salt{8}},
		"summary":  &summary{mesh: tag{9}, anchor: refs[:2], vector: []tip{{refs[0], 0, nil}, {refs[2], 5, []check{{1}, {2}, {3}, {4}, {0, 5}}}}},
		"branches": &summary{mesh: tag{9}, anchor: refs[:1], branches: refs, filter: filter{hashes: 17, bits: []byte{1, 2, 3}}},
		"sketch":   &summary{mesh: tag{9}, sketch: []riblt.Symbol{{}, {Sum: riblt.Item{7}, Hash: 1<<48 - 1}}},
		"full":     &summary{mesh: tag{9}, purpose: purposeFull, vector: []tip{{ref{tag{1}, 64, tag{3}}, 60, []check{25: {9}}}}},
		"repair":   &summary{mesh: tag{9}, purpose: purposeRepair, anchor: refs[:1]},
		"plain":    &summary{mesh: tag{9}, purpose: purposePlain, vector: []tip{{refs[0], 0, nil}}},
		"ops":      batch{[]byte("blocks and bodies")},
		"end":      end{},
		"cut":      end{cut: true},
		"ask":      ask{},
		"more":     more{},
		"symbols":  &symbols{[]riblt.Symbol{{Sum: riblt.Item{7}, Hash: 1}}},
		"fin":      fin{satisfied: true},
		"ack":      ack{units: 8},
		"without":  without{[]tag{{1}, {2}}},
	}
}

func TestMessageRoundTrip(t *testing.T) {
	for name, m := range validMessages() {
		got, err := decodeMessage(m.encode())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, ops := m.(batch); ops != IsOps(m.encode()) {
			t.Errorf("%s: IsOps = %v", name, !ops)
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(summary{}, ref{}, tip{}, filter{}, batch{}, end{}, ask{}, more{}, symbols{}, fin{}, ack{}, without{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestVectors prints the messages of validMessages in hex, byte for byte as
// docs/sync.md section 3 specifies. Run with -rewrite to write what they are now.
func TestVectors(t *testing.T) {
	datadriven.RunTest(t, "testdata/vectors.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "memory" {
			return hex.EncodeToString(memory{anchor: []dag.ID{id(1), id(2)}, offered: []dag.ID{id(3)}}.encode()) + "\n"
		}
		m, ok := validMessages()[d.Cmd]
		if !ok {
			d.Fatalf(t, "no message %s", d.Cmd)
		}
		return hex.EncodeToString(m.encode()) + "\n"
	})
}

func TestMessageRefused(t *testing.T) {
	refs := func(n int, author func(i int) tag) (refs []ref) {
		for i := range n {
			refs = append(refs, ref{author(i), uint64(i + 1), tag{}})
		}
		return refs
	}
	one := func(int) tag { return tag{1} }
	many := func(i int) tag { return tag{byte(i >> 16), byte(i >> 8), byte(i)} }
	vector := func(tips ...tip) []byte { return (&summary{vector: tips}).encode() }
	var authors []tip
	for _, r := range refs(MaxTips+1, many) {
		authors = append(authors, tip{ref: r})
	}
	halfSymbol := dagcbor.AppendBytes(appendHead(nil, 2, kindSymbols), make([]byte, symbolSize+1))
	version := dagcbor.AppendUint(dagcbor.AppendUint(dagcbor.AppendArray(nil, 12), 0), Version+1)
	version = append(version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"nothing", nil, ErrMalformed},
		{"no array", []byte{0}, ErrMalformed},
		{"unknown kind", []byte{0x81, 10}, ErrMalformed},
		{"ask with a field", []byte{0x82, 4, 0xf4}, ErrMalformed},
		{"end with a field", []byte{0x82, 2, 0xf4}, ErrMalformed},
		{"fin without a field", []byte{0x81, 7}, ErrMalformed},
		{"fin with a number", []byte{0x82, 7, 0}, ErrMalformed},
		{"ack of nothing", ack{}.encode(), ErrMalformed},
		{"ack of too much", ack{maxUnacked + 1}.encode(), ErrMalformed},
		{"without nobody", without{}.encode(), ErrMalformed},
		{"without half a tag", []byte{0x82, 9, 0x43, 1, 2, 3}, ErrMalformed},
		{"without in disorder", without{[]tag{{2}, {1}}}.encode(), ErrMalformed},
		{"without one twice", without{[]tag{{2}, {2}}}.encode(), ErrMalformed},
		{"without too many", without{make([]tag, MaxWithout+1)}.encode(), ErrLimit},
		{"trailing byte", append(ask{}.encode(), 0), ErrMalformed},
		{"another version", version, ErrVersion},
		{"purpose", (&summary{purpose: 4}).encode(), ErrMalformed},
		{"full with an anchor", (&summary{purpose: purposeFull, anchor: refs(1, one)}).encode(), ErrMalformed},
		{"anchor unsorted", (&summary{anchor: []ref{{tag{2}, 1, tag{}}, {tag{1}, 1, tag{}}}}).encode(), ErrMalformed},
		{"anchor twice", (&summary{anchor: []ref{{tag{2}, 1, tag{}}, {tag{2}, 1, tag{}}}}).encode(), ErrMalformed},
		{"anchor too long", (&summary{anchor: refs(MaxAnchor+1, many)}).encode(), ErrLimit},
		{"branches unsorted", (&summary{branches: []ref{{tag{2}, 2, tag{}}, {tag{2}, 1, tag{}}}}).encode(), ErrMalformed},
		{"branches of one author", (&summary{branches: refs(MaxAuthorTips+1, one)}).encode(), ErrLimit},
		{"vector unsorted", vector(tip{ref: ref{tag{2}, 1, tag{}}}, tip{ref: ref{tag{1}, 1, tag{}}}), ErrMalformed},
		{"author twice", vector(tip{ref: ref{tag{2}, 1, tag{}}}, tip{ref: ref{tag{2}, 2, tag{}}}), ErrMalformed},
		{"seq 0", vector(tip{}), ErrMalformed},
		{"span beyond seq", vector(tip{ref: ref{tag{1}, 1, tag{}}, span: 1, checks: []check{{}}}), ErrMalformed},
		{"a check missing", vector(tip{ref: ref{tag{1}, 9, tag{}}, span: 2, checks: []check{{}}}), ErrMalformed},
		{"a check too many", vector(tip{ref: ref{tag{1}, 9, tag{}}, checks: []check{{}}}), ErrMalformed},
		{"vector too long", vector(authors...), ErrLimit},
		{"filter without hashes", (&summary{filter: filter{bits: []byte{1}}}).encode(), ErrMalformed},
		{"hashes without a filter", (&summary{filter: filter{hashes: 1}}).encode(), ErrMalformed},
		{"too many hashes", (&summary{filter: filter{maxHashes + 1, []byte{1}}}).encode(), ErrMalformed},
		{"filter too long", (&summary{filter: filter{1, make([]byte, MaxFilter+1)}}).encode(), ErrLimit},
		{"sketch beside a vector", (&summary{sketch: make([]riblt.Symbol, 1), vector: authors[:1]}).encode(), ErrMalformed},
		{"sketch too long", (&summary{sketch: make([]riblt.Symbol, MaxSymbols+1)}).encode(), ErrLimit},
		{"half a symbol", halfSymbol, ErrMalformed},
		{"no symbols", (&symbols{}).encode(), ErrMalformed},
		{"no ops", batch{}.encode(), ErrMalformed},
		{"frame too long", make([]byte, MaxFrame+1), ErrLimit},
	} {
		m, err := decodeMessage(c.frame)
		if !errors.Is(err, c.want) || m != nil {
			t.Errorf("%s: decodeMessage = %v, %v, want %v", c.name, m, err, c.want)
		}
	}
}

// TestMessageBounds: the largest messages of each kind are within their bounds.
func TestMessageBounds(t *testing.T) {
	if n := len(batch{make([]byte, dag.MaxBlock+dag.MaxBody)}.encode()); n > MaxFrame {
		t.Errorf("the largest op takes %d bytes, more than MaxFrame, %d", n, MaxFrame)
	}
	s := &summary{filter: filter{maxHashes, make([]byte, MaxFilter)}}
	for i := range MaxTips {
		r := ref{tag{byte(i >> 8), byte(i)}, dagcbor.MaxUint, tag{}}
		if i < MaxAnchor {
			s.anchor = append(s.anchor, r)
		}
		s.branches = append(s.branches, r)
		span := uint64(dagcbor.MaxUint - 1)
		s.vector = append(s.vector, tip{r, span, make([]check, countChecks(span))})
	}
	sketch := &summary{anchor: s.anchor, branches: s.branches, filter: s.filter, sketch: make([]riblt.Symbol, MaxSymbols)}
	for _, s := range []*summary{s, sketch} {
		frame := s.encode()
		if len(frame) > MaxFrame {
			t.Errorf("the largest summary takes %d bytes, more than MaxFrame, %d", len(frame), MaxFrame)
		}
		if _, err := decodeMessage(frame); err != nil {
			t.Errorf("the largest summary: %v", err)
		}
	}
	ids := make([]dag.ID, MaxAnchor)
	if n := len(memory{ids, ids[:maxOffered]}.encode()); n > MaxMemorySize || n > dag.MaxMetaValue {
		t.Errorf("the largest memory takes %d bytes, more than MaxMemorySize, %d, or a store's named value", n, MaxMemorySize)
	}
}

func TestMemory(t *testing.T) {
	for _, m := range []memory{{}, {anchor: []dag.ID{id(1)}}, {anchor: []dag.ID{id(1), id(2)}, offered: []dag.ID{id(1)}}} {
		got, err := decodeMemory(m.encode())
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(memory{})); err != nil || diff != "" {
			t.Errorf("decodeMemory(%v.encode()): %v (-want +got):\n%s", m, err, diff)
		}
	}
	for _, b := range [][]byte{{0}, {0x83, 1, 0x80, 0x80}, {0x82, 0, 0x80}, {0x83, 0, 0x80, 0x80, 0},
		memory{anchor: []dag.ID{id(2), id(1)}}.encode(), memory{offered: []dag.ID{id(1), id(1)}}.encode()} {
		if m, err := decodeMemory(b); !errors.Is(err, ErrMemory) || m.anchor != nil || m.offered != nil {
			t.Errorf("decodeMemory(%x) = %v, %v, want ErrMemory", b, m, err)
		}
	}
}

// TestChecks: the checks of a tip are of the 24 ops before it, then ever
// fewer, and of the first since the anchor.
func TestChecks(t *testing.T) {
	for span := range uint64(300) {
		var want []uint64
		for d := uint64(1); d < span; d++ {
			if d <= 24 || d == 48 || d == 96 || d == 192 {
				want = append(want, 1000-d)
			}
		}
		if span > 0 {
			want = append(want, 1000-span)
		}
		tip := tip{ref: ref{seq: 1000}, span: span, checks: make([]check, countChecks(span))}
		var got []uint64
		for i := range tip.checks {
			got = append(got, tip.checkSeq(i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("span %d (-want +got):\n%s", span, diff)
		}
	}
}

// FuzzMessage: what decodes has one encoding, and nothing panics.
func FuzzMessage(f *testing.F) {
	for _, m := range validMessages() {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := decodeMessage(frame)
		if err != nil {
			for _, kind := range []error{ErrMalformed, ErrVersion, ErrLimit} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatalf("decodeMessage(%x) = %v, none of the errors it promises", frame, err)
		}
		if got := m.encode(); !bytes.Equal(got, frame) {
			t.Fatalf("decodeMessage accepts\n%x, which encodes as\n%x", frame, got)
		}
	})
}

// FuzzMemory: as FuzzMessage.
func FuzzMemory(f *testing.F) {
	f.Add(memory{anchor: []dag.ID{id(1), id(2)}, offered: []dag.ID{id(3)}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMemory(b)
		if err == nil && len(b) > 0 && !bytes.Equal(m.encode(), b) {
			t.Fatalf("decodeMemory accepts %x, which encodes as %x", b, m.encode())
		}
	})
}
