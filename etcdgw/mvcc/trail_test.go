package mvcc

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// TestTrail compares what the writes of one key say of those before with the
// past that the mesh knows of.
func TestTrail(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mesh := dagtest.New(t, 4)
		ops := mesh.Graph.Heads()
		var tr trail
		var written []*dag.Op // in the order of the log
		for at := dag.Index(1); at <= 15; at++ {
			a := ops[rapid.IntRange(0, len(ops)-1).Draw(rt, "parent")]
			b := ops[rapid.IntRange(0, len(ops)-1).Draw(rt, "other parent")]
			parents := []*dag.Op{a}
			if a != b && !a.InPast(b) && !b.InPast(a) {
				parents = append(parents, b)
			}
			draft := dagtest.Draft{Author: rapid.IntRange(0, 3).Draw(rt, "author"), Transactions: []dag.Transaction{{dagtest.Put("k", string(rune(at)))}}}
			for _, p := range parents {
				draft.Parents = append(draft.Parents, p.ID())
			}
			op, _, err := mesh.Graph.Add(mesh.Sign(draft))
			if err != nil {
				continue // on two of its own branches
			}
			ops = append(ops, op)
			past := mesh.Past(draft.Parents...)
			all := true
			for _, w := range written {
				all = all && past[w.ID()]
			}
			before := tr.at
			prev, got := tr.received(at, &origin{op: op})
			if prev != before || got != all {
				rt.Fatalf("write %d: all before are in its past: %v, want %v; the one before is in %d, want %d", at, got, all, prev, before)
			}
			written = append(written, op)
		}
	})
}

// FuzzTrail: a trail of any bytes is refused or has a link for each write.
func FuzzTrail(f *testing.F) {
	f.Add([]byte{1, 2, 0x80, 1}, uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Add(binary.AppendUvarint(nil, 1<<64-1), uint8(1))
	f.Add((&link{prev: 9, past: true, whole: &whole{dag.SchemaID{1}, []byte("value")}}).append(nil), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, writes uint8) {
		tx := dag.Transaction{dagtest.DeleteRange("a", "")}
		for range writes {
			tx = append(tx, dagtest.Put("k", ""))
		}
		links, err := decodeTrail(b, []dag.Transaction{tx})
		var again []byte
		for i := range links {
			again = links[i].append(again)
		}
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("decodeTrail(%x) comes back as %x", b, again)
		}
		if err == nil && len(links) != int(writes) || err != nil && links != nil {
			t.Errorf("decodeTrail(%x) has %d links of %d writes, %v", b, len(links), writes, err)
		}
	})
}
