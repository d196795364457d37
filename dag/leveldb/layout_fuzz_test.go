package leveldb

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/dag"
)

// FuzzLayout decodes what a directory may hold, with a hash that fits so that
// what is behind it is reached: no panic, one error, and one encoding of a record.
func FuzzLayout(f *testing.F) {
	whole, _ := appendRecord(nil, chainHash{}, 3, &dag.Record{Kind: 1, Payload: []byte("payload"), Ops: []dag.ID{{1}}})
	f.Add(uint64(3), whole[hashLen:])
	f.Add(uint64(1), mark{session: 1, last: 2}.encode())
	f.Fuzz(func(t *testing.T, index uint64, b []byte) {
		sum := sha256.Sum256(b)
		v := append(sum[:], b...)
		s, err := decodeRecord(dag.Index(index), v)
		switch {
		case err != nil && !errors.Is(err, dag.ErrCorrupt):
			t.Errorf("decodeRecord(%x) = %v, want ErrCorrupt", v, err)
		case err == nil:
			if again, _ := appendRecord(nil, s.prev, dag.Index(index), &s.record); !bytes.Equal(again, v) {
				t.Errorf("encode(decode(%x)) = %x", v, again)
			}
		}
		if m, err := decodeMark(b); err == nil && !bytes.Equal(m.encode(), b) {
			t.Errorf("encode(decodeMark(%x)) = %x", b, m.encode())
		}
		_, _ = decodeMeta([]byte("mname"), b)
	})
}
