package crdt

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxFieldNumber is the greatest field number of a message.
const maxFieldNumber = uint64(protowire.MaxValidNumber)

// fieldNumber reads the name of a field: its number in decimal.
func fieldNumber(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil || n < 1 || name[0] == '0' || name[0] == '+' {
		return 0, false
	}
	return n, true
}

// compareFields orders the names of a message's fields by number.
func compareFields(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// A record is one field of a message as it stands on the wire.
type record struct {
	num     protowire.Number
	typ     protowire.Type
	raw     []byte // tag and value
	payload []byte // of a BytesType: what is inside
	least   bool   // tag and length have their least length
}

// nextRecord reads the record that b begins with; ok is false if there is none, or a group.
func nextRecord(b []byte) (r record, ok bool) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || typ == protowire.StartGroupType || typ == protowire.EndGroupType {
		return record{}, false
	}
	m := protowire.ConsumeFieldValue(num, typ, b[n:])
	if m < 0 {
		return record{}, false
	}
	r = record{num: num, typ: typ, raw: b[: n+m : n+m], least: n == protowire.SizeTag(num)}
	if typ == protowire.BytesType {
		length, k := protowire.ConsumeVarint(b[n:])
		r.payload = b[n+k : n+m : n+m]
		r.least = r.least && k == protowire.SizeVarint(length)
	}
	return r, true
}

// message reports whether the record may hold a message that encodes back to the same bytes.
func (r *record) message() bool { return r.typ == protowire.BytesType && r.least }

// A wireParser makes the tree of protobuf bytes. What does not encode back to
// its own bytes becomes a leaf.
type wireParser struct {
	nodes int // left
	low   int // the fewest that were left since the field at hand began
}

// newWireParser returns a parser with all of a tree's nodes left.
func newWireParser() wireParser { return wireParser{nodes: MaxNodes, low: MaxNodes} }

// parseWire returns the tree of a message of the type at p, nil if its fields
// do not ascend or a bound is passed. Leaves alias b.
func parseWire(b []byte, p place) *node {
	w := newWireParser()
	n := w.message(b, p, 0)
	if w.nodes < 0 {
		return nil
	}
	return n
}

// message reads the fields of a message: nil if it is not canonical.
func (w *wireParser) message(b []byte, p place, depth int) *node {
	w.nodes--
	w.low = min(w.low, w.nodes)
	if w.nodes < 0 || depth > MaxDepth {
		return nil
	}
	kids := []kid{}
	last := protowire.Number(0)
	var records []record
	for len(b) > 0 {
		r, ok := nextRecord(b)
		if !ok || r.num <= last {
			return nil
		}
		records = records[:0]
		from, length := b, 0
		for ok && len(b) > 0 && r.num == records0(records, r.num) {
			records = append(records, r)
			length += len(r.raw)
			b = b[len(r.raw):]
			if len(b) > 0 {
				if r, ok = nextRecord(b); !ok {
					return nil
				}
			}
		}
		last = records[0].num
		name := strconv.Itoa(int(last))
		kids = append(kids, kid{name, w.field(from[:length:length], records, p.child(name), depth+1)})
		if w.nodes < 0 {
			return nil
		}
	}
	n := newContainer(mapping, kids)
	if n != nil {
		n.measure(context{p: p})
	}
	return n
}

// records0 returns the number of the first record, or num if there is none.
func records0(records []record, num protowire.Number) protowire.Number {
	if len(records) == 0 {
		return num
	}
	return records[0].num
}

// parseRecords reads raw, one or more records of the field num, as a value at
// p, or as one member of a collection. It is nil if they are not that.
func parseRecords(raw []byte, num protowire.Number, p place, member bool) *node {
	var records []record
	for b := raw; len(b) > 0; {
		r, ok := nextRecord(b)
		if !ok || r.num != num {
			return nil
		}
		records = append(records, r)
		b = b[len(r.raw):]
	}
	if len(records) == 0 || member && len(records) > 1 {
		return nil
	}
	w := newWireParser()
	n := w.field(raw, records, p, 0)
	if w.nodes < 0 {
		return nil
	}
	return n
}

// readField reads raw, records of the field num, as what stands at p so deep in a tree.
func readField(raw []byte, num protowire.Number, p place, depth int) *node {
	var records []record
	for b := raw; len(b) > 0; {
		r, _ := nextRecord(b)
		records = append(records, r)
		b = b[len(r.raw):]
	}
	w := newWireParser()
	return w.field(raw, records, p, depth)
}

// field reads the records of one field.
func (w *wireParser) field(raw []byte, records []record, p place, depth int) *node {
	var n *node
	before, low := w.nodes, w.low
	w.low = before
	defer func() { w.low = min(w.low, low) }()
	if t := p.typ(); t != nil && p.role == typed && depth <= MaxDepth {
		switch t.Kind {
		case Record:
			if len(records) == 1 && records[0].message() {
				n = w.message(records[0].payload, p, depth)
			}
		case Map:
			n = w.entries(records, p, depth)
		case List, Set, Sequence:
			n = w.items(t, records, p, depth)
		case JSONInBytes:
			if len(records) == 1 && records[0].message() {
				n = w.json(records[0].payload, p)
			}
		}
	}
	if n == nil {
		if w.nodes >= 0 { // else the value is beyond the bound
			w.nodes = before - 1
		}
		w.low = min(w.low, w.nodes)
		n = &node{raw: raw}
		if peak := before - w.low; peak > 1 {
			n.m = &extent{part: part{size: len(raw), nodes: 1, peak: peak}}
		} else {
			n.measureLeaf()
		}
		return n
	}
	if n.m == nil {
		n.measure(context{p: p, num: records[0].num})
	}
	return n
}

// entries reads a map: entries of exactly a text key and a value, keys ascending.
func (w *wireParser) entries(records []record, p place, depth int) *node {
	kids := make([]kid, 0, len(records))
	for i := range records {
		if !records[i].message() {
			return nil
		}
		e := records[i].payload
		key, ok := nextRecord(e)
		if !ok || key.num != 1 || !key.message() {
			return nil
		}
		value, ok := nextRecord(e[len(key.raw):])
		if !ok || value.num != 2 || len(key.raw)+len(value.raw) != len(e) {
			return nil
		}
		name := string(key.payload)
		if i > 0 && name <= kids[i-1].key {
			return nil
		}
		v := w.field(value.raw, []record{value}, p.child(name), depth+1)
		if w.nodes < 0 {
			return nil
		}
		kids = append(kids, kid{name, v})
	}
	return newContainer(mapping, kids)
}

// items reads the records of a list, a set or a sequence.
func (w *wireParser) items(t *Type, records []record, p place, depth int) *node {
	kids := make([]kid, 0, len(records))
	for i := range records {
		var k kid
		k.n = w.field(records[i].raw, records[i:i+1], p.child(""), depth+1)
		if w.nodes < 0 {
			return nil
		}
		switch t.Kind {
		case List:
			var ok bool
			if k.key, ok = itemKey(k.n, p); !ok {
				return nil
			}
		case Set:
			k.key = string(records[i].raw)
		}
		kids = append(kids, k)
	}
	switch t.Kind {
	case List:
		return newContainer(list, kids)
	case Set:
		return newContainer(set, kids)
	}
	return newContainer(sequence, kids)
}

// json reads a compact JSON text in a bytes field.
func (w *wireParser) json(payload []byte, p place) *node {
	text, st, ok := scanJSON(payload)
	if !ok || st != (style{}) {
		return nil
	}
	b := jsonBuilder{text: text, nodes: w.nodes}
	n := b.value(p.inner())
	w.nodes = b.nodes
	w.low = min(w.low, w.nodes)
	if n.kind == leaf {
		return nil // a leaf is the whole record
	}
	return n
}

// appendMessage appends the fields of n, a message of the type at p.
func (n *node) appendMessage(b []byte, p place) []byte {
	for _, k := range n.list() {
		num, _ := fieldNumber(k.key)
		b = k.n.appendField(b, protowire.Number(num), p.child(k.key))
	}
	return b
}

// appendField appends the records of n, the field num.
func (n *node) appendField(b []byte, num protowire.Number, p place) []byte {
	if n.kind == leaf {
		return append(b, n.raw...)
	}
	t := p.typ()
	switch {
	case t.Kind == JSONInBytes:
		return appendDelimited(b, num, n.appendJSON)
	case n.kind != mapping:
		for _, k := range n.list() {
			b = k.n.appendField(b, num, p.child(""))
		}
		return b
	case t.Kind == Map:
		for _, k := range n.list() {
			b = appendDelimited(b, num, func(b []byte) []byte {
				b = protowire.AppendTag(b, 1, protowire.BytesType)
				b = protowire.AppendString(b, k.key)
				return k.n.appendField(b, 2, p.child(k.key))
			})
		}
		return b
	}
	return appendDelimited(b, num, func(b []byte) []byte { return n.appendMessage(b, p) })
}

// appendDelimited appends a tag, the length of what inside appends, and that.
func appendDelimited(b []byte, num protowire.Number, inside func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	from := len(b)
	b = inside(append(b, 0)) // room for a length below 128
	length := len(b) - from - 1
	if extra := protowire.SizeVarint(uint64(length)) - 1; extra > 0 {
		b = slices.Insert(b, from, make([]byte, extra)...)
	}
	protowire.AppendVarint(b[from:from], uint64(length))
	return b
}
