package dag

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// WriteKind says what a write does to its key (docs/op.md section 5).
type WriteKind uint8

// Kinds of writes.
const (
	Replace        WriteKind = 0 // puts Value at Key
	Patch          WriteKind = 1 // puts at Key what the patch in Value makes of what the author saw
	DeleteFinal    WriteKind = 2 // deletes what the author saw at Key, and Incarnation for good
	DeleteObserved WriteKind = 3 // deletes what the author saw at Key
	DeleteRange    WriteKind = 4 // deletes what the author saw at every key of [Key, End)
)

// String returns the kind's name.
func (k WriteKind) String() string {
	switch k {
	case Replace:
		return "replace"
	case Patch:
		return "patch"
	case DeleteFinal:
		return "delete-final"
	case DeleteObserved:
		return "delete-observed"
	case DeleteRange:
		return "delete-range"
	}
	return fmt.Sprintf("write-kind-%d", uint8(k))
}

// Puts reports whether a write of that kind puts a value: it is a [Replace] or a [Patch].
func (k WriteKind) Puts() bool { return k == Replace || k == Patch }

// IncarnationKind says how an [Incarnation] names the write that created it.
type IncarnationKind uint8

// Kinds of incarnation references.
const (
	IncarnationSelf  IncarnationKind = iota // the write that holds the reference; for a delete: none was seen
	IncarnationLocal                        // an earlier write of the same op: Tx, Write
	IncarnationPast                         // a write of a past op: Op, Tx, Write
)

// An Incarnation names the write that created the current life of a key. One
// that resolves to nothing is ignored, never an error. The zero value is
// [IncarnationSelf].
type Incarnation struct {
	Kind      IncarnationKind
	Op        ID // only of IncarnationPast
	Tx, Write uint32
}

// A Write is one change of one key or range.
type Write struct {
	Kind        WriteKind
	Key         []byte      // 1 to MaxKey bytes
	End         []byte      // only of DeleteRange: first key after the range; empty for no upper bound
	Value       []byte      // of Replace, may be empty; of Patch the bytes of a patch (docs/merge.md section 6), of any form
	Schema      SchemaID    // only of Replace: how Value merges
	Incarnation Incarnation // not of DeleteRange
	Leased      bool        // only of Replace and Patch: the put was under a lease of the author's node
}

// A Transaction is a list of writes that are seen together or not at all. A
// valid one has at least one write and at most [MaxTransactionWrites].
type Transaction []Write

// leastWrite is the length in bytes of the shortest encoding of a write.
const leastWrite = 5

// Append appends the transaction's encoding to b. It does not check the
// writes; [DecodeTransaction] does, and [Sign] with it.
func (t Transaction) Append(b []byte) []byte {
	b = dagcbor.AppendArray(b, len(t))
	for i := range t {
		b = t[i].append(b)
	}
	return b
}

func (w *Write) append(b []byte) []byte {
	n := 3
	switch w.Kind {
	case Replace:
		n = 6
	case Patch:
		n = 5
	}
	b = dagcbor.AppendArray(b, n)
	b = dagcbor.AppendUint(b, uint64(w.Kind))
	b = dagcbor.AppendBytes(b, w.Key)
	if w.Kind == DeleteRange {
		return dagcbor.AppendBytes(b, w.End)
	}
	b = w.Incarnation.append(b)
	if w.Kind.Puts() {
		b = dagcbor.AppendBool(b, w.Leased)
		b = dagcbor.AppendBytes(b, w.Value)
	}
	if w.Kind == Replace {
		b = w.Schema.append(b)
	}
	return b
}

func (in *Incarnation) append(b []byte) []byte {
	switch in.Kind {
	case IncarnationLocal:
		b = dagcbor.AppendArray(b, 2)
	case IncarnationPast:
		b = dagcbor.AppendArray(b, 3)
		b = dagcbor.AppendLink(b, in.Op)
	default:
		return dagcbor.AppendNull(b)
	}
	b = dagcbor.AppendUint(b, uint64(in.Tx))
	return dagcbor.AppendUint(b, uint64(in.Write))
}

// DecodeTransaction parses a transaction. Keys, ends and values alias b.
// Errors wrap [ErrWrite] or [ErrLimit].
func DecodeTransaction(b []byte) (Transaction, error) {
	d := dagcbor.NewDecoder(b)
	n := d.Array(MaxTransactionWrites)
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", limitOr(err, ErrWrite), err)
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: a transaction without writes", ErrWrite)
	}
	if n > len(b)/leastWrite {
		return nil, fmt.Errorf("%w: %d writes in %d bytes", ErrWrite, n, len(b))
	}
	t := make(Transaction, n)
	for i := range t {
		t[i].read(d)
		if d.Err() != nil {
			break
		}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", limitOr(err, ErrWrite), err)
	}
	return t, nil
}

var (
	errKind  = errors.New("no such kind of write")
	errKey   = errors.New("empty key")
	errRange = errors.New("empty range")
)

// read reads one write, leaving any error in d.
func (w *Write) read(d *dagcbor.Decoder) {
	n := d.Array(6)
	kind := d.Uint()
	switch {
	case d.Err() != nil:
		return
	case kind == uint64(Replace) && n == 6, kind == uint64(Patch) && n == 5:
	case n == 3 && (kind == uint64(DeleteFinal) || kind == uint64(DeleteObserved) || kind == uint64(DeleteRange)):
	default:
		d.Fail(fmt.Errorf("%w: %d with %d elements", errKind, kind, n))
		return
	}
	w.Kind = WriteKind(kind)
	w.Key = d.Bytes(MaxKey)
	if d.Err() == nil && len(w.Key) == 0 {
		d.Fail(errKey)
	}
	if w.Kind == DeleteRange {
		w.End = d.Bytes(MaxKey)
		if d.Err() == nil && len(w.End) > 0 && bytes.Compare(w.Key, w.End) >= 0 {
			d.Fail(errRange)
		}
		return
	}
	w.Incarnation.read(d)
	if w.Kind.Puts() {
		w.Leased = d.Bool()
		w.Value = d.Bytes(MaxBody)
	}
	if w.Kind == Replace {
		w.Schema.read(d)
	}
}

func (in *Incarnation) read(d *dagcbor.Decoder) {
	if d.Null() {
		return
	}
	switch n := d.Array(3); n {
	case 2:
		in.Kind = IncarnationLocal
	case 3:
		in.Kind = IncarnationPast
		in.Op = d.Link()
	default:
		d.Fail(dagcbor.ErrMalformed)
	}
	in.Tx = readIndex(d)
	in.Write = readIndex(d)
}

func readIndex(d *dagcbor.Decoder) uint32 {
	v := d.Uint()
	if v > math.MaxUint32 {
		d.Fail(dagcbor.ErrTooLong)
		return 0
	}
	return uint32(v)
}

// limitOr returns ErrLimit if err says that something is longer than its
// bound, otherwise sentinel.
func limitOr(err, sentinel error) error {
	if errors.Is(err, dagcbor.ErrTooLong) {
		return ErrLimit
	}
	return sentinel
}
