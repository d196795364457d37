package dag

import "encoding/binary"

// Wire types of protobuf. Groups, 3 and 4, are long out of use and refused.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// maxWireField is the greatest field number of protobuf.
const maxWireField = 1<<29 - 1

// wireField reads the first field of a protobuf message and returns its number,
// wire type and, of wireBytes, the payload, and what follows it. It reports
// false if that is not a field: a number of 0 or beyond maxWireField, a group, a varint
// beyond 64 bits, or fewer bytes than it says.
func wireField(m []byte) (number uint64, kind uint8, payload, rest []byte, ok bool) {
	tag, n := binary.Uvarint(m)
	if n <= 0 || tag>>3 == 0 || tag>>3 > maxWireField {
		return 0, 0, nil, nil, false
	}
	number, kind, m = tag>>3, uint8(tag&7), m[n:]
	size := uint64(0)
	switch kind {
	case wireVarint:
		if _, n = binary.Uvarint(m); n <= 0 {
			return 0, 0, nil, nil, false
		}
		m = m[n:]
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireBytes:
		if size, n = binary.Uvarint(m); n <= 0 {
			return 0, 0, nil, nil, false
		}
		m = m[n:]
	default:
		return 0, 0, nil, nil, false
	}
	if size > uint64(len(m)) {
		return 0, 0, nil, nil, false
	}
	return number, kind, m[:size], m[size:], true
}

// wireParts holds what a message has as its fields 1 to 4, nil for what it
// lacks; index 0 is not used.
type wireParts [6][]byte

// wireMessage reads a message whose fields 1 to known are strings, bytes or
// messages, each there at most once. Other fields may be anything.
func wireMessage(m []byte, known uint64) (parts wireParts, ok bool) {
	for len(m) > 0 {
		number, kind, payload, rest, ok := wireField(m)
		if !ok {
			return wireParts{}, false
		}
		if number <= known {
			if kind != wireBytes || parts[number] != nil {
				return wireParts{}, false
			}
			parts[number] = payload[:len(payload):len(payload)]
		}
		m = rest
	}
	return parts, true
}
