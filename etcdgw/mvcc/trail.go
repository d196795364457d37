package mvcc

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// trail is where a key's replicated writes are in the log, void ones and deletes
// included, as far as memory has it (docs/view.md, "The trail"). The zero value
// is that of a key never written.
type trail struct {
	at   dag.Index  // the record of the last write, 0 if there is none
	tip  *origin    // a write that no other has in its past; nil if there is none
	tips *[]*origin // the others such; nil if there are none, nearly always
	// turned is the last record there was when verdicts on the key's writes changed:
	// whole values kept in it and before may be of writes that are void.
	turned dag.Index
}

// own adds a write of this node, which has all before in its past. It returns
// the record of the write before.
func (t *trail) own(at dag.Index, o *origin) (prev dag.Index) {
	prev = t.at
	*t = trail{at: at, tip: o, turned: t.turned}
	return prev
}

// seenBy reports whether all writes are in the past of o.
func (t *trail) seenBy(o *origin) bool {
	if t.tip != nil && !o.follows(t.tip) {
		return false
	}
	return t.tips == nil || !slices.ContainsFunc(*t.tips, func(x *origin) bool { return !o.follows(x) })
}

// received adds a write of a received operation. It returns the record of the
// write before, and whether all before are in the past of this one.
func (t *trail) received(at dag.Index, o *origin) (prev dag.Index, past bool) {
	prev, t.at = t.at, at
	if t.tip == nil || o.follows(t.tip) {
		t.tip = o
		if t.tips == nil {
			return prev, true
		}
	}
	var rest []*origin // the tips beside t.tip
	if t.tip != o {
		rest = append(rest, o)
	}
	if t.tips != nil {
		for _, x := range *t.tips {
			if !o.follows(x) {
				rest = append(rest, x)
			}
		}
	}
	if t.tips = nil; len(rest) > 0 {
		t.tips = &rest
	}
	return prev, t.tip == o && t.tips == nil
}

// follows reports whether x is of the past of o's operation, or of that itself.
func (o *origin) follows(x *origin) bool { return o.op == x.op || o.op.InPast(x.op) }

// deadKey is the trail of a key that has no item.
type deadKey struct {
	name  string
	trail trail
}

func newDeadKeys() *btree.BTreeG[deadKey] {
	return btree.NewBTreeGOptions(func(a, b deadKey) bool { return a.name < b.name }, btree.Options{NoLocks: true})
}

// Record says in which record of the log the writes that follow are, or will
// be. Records are numbered from 1, upwards. The writer calls it before it evaluates, replays or
// applies what the record holds.
func (v *View) Record(at dag.Index) {
	if cap(v.received) > chunkKeys {
		v.received = nil
	}
	v.record, v.received, v.wholes = at, v.received[:0], 0
	v.applying = applying{}
}

// Trail returns the trail of the writes that ApplyRemote has applied since
// Record, void ones too, as the log keeps it beside a received operation
// (docs/view.md, "The trail"). A replay compares it with what the record says.
func (v *View) Trail() []byte {
	var b []byte
	for i := range v.received {
		b = v.received[i].append(b)
	}
	return b
}

// trace adds a write of a received operation to the trail of key, whose item is
// it, nil if it has none. It reports whether all before are in its past.
func (v *View) trace(it *item, key []byte, o *origin) (past bool) {
	var l link
	if it != nil {
		l.prev, l.past = it.trail.received(v.record, o)
	} else {
		d, ok := v.dead.Get(deadKey{name: text(key)})
		if !ok {
			d.name = string(key)
		}
		l.prev, l.past = d.trail.received(v.record, o)
		v.dead.Set(d)
	}
	v.received = append(v.received, l)
	return l.past
}

// link is what a write says of those before it on its trail.
type link struct {
	prev  dag.Index
	past  bool   // all of them are in its past
	whole *whole // the value that it left, nil if the log does not hold that
}

// whole is a value that the log holds beside the patch which made it.
type whole struct {
	schema dag.SchemaID
	value  []byte
}

// append appends the encoding of a received write's link.
func (l *link) append(b []byte) []byte {
	n := uint64(l.prev) << 2
	if l.past {
		n |= 1
	}
	if l.whole == nil {
		return binary.AppendUvarint(b, n)
	}
	return l.whole.append(binary.AppendUvarint(b, n|2))
}

// append appends the encoding of a whole value.
func (w *whole) append(b []byte) []byte {
	return appendBytes(appendSchema(b, w.schema), w.value)
}

// singles returns how many writes of single keys t has.
func singles(t dag.Transaction) (n int) {
	for i := range t {
		if t[i].Kind != dag.DeleteRange {
			n++
		}
	}
	return n
}

// decodeTrail decodes the trail of a received operation.
func decodeTrail(b []byte, ts []dag.Transaction) ([]link, error) {
	n := 0
	for _, t := range ts {
		n += singles(t)
	}
	if n > len(b) {
		return nil, errTrail
	}
	links := make([]link, n)
	d := changeDecoder{rest: b}
	for i := range links {
		u := d.uint()
		links[i] = link{prev: dag.Index(u >> 2), past: u&1 == 1}
		if u&2 != 0 {
			links[i].whole = d.whole()
		}
	}
	if d.err != nil || len(d.rest) > 0 {
		return nil, errTrail
	}
	return links, nil
}

// revive gives a new item the trail its key has.
func (v *View) revive(it *item) {
	if v.dead.Len() > 0 {
		d, _ := v.dead.Delete(deadKey{name: it.name})
		it.trail = d.trail
	}
}

// bury keeps the trail of an item that is forgotten. The item's name may be part of
// a whole request.
func (v *View) bury(it *item) {
	v.trees.drop(it)
	v.merges.drop(it)
	if it.trail.tip != nil {
		v.dead.Set(deadKey{strings.Clone(it.name), it.trail})
	}
}
