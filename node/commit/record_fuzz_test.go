package commit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// FuzzRecord takes payloads of records apart, as a checker of somebody else's
// directory does: no panic, and what was read is written again as the same.
func FuzzRecord(f *testing.F) {
	f.Add(uint8(recordSeal), sealRecord{revision: 1, first: 2, count: 3, at: 4, block: []byte("block"), statements: [][]byte{[]byte("s")}}.append(nil))
	f.Add(uint8(recordOp), opRecord{revision: 1, together: 2, block: []byte("block"), body: []byte("body"), trail: []byte("trail")}.append(nil))
	f.Add(uint8(recordWindow), windowRecord{epoch: 7, part: 1}.append(nil))
	f.Add(uint8(recordRotation), append([]byte{1}, make([]byte, 32)...))
	f.Add(uint8(recordLocal), appendItem(nil, []byte("change")))
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		switch kind {
		case uint8(recordLocal):
			_ = decodeLocal(payload, func(*mvcc.Change) error { return nil })
		case uint8(recordSeal):
			again(t, payload, decodeSeal, sealRecord.append, sealRecord{})
		case uint8(recordOp):
			again(t, payload, decodeOp, opRecord.append, opRecord{})
		case uint8(recordWindow):
			again(t, payload, decodeWindow, windowRecord.append, windowRecord{})
		case uint8(recordRotation):
			_, _ = decodeRotation(payload)
		}
	})
}

// again decodes, encodes and decodes once more.
func again[T any](t *testing.T, payload []byte, decode func([]byte) (T, error), encode func(T, []byte) []byte, all T) {
	t.Helper()
	first, err := decode(payload)
	if err != nil {
		return
	}
	second, err := decode(encode(first, nil))
	if err != nil {
		t.Fatalf("decode of what was encoded: %v", err)
	}
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(all)); diff != "" {
		t.Errorf("decode(encode(decode(%x))) (-first +again):\n%s", payload, diff)
	}
}
