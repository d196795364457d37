package mvcc

import (
	"bytes"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// KeyWrites are writes of one key: those that its value is made of, and some
// before. They belong to the caller.
type KeyWrites struct {
	// History has those that count; it gives the value, its conflicts, and who
	// set each field.
	History *crdt.History
	// Writes are the writes, each after its past. The first may stand for all
	// before: then it is a replace in the history, of the value that it left.
	Writes []KeyWrite
	// All says that no write came before the first.
	All bool

	numbers []int // by number in the history: which of Writes it is
}

// Numbered returns the write that has a number in the history.
func (kw *KeyWrites) Numbered(n int) *KeyWrite { return &kw.Writes[kw.numbers[n]] }

// KeyWrite is one write of a key.
type KeyWrite struct {
	Op        *dag.Op
	Tx, Index uint32 // of a delete of a range only the transaction is known, and Index is 0
	Kind      dag.WriteKind
	Void      bool // by the roster it does not count
	Counts    bool // it is in the history: not so a void write, nor a patch that meant nothing
	// Value is the value of a replace, the patch of a patch; nil of a delete.
	Value  []byte
	Schema dag.SchemaID // of a replace
	Leased bool
}

// Position returns the name of the write in the history.
func (w *KeyWrite) Position() crdt.Position {
	return positionOf(&origin{op: w.Op, tx: w.Tx}, w.Index)
}

// WritesOf returns the writes of a key from the log h: from the last one on that all
// later ones saw (docs/merge.md section 8), which are one if the value is what
// that left, or if most is above 0, as far back as there are at most about so many.
// A key never written has none. Only the writer may call it. The error
// is h's, ErrUnsealed if the key was written by a change that is not sealed, or ErrReplay.
func (v *View) WritesOf(key []byte, most int, h History) (*KeyWrites, error) {
	kw := &KeyWrites{History: crdt.NewHistory(), All: true}
	trail := v.trailOf(string(key))
	if trail == nil || trail.tip == nil {
		return kw, nil
	}
	if trail.tip.op == nil || v.deletesUnsealed(string(key)) {
		return nil, fmt.Errorf("key %q: %w", key, ErrUnsealed)
	}
	r := newReader(v, h)
	r.begin(string(key), trail)
	w := r.walks[string(key)]
	w.least, w.told = most, make(map[txName]map[uint32]*KeyWrite)
	if err := r.walkAll(); err != nil {
		return nil, err
	}
	events := r.finish(string(key), w)
	kw.All = !w.based
	for i := range events {
		e := &events[i]
		k := w.told[txName{e.origin.op, e.origin.tx}][e.index]
		if k == nil {
			k = &KeyWrite{Op: e.origin.op, Tx: e.origin.tx, Index: e.index, Kind: dag.DeleteRange}
		}
		if !k.Void && e.kind != unread {
			_, k.Counts = kw.History.Add(e.crdt(), func(number int) bool { return e.follows(&events[kw.numbers[number]]) })
			kw.numbers = append(kw.numbers, i)
		}
		kw.Writes = append(kw.Writes, *k)
	}
	return kw, nil
}

// unread is the kind of an event that is told of and is in no history.
const unread crdt.WriteKind = 0xff

// tell notes a write for WritesOf.
func (w *walk) tell(o *origin, index uint32, x *dag.Write, void bool) {
	name := txName{o.op, o.tx}
	if w.told[name] == nil {
		w.told[name] = make(map[uint32]*KeyWrite)
	}
	w.told[name][index] = &KeyWrite{
		Op: o.op, Tx: o.tx, Index: index, Kind: x.Kind, Void: void,
		Value: bytes.Clone(x.Value), Schema: x.Schema, Leased: x.Leased,
	}
}

// Unsettled returns up to most keys, from the key from on, in order, whose values more than one write decides: merges, and
// keys with a write that those who wrote later had not seen. Only the writer may call it.
func (v *View) Unsettled(from []byte, most int) (keys [][]byte) {
	v.tree.Ascend(entry{name: text(from)}, func(e entry) bool {
		if e.item.unsettled {
			keys = append(keys, bytes.Clone(e.item.key()))
		}
		return len(keys) < most
	})
	return keys
}
