package crdt

import "encoding/binary"

// itemKey returns the name of an item of the list at p: for each key field the
// length of its bytes and 1, as an unsigned varint, and its bytes; 0 for a
// field that is absent. It is false for an item that has not the shape of its
// type, or has a container in a key field.
func itemKey(n *node, p place) (string, bool) {
	if e := p.child("").typ(); e != nil && e.Kind == Record {
		if n.kind != mapping {
			return "", false
		}
	} else if n = fields(n, p.inner().json); n == nil {
		return "", false
	}
	var b []byte
	for _, k := range p.keys() {
		f := n.get(k)
		switch {
		case f == nil:
			b = append(b, 0)
		case f.kind != leaf:
			return "", false
		default:
			b = append(binary.AppendUvarint(b, uint64(len(f.raw))+1), f.raw...)
		}
	}
	return string(b), true
}

// fields looks into an item that is one leaf: nil if it is no object or message.
func fields(n *node, json bool) *node {
	if n.kind == mapping {
		return n
	}
	if n.kind != leaf {
		return nil
	}
	if json {
		n = parseJSON(n.raw, place{json: true})
	} else if r, ok := nextRecord(n.raw); ok && r.message() && len(r.raw) == len(n.raw) {
		n = parseWire(r.payload, place{})
	} else {
		return nil
	}
	if n == nil || n.kind != mapping {
		return nil
	}
	return n
}
