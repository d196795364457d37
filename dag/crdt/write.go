package crdt

// WriteKind says what a write does to its key (docs/op.md section 5).
type WriteKind uint8

// Kinds of writes. A range delete is a DeleteObserved of every key in its range.
const (
	Replace        WriteKind = iota // puts Value
	Patched                         // puts what Patch makes of the value that the author saw
	DeleteFinal                     // deletes Incarnation for good, and what the author saw
	DeleteObserved                  // deletes what the author saw
)

// A Write is one write of a key.
type Write struct {
	Position    Position
	Kind        WriteKind
	Incarnation Position // the write that created the life meant: of a put that creates, its own; of a delete, zero if it resolves to nothing
	Schema      *Schema  // of a Replace
	Value       []byte   // of a Replace; must not change
	Patch       *Patch   // of a Patched
	// Fit says of a put whether policy lets a value stand that it leaves: nil is
	// any. A patch whose value does not fit does not count, and a merge that does
	// not fit its greatest head falls back.
	Fit *Fit
}
