package crdt

import (
	"fmt"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A Patch is a list of exact assignments against the value that its author
// saw (docs/merge.md section 6). It does not change once made.
type Patch struct {
	encoding []byte
	edits    []edit
}

// op says what an edit does to a child.
type op uint8

const (
	opDelete  op = 0 // [0, key]
	opSet     op = 1 // [1, key, value]: in its place; a new member after the next lesser one
	opPlace   op = 2 // [2, key, value, after]: as set; a new child right after another, or in front
	opInside  op = 3 // [3, key, [edit…]]
	opReorder op = 4 // [4, [key…]]: the whole order; the last edit
	opCut     op = 5 // [5, index, count, sum]: deletes items of a sequence
	opItem    op = 6 // [6, index, sum, value]: sets an item in its place
	opIn      op = 7 // [7, index, sum, [edit…]]: inside an item
	opInsert  op = 8 // [8, index, [value…]]: new items before the index
)

// patchVersion is the first element of an encoded patch.
const patchVersion = 0

// An edit is one assignment, or a path to more. Keys, values and the like
// alias the encoding.
type edit struct {
	op     op
	key    string
	index  int    // of a sequence: as the author saw it
	count  int    // of opCut
	sum    uint32 // of the items meant
	value  []byte // compact JSON text, or protobuf records
	values [][]byte
	after  string
	front  bool
	keys   []string
	edits  []edit
}

// Encoding returns the patch's only encoding, which must not be changed.
func (p *Patch) Encoding() []byte { return p.encoding }

// newPatch makes a patch of edits that are in order.
func newPatch(edits []edit) *Patch {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, patchVersion)
	return &Patch{encoding: appendEdits(b, edits), edits: edits}
}

func appendEdits(b []byte, edits []edit) []byte {
	b = dagcbor.AppendArray(b, len(edits))
	for i := range edits {
		b = edits[i].append(b)
	}
	return b
}

// elements are the lengths of the tuples, by op.
var elements = [...]int{opDelete: 2, opSet: 3, opPlace: 4, opInside: 3, opReorder: 2, opCut: 4, opItem: 4, opIn: 4, opInsert: 3}

func (e *edit) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, elements[e.op])
	b = dagcbor.AppendUint(b, uint64(e.op))
	switch {
	case e.op < opReorder:
		b = dagcbor.AppendBytes(b, []byte(e.key))
	case e.op > opReorder:
		b = dagcbor.AppendUint(b, uint64(e.index))
	}
	switch e.op {
	case opSet:
		b = dagcbor.AppendBytes(b, e.value)
	case opPlace:
		b = dagcbor.AppendBytes(b, e.value)
		if e.front {
			b = dagcbor.AppendNull(b)
		} else {
			b = dagcbor.AppendBytes(b, []byte(e.after))
		}
	case opInside:
		b = appendEdits(b, e.edits)
	case opReorder:
		b = dagcbor.AppendArray(b, len(e.keys))
		for _, k := range e.keys {
			b = dagcbor.AppendBytes(b, []byte(k))
		}
	case opCut:
		b = dagcbor.AppendUint(b, uint64(e.count))
		b = dagcbor.AppendUint(b, uint64(e.sum))
	case opItem:
		b = dagcbor.AppendUint(b, uint64(e.sum))
		b = dagcbor.AppendBytes(b, e.value)
	case opIn:
		b = dagcbor.AppendUint(b, uint64(e.sum))
		b = appendEdits(b, e.edits)
	case opInsert:
		b = dagcbor.AppendArray(b, len(e.values))
		for _, v := range e.values {
			b = dagcbor.AppendBytes(b, v)
		}
	}
	return b
}

// DecodePatch parses an encoded patch, which must not change afterwards.
// Whether its paths and values mean anything is found out where it is applied.
// Errors wrap [ErrPatch] or [ErrLimit].
func DecodePatch(b []byte) (*Patch, error) {
	if len(b) > MaxPatch {
		return nil, fmt.Errorf("%w: a patch of %d bytes", ErrLimit, len(b))
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(2)
	if v := d.Uint(); d.Err() == nil && v != patchVersion {
		d.Fail(fmt.Errorf("version %d", v))
	}
	r := patchReader{d: d, nodes: MaxNodes}
	edits := r.edits(0)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPatch, err)
	}
	return &Patch{encoding: b, edits: edits}, nil
}

// A patchReader reads edits, leaving any error in d.
type patchReader struct {
	d     *dagcbor.Decoder
	nodes int // edits, values and keys left
}

// items reads the head of an array of things that count as nodes.
func (r *patchReader) items() int {
	n := r.d.Array(MaxNodes)
	if r.nodes -= n; r.nodes < 0 {
		r.d.Fail(fmt.Errorf("%w: more than %d assignments", ErrLimit, MaxNodes))
		return 0
	}
	return n
}

func (r *patchReader) edits(depth int) []edit {
	if depth > MaxDepth {
		r.d.Fail(fmt.Errorf("%w: deeper than %d", ErrLimit, MaxDepth))
		return nil
	}
	n := r.items()
	var edits []edit
	for i := range n {
		edits = append(edits, r.edit(depth))
		if r.d.Err() != nil {
			return nil
		}
		if i > 0 && !edits[i-1].precedes(&edits[i]) {
			r.d.Fail(fmt.Errorf("edits out of order"))
			return nil
		}
	}
	return edits
}

// precedes holds the order of edits: children ascend by name and are edited
// once each, a reorder is last; items ascend by index, each is edited once,
// inserting before it is first.
func (e *edit) precedes(f *edit) bool {
	switch {
	case e.op >= opReorder && f.op <= opReorder:
		return false
	case f.op == opReorder:
		return true
	case e.op < opReorder:
		return f.op < opReorder && e.key < f.key
	case e.op == opInsert:
		return f.index > e.index || f.index == e.index && f.op != opInsert
	}
	return f.index >= e.index+max(e.count, 1)
}

func (r *patchReader) key() string { return string(r.d.Bytes(MaxPatch)) }

func (r *patchReader) edit(depth int) (e edit) {
	d := r.d
	n := d.Array(4)
	code := d.Uint()
	if d.Err() != nil {
		return e
	}
	if code > uint64(opInsert) || n != elements[code] {
		d.Fail(fmt.Errorf("edit %d with %d elements", code, n))
		return e
	}
	e.op = op(code)
	switch {
	case e.op < opReorder:
		e.key = r.key()
	case e.op > opReorder:
		e.index = r.number(MaxNodes)
	}
	switch e.op {
	case opSet:
		e.value = d.Bytes(MaxPatch)
	case opPlace:
		e.value = d.Bytes(MaxPatch)
		if e.front = d.Null(); !e.front {
			e.after = r.key()
		}
	case opInside:
		e.edits = r.edits(depth + 1)
	case opReorder:
		for range r.items() {
			e.keys = append(e.keys, r.key())
		}
	case opCut:
		if e.count = r.number(MaxNodes); e.count == 0 {
			d.Fail(fmt.Errorf("a cut of nothing"))
		}
		e.sum = uint32(r.number(1<<32 - 1))
	case opItem:
		e.sum = uint32(r.number(1<<32 - 1))
		e.value = d.Bytes(MaxPatch)
	case opIn:
		e.sum = uint32(r.number(1<<32 - 1))
		e.edits = r.edits(depth + 1)
	case opInsert:
		for range r.items() {
			e.values = append(e.values, d.Bytes(MaxPatch))
		}
	}
	return e
}

func (r *patchReader) number(most uint64) int {
	v := r.d.Uint()
	if v > most {
		r.d.Fail(fmt.Errorf("%w: %d, at most %d", ErrLimit, v, most))
		return 0
	}
	return int(v)
}

// String shows the patch for people, in no form that is read back.
func (p *Patch) String() string { return string(appendEditsText(nil, p.edits)) }

func appendEditsText(b []byte, edits []edit) []byte {
	b = append(b, '{')
	for i := range edits {
		e := &edits[i]
		if i > 0 {
			b = append(b, ", "...)
		}
		switch e.op {
		case opDelete:
			b = fmt.Appendf(b, "delete %q", e.key)
		case opSet:
			b = fmt.Appendf(b, "set %q %q", e.key, e.value)
		case opPlace:
			if e.front {
				b = fmt.Appendf(b, "set %q %q in front", e.key, e.value)
			} else {
				b = fmt.Appendf(b, "set %q %q after %q", e.key, e.value, e.after)
			}
		case opInside:
			b = appendEditsText(fmt.Appendf(b, "in %q ", e.key), e.edits)
		case opReorder:
			b = fmt.Appendf(b, "order %q", e.keys)
		case opCut:
			b = fmt.Appendf(b, "cut %d+%d", e.index, e.count)
		case opItem:
			b = fmt.Appendf(b, "set %d %q", e.index, e.value)
		case opIn:
			b = appendEditsText(fmt.Appendf(b, "in %d ", e.index), e.edits)
		case opInsert:
			b = fmt.Appendf(b, "insert at %d %q", e.index, e.values)
		}
	}
	return append(b, '}')
}
