package reconcile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

func id(b byte) dag.ID              { return dag.ID{b} }
func key(b byte) identity.PublicKey { return identity.PublicKey{b} }

// validMessages are messages of each kind.
func validMessages() map[string]message {
	return map[string]message{
		"empty":   &summary{mesh: id(9)},
		"summary": &summary{mesh: id(9), anchor: []anchorOp{{id(1), true}, {id(2), false}}, tips: []tip{{key(1), 1, id(3), false}, {key(1), 1, id(4), true}, {key(2), 1 << 40, id(3), true}}},
		"full":    &summary{mesh: id(9), purpose: purposeFull, tips: []tip{{key(1), 24, id(3), true}}},
		"repair":  &summary{mesh: id(9), purpose: purposeRepair, anchor: []anchorOp{{id(1), true}}},
		"ops":     &batch{ops: []encodedOp{{[]byte("block"), []byte{}}, {[]byte{}, bytes.Repeat([]byte("body"), 100)}}},
		"done":    doneMessage{},
		"more":    doneMessage{more: true},
		"ask":     ask{},
		"fin":     fin{satisfied: true},
	}
}

func TestMessageRoundTrip(t *testing.T) {
	for name, m := range validMessages() {
		got, err := decodeMessage(m.encode())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(summary{}, anchorOp{}, tip{}, batch{}, encodedOp{}, doneMessage{}, ask{}, fin{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestVectors prints the messages of validMessages in hex, byte for byte as
// docs/sync.md section 3 specifies. Run with -rewrite to write what they are now.
func TestVectors(t *testing.T) {
	datadriven.RunTest(t, "testdata/vectors.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "anchor" {
			return hex.EncodeToString(encodeAnchor([]dag.ID{id(1), id(2)})) + "\n"
		}
		m, ok := validMessages()[d.Cmd]
		if !ok {
			d.Fatalf(t, "no message %s", d.Cmd)
		}
		return hex.EncodeToString(m.encode()) + "\n"
	})
}

func TestMessageRefused(t *testing.T) {
	tips := func(n int, author func(i int) identity.PublicKey) *summary {
		s := new(summary)
		for i := range n {
			s.tips = append(s.tips, tip{author: author(i), seq: uint64(i + 1)})
		}
		return s
	}
	one := func(int) identity.PublicKey { return key(1) }
	many := func(i int) identity.PublicKey { return identity.PublicKey{byte(i >> 16), byte(i >> 8), byte(i)} }
	large := bytes.Repeat([]byte{1}, dag.MaxBody)
	ops := func(n int, body []byte) *batch {
		b := new(batch)
		for range n {
			b.ops = append(b.ops, encodedOp{body: body})
		}
		return b
	}
	anchors := new(summary)
	for i := range MaxAnchor + 1 {
		anchors.anchor = append(anchors.anchor, anchorOp{id: dag.ID{byte(i >> 8), byte(i)}})
	}
	salted := dagcbor.AppendArray(nil, 7)
	salted = dagcbor.AppendUint(dagcbor.AppendUint(salted, 0), Version)
	salted = dagcbor.AppendBytes(salted, make([]byte, 32))
	salted = dagcbor.AppendBytes(salted, []byte("salt"))
	version := dagcbor.AppendUint(dagcbor.AppendUint(dagcbor.AppendArray(nil, 9), 0), Version+1)
	version = append(version, 0, 0, 0, 0, 0, 0, 0)
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"nothing", nil, ErrMalformed},
		{"no array", []byte{0}, ErrMalformed},
		{"unknown kind", []byte{0x81, 5}, ErrMalformed},
		{"ask with a field", []byte{0x82, 3, 0xf4}, ErrMalformed},
		{"done without a field", []byte{0x81, 2}, ErrMalformed},
		{"done with a number", []byte{0x82, 2, 0}, ErrMalformed},
		{"trailing byte", append(ask{}.encode(), 0), ErrMalformed},
		{"another version", version, ErrVersion},
		{"salt", salted, ErrLimit},
		{"purpose", (&summary{purpose: 3}).encode(), ErrMalformed},
		{"full with an anchor", (&summary{purpose: purposeFull, anchor: []anchorOp{{}}}).encode(), ErrMalformed},
		{"anchor unsorted", (&summary{anchor: []anchorOp{{id: id(2)}, {id: id(1)}}}).encode(), ErrMalformed},
		{"anchor twice", (&summary{anchor: []anchorOp{{id: id(2)}, {id: id(2), head: true}}}).encode(), ErrMalformed},
		{"anchor too long", anchors.encode(), ErrLimit},
		{"tips unsorted", (&summary{tips: []tip{{key(2), 1, id(1), false}, {key(1), 1, id(1), false}}}).encode(), ErrMalformed},
		{"tip twice", (&summary{tips: []tip{{key(1), 1, id(1), false}, {key(1), 1, id(1), true}}}).encode(), ErrMalformed},
		{"seq 0", (&summary{tips: []tip{{key(1), 0, id(1), false}}}).encode(), ErrMalformed},
		{"tips of one author", tips(MaxAuthorTips+1, one).encode(), ErrLimit},
		{"tips", tips(MaxTips+1, many).encode(), ErrLimit},
		{"no ops", ops(0, nil).encode(), ErrMalformed},
		{"too many ops", ops(MaxFrameOps+1, nil).encode(), ErrLimit},
		{"two large ops", ops(2, large[:TargetFrame/2]).encode(), ErrLimit},
		{"body too long", ops(1, append(large, 1)).encode(), ErrLimit},
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
	largest := &batch{ops: []encodedOp{{make([]byte, dag.MaxBlock), make([]byte, dag.MaxBody)}}}
	if n := len(largest.encode()); n > MaxFrame {
		t.Errorf("the largest op takes %d bytes, more than MaxFrame, %d", n, MaxFrame)
	}
	if _, err := decodeMessage(largest.encode()); err != nil {
		t.Errorf("the largest op: %v", err)
	}
	s := new(summary)
	for i := range MaxAnchor {
		s.anchor = append(s.anchor, anchorOp{id: dag.ID{byte(i >> 8), byte(i)}})
	}
	for i := range MaxTips {
		s.tips = append(s.tips, tip{author: identity.PublicKey{byte(i >> 8), byte(i)}, seq: dagcbor.MaxUint})
	}
	if n := len(s.encode()); n > MaxFrame {
		t.Errorf("the largest summary takes %d bytes, more than MaxFrame, %d", n, MaxFrame)
	}
	if _, err := decodeMessage(s.encode()); err != nil {
		t.Errorf("the largest summary: %v", err)
	}
	ids := make([]dag.ID, MaxAnchor)
	if n := len(encodeAnchor(ids)); n > MaxAnchorSize || n > dag.MaxMetaValue {
		t.Errorf("the largest anchor takes %d bytes, more than MaxAnchorSize, %d, or a store's named value", n, MaxAnchorSize)
	}
}

func TestAnchor(t *testing.T) {
	for _, ids := range [][]dag.ID{nil, {id(1)}, {id(1), id(2)}} {
		got, err := decodeAnchor(encodeAnchor(ids))
		if diff := cmp.Diff(ids, got); err != nil || diff != "" {
			t.Errorf("decodeAnchor(encodeAnchor(%v)): %v (-want +got):\n%s", ids, err, diff)
		}
	}
	for _, b := range [][]byte{{0}, {0x82, 1, 0x80}, {0x82, 0, 0x80, 0}, encodeAnchor([]dag.ID{id(2), id(1)}), encodeAnchor([]dag.ID{id(1), id(1)})} {
		if ids, err := decodeAnchor(b); !errors.Is(err, ErrAnchor) || ids != nil {
			t.Errorf("decodeAnchor(%x) = %v, %v, want ErrAnchor", b, ids, err)
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

// FuzzAnchor: as FuzzMessage.
func FuzzAnchor(f *testing.F) {
	f.Add(encodeAnchor([]dag.ID{id(1), id(2)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := decodeAnchor(b)
		if err == nil && len(b) > 0 && !bytes.Equal(encodeAnchor(ids), b) {
			t.Fatalf("decodeAnchor accepts %x, which encodes as %x", b, encodeAnchor(ids))
		}
	})
}
