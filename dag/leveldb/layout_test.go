package leveldb

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
)

// TestLayout holds the bytes of docs/store.md sections 2 to 4.
func TestLayout(t *testing.T) {
	r := dag.Record{Kind: 7, Payload: []byte("payload"), Ops: []dag.ID{{0xaa}, {0xbb}}}
	v, hash := appendRecord(nil, chainHash{1}, 2, &r)
	m := mark{session: 3, journal: 4, durable: 5, last: 2, head: hash}
	for name, tc := range map[string]struct {
		got  []byte
		want string
	}{
		"record key": {recordKey(2), "720000000000000002"},
		"op key":     {opKey(dag.ID{0xaa}), "6faa00000000000000000000000000000000000000000000000000000000000000"},
		"meta key":   {metaKey("n"), "6d6e"},
		"record":     {v, goldenRecord},
		"mark":       {m.encode(), goldenMark},
		"meta":       {encodeMeta(metaKey("n"), []byte("v")), goldenMeta},
	} {
		if d := cmp.Diff(tc.want, hex.EncodeToString(tc.got)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	st, err := decodeRecord(2, v)
	if err != nil || st.hash != hash || st.prev != (chainHash{1}) {
		t.Errorf("decodeRecord = %+v, %v", st, err)
	}
	if d := cmp.Diff(r, st.record); d != "" {
		t.Errorf("decodeRecord: -want +got\n%s", d)
	}
	if got, err := decodeMark(m.encode()); err != nil || got != m {
		t.Errorf("decodeMark = %+v, %v, want %+v", got, err, m)
	}
}

const (
	goldenRecord = "f0eed5dac6b7c138c293eed517948f06bf85c4ab61032df893f34e89e4c077c801000000000000000000000000000000000000000000000000000000000000000000000000000002070002aa00000000000000000000000000000000000000000000000000000000000000bb000000000000000000000000000000000000000000000000000000000000007061796c6f6164"
	goldenMark   = "0000000000000003000000000000000400000000000000050000000000000002f0eed5dac6b7c138c293eed517948f06bf85c4ab61032df893f34e89e4c077c8ff"
	goldenMeta   = "66f5d47f76"
)
