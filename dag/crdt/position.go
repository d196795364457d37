package crdt

import (
	"bytes"
	"cmp"
	"fmt"
)

// A Position names a write and orders it among all writes: by depth of the
// operation, then its ID, then the indexes in it (docs/op.md section 5). The
// order extends causality: what is in the past of a write is less. The zero
// value is less than every write.
type Position struct {
	Depth     uint64
	Op        [32]byte
	Tx, Write uint32
}

// Compare returns -1, 0 or 1 as p is less than, equal to or greater than q.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Depth, q.Depth); c != 0 {
		return c
	}
	if c := bytes.Compare(p.Op[:], q.Op[:]); c != 0 {
		return c
	}
	if c := cmp.Compare(p.Tx, q.Tx); c != 0 {
		return c
	}
	return cmp.Compare(p.Write, q.Write)
}

// String returns a short form for people: depth, the first bytes of the ID, and the indexes.
func (p Position) String() string {
	return fmt.Sprintf("%d/%x/%d/%d", p.Depth, p.Op[:4], p.Tx, p.Write)
}
