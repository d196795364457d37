package kube

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// An envelope is what decides how a value merges. Texts alias the value; in
// JSON they are what stands between the quotes, so one with escapes is of no
// known kind.
type envelope struct {
	format           crdt.Format
	apiVersion, kind []byte
	secretType       []byte // the field type, read of Secrets only
}

// readEnvelope reads an envelope. It does not check the rest of the value,
// which is opaque to merges if it is not well formed.
func readEnvelope(value []byte) (e envelope, ok bool) {
	if message, ok := bytes.CutPrefix(value, []byte(protobufPrefix)); ok {
		e.format = crdt.Protobuf
		return e, e.readProtobuf(message)
	}
	return e, e.readJSON(value)
}

// Field numbers of runtime.Unknown, runtime.TypeMeta and core/v1.Secret.
const (
	unknownTypeMeta, unknownRaw                       = 1, 2
	typeMetaAPIVersion, typeMetaKind                  = 1, 2
	secretTypeField                  protowire.Number = 3
)

func (e *envelope) readProtobuf(message []byte) bool {
	typeMeta, ok := subfield(message, unknownTypeMeta)
	if !ok {
		return false
	}
	e.apiVersion, ok = subfield(typeMeta, typeMetaAPIVersion)
	if !ok {
		return false
	}
	if e.kind, ok = subfield(typeMeta, typeMetaKind); !ok {
		return false
	}
	if string(e.kind) == "Secret" {
		raw, ok := subfield(message, unknownRaw)
		if !ok {
			return false
		}
		e.secretType, _ = subfield(raw, secretTypeField)
	}
	return true
}

// subfield returns the content of the first field of that number.
func subfield(message []byte, want protowire.Number) ([]byte, bool) {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, false
		}
		message = message[n:]
		if num == want && typ == protowire.BytesType {
			content, n := protowire.ConsumeBytes(message)
			return content, n >= 0
		}
		if n = protowire.ConsumeFieldValue(num, typ, message); n < 0 {
			return nil, false
		}
		message = message[n:]
	}
	return nil, false
}

// readJSON reads the members of an object until it knows enough.
func (e *envelope) readJSON(text []byte) bool {
	m := members{text: text}
	if !m.begin() {
		return false
	}
	for {
		name, value, ok := m.next()
		if !ok {
			return len(e.apiVersion) > 0 && len(e.kind) > 0
		}
		if len(value) < 2 || value[0] != '"' {
			continue
		}
		inside := value[1 : len(value)-1]
		switch string(name) {
		case "apiVersion":
			e.apiVersion = inside
		case "kind":
			e.kind = inside
		case "type":
			e.secretType = inside
		}
		if len(e.apiVersion) > 0 && len(e.kind) > 0 && (string(e.kind) != "Secret" || len(e.secretType) > 0) {
			return true
		}
	}
}

// members walks the members of a JSON object without looking into values.
type members struct {
	text []byte
	pos  int
}

// begin passes over the brace that the text begins with.
func (m *members) begin() bool { return m.take('{') }

// space passes over white space.
func (m *members) space() {
	for m.pos < len(m.text) && (m.text[m.pos] == ' ' || m.text[m.pos] == '\t' || m.text[m.pos] == '\n' || m.text[m.pos] == '\r') {
		m.pos++
	}
}

// take passes over white space, and c if it is next.
func (m *members) take(c byte) bool {
	m.space()
	if m.pos < len(m.text) && m.text[m.pos] == c {
		m.pos++
		return true
	}
	return false
}

// next returns the name of the next member, without its quotes, and its value.
// It is false at the end and where the text makes no sense.
func (m *members) next() (name, value []byte, ok bool) {
	if name, ok = m.name(); !ok {
		return nil, nil, false
	}
	from := m.pos
	if !m.skip() {
		return nil, nil, false
	}
	return name, m.text[from:m.pos], true
}

// name returns the name of the next member and leaves its value to skip.
func (m *members) name() (name []byte, ok bool) {
	m.take(',')
	if !m.take('"') {
		return nil, false
	}
	m.pos--
	from := m.pos
	if !m.quoted() {
		return nil, false
	}
	name = m.text[from+1 : m.pos-1]
	if !m.take(':') {
		return nil, false
	}
	m.space()
	return name, true
}

// quoted passes over a string.
func (m *members) quoted() bool {
	for m.pos++; m.pos < len(m.text); m.pos++ {
		switch m.text[m.pos] {
		case '\\':
			m.pos++
		case '"':
			m.pos++
			return true
		}
	}
	return false
}

// skip passes over a value.
func (m *members) skip() bool {
	for depth := 0; m.pos < len(m.text); {
		switch m.text[m.pos] {
		case '"':
			if !m.quoted() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return true // the end of the object; a scalar stood before it
			}
			if depth--; depth == 0 {
				m.pos++
				return true
			}
		case ',':
			if depth == 0 {
				return true
			}
		}
		m.pos++
	}
	return false
}
