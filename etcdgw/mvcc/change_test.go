package mvcc

import (
	"bytes"
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
)

func sampleChanges() []*Change {
	id := dag.ID{7, 31: 9}
	return []*Change{
		{},
		{Compact: 5},
		{Grant: Grant{-3, 60}},
		{Revoke: 1 << 62},
		{Alarm: AlarmChange{Alarm{1<<64 - 1, pb.AlarmType_NOSPACE}, true}},
		{Alarm: AlarmChange{Alarm{0, -1}, false}},
		{Revision: 2, Number: 1, Writes: []Write{{Kind: dag.Replace, Key: []byte("a"), Value: []byte("b"), Lease: -1}}},
		{Revision: 1<<40 + 3, Number: 300, Revoke: 4, Writes: []Write{
			{Kind: dag.DeleteObserved, Key: []byte("a"), Birth: Birth{Number: 2, Index: 3}},
			{Kind: dag.DeleteRange, Key: []byte("a"), End: []byte("b")},
			{Kind: dag.DeleteRange},
			{Kind: dag.Replace, Key: []byte("a"), Birth: Birth{Operation: &id, Tx: 4095, Index: 1<<32 - 1}, Prev: 1<<63 - 1},
		}},
		{Revision: 4, Number: 2, Schemas: [][]byte{{1, 2}, {}}, Writes: []Write{
			{Kind: dag.Replace, Key: []byte("a"), Value: []byte("b"), Schema: dag.SchemaID{5}, Prev: 1},
			{Kind: dag.Replace, Key: []byte("a"), Value: []byte("b"), Schema: dag.SchemaOpaque, Prev: 1},
			{Kind: dag.Patch, Key: []byte("a"), Value: []byte("patch"), Lease: 3, Prev: 9, sum: 1 << 31, Birth: Birth{Number: 1}},
			{Kind: dag.Patch, Key: []byte("a"), Value: []byte("patch"), whole: &whole{dag.SchemaID{7}, []byte("value")}},
			{Kind: dag.Patch, Key: []byte("a"), Value: []byte("patch"), whole: &whole{value: []byte{}}},
			{Kind: dag.DeleteFinal, Key: []byte("a"), Prev: 9},
		}},
		{Revision: 3, Writes: []Write{
			{Kind: dag.Replace, Local: true, Key: []byte("a"), Value: []byte("b"), Lease: 5},
			{Kind: dag.DeleteObserved, Local: true, Key: []byte("a")},
			{Kind: dag.DeleteRange, Local: true, Key: []byte("a")},
		}},
		{Revision: 3, Number: 1, Writes: []Write{
			{Kind: dag.Replace, Local: true, Key: []byte("a")},
			{Kind: dag.DeleteObserved, Key: []byte("a"), Prev: 300},
		}},
	}
}

// FuzzChange: what decodes has one encoding, and nothing panics.
func FuzzChange(f *testing.F) {
	for _, ch := range sampleChanges() {
		f.Add(ch.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ch, err := DecodeChange(b)
		if err != nil {
			if ch != nil || !errors.Is(err, ErrMalformedChange) {
				t.Fatalf("DecodeChange(%x) = %v, %v", b, ch, err)
			}
			return
		}
		if got := ch.Append(nil); !bytes.Equal(got, b) {
			t.Fatalf("DecodeChange(%x).Append(nil) = %x", b, got)
		}
	})
}

func TestChangeRoundTrip(t *testing.T) {
	for _, ch := range sampleChanges() {
		b := ch.Append([]byte("x"))[1:]
		got, err := DecodeChange(b)
		if err != nil {
			t.Errorf("DecodeChange(%x): %v", b, err)
			continue
		}
		if !bytes.Equal(got.Append(nil), b) {
			t.Errorf("%+v comes back as %+v", ch, got)
		}
		for i := range b {
			if _, err := DecodeChange(b[:i]); err == nil {
				t.Errorf("the first %d bytes of %x are a change", i, b)
			}
		}
		if _, err := DecodeChange(append(bytes.Clone(b), 0)); err == nil {
			t.Errorf("%x and another byte are a change", b)
		}
	}
}
