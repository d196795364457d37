package kube

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// maxReadable bounds how deep a message is nested that is read; beyond it the
// rest is shown as bytes.
const maxReadable = crdt.MaxDepth

var errUnreadable = errors.New("kube: not protobuf as Kubernetes stores it")

// Readable returns a protobuf value of an API server as JSON, for people: of a
// built-in kind by the names of its fields. What the table does not name is under
// "field N" with its bytes in base64, or its number; so is all of
// an object of another kind, and what is not what the table says. It returns the kind of error
// that says so for what is no such value. The text is compact, and is not to be stored: JSON has
// no place for all that protobuf can say.
func Readable(value []byte) ([]byte, error) {
	message, ok := bytes.CutPrefix(value, []byte(protobufPrefix))
	if !ok {
		return nil, errUnreadable
	}
	var e envelope
	if !e.readProtobuf(message) {
		return nil, errUnreadable
	}
	raw, ok := subfield(message, unknownRaw)
	if !ok {
		return nil, errUnreadable
	}
	r := reader{names: names()}
	members := []jsonMember{{"kind", quoted(e.kind)}, {"apiVersion", quoted(e.apiVersion)}}
	inside, ok := r.message(raw, tableOf(&e), 0)
	if !ok {
		return nil, errUnreadable
	}
	return object(append(members, inside...)), nil
}

// A jsonMember is a member of an object, its value as JSON text.
type jsonMember struct {
	name  string
	value []byte
}

func quoted(text []byte) []byte {
	b, err := json.Marshal(string(text))
	if err != nil {
		panic(err) // a string
	}
	return b
}

func object(members []jsonMember) []byte {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted([]byte(m.name))...), ':'), m.value...)
	}
	return append(b, '}')
}

func array(items [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(items, []byte{','})...), ']')
}

// A record is one field of a message as it stands.
type record struct {
	kind    protowire.Type
	number  uint64 // of a varint or a fixed field
	payload []byte // of bytes
	raw     []byte // with its tag
}

// A reader reads messages.
type reader struct{ names *naming }

// message returns the members of a message of a type; all of them are unnamed
// if typ is empty. It is false for what is no message.
func (r *reader) message(m []byte, typ string, depth int) ([]jsonMember, bool) {
	if depth > maxReadable {
		return nil, false
	}
	var numbers []protowire.Number // in the order of their first records
	records := make(map[protowire.Number][]record)
	for len(m) > 0 {
		rec, rest, ok := nextRecord(m)
		if !ok {
			return nil, false
		}
		if records[rec.field] == nil {
			numbers = append(numbers, rec.field)
		}
		records[rec.field] = append(records[rec.field], rec.record)
		m = rest
	}
	var members []jsonMember
	for _, f := range r.names.types[typ] {
		rs := records[protowire.Number(f.number)]
		if len(rs) == 0 {
			continue
		}
		if f.name == "" {
			inside, ok := r.message(rs[len(rs)-1].payload, f.form.typ, depth+1)
			if !ok {
				continue // unnamed below
			}
			members = append(members, inside...)
		} else if value, zero, ok := r.field(rs, &f.form, depth+1); !ok {
			continue
		} else if !zero || !f.zero {
			members = append(members, jsonMember{f.name, value})
		}
		delete(records, protowire.Number(f.number))
	}
	for _, number := range numbers {
		if rs := records[number]; rs != nil {
			members = append(members, jsonMember{fmt.Sprintf("field %d", number), unnamed(rs)})
		}
	}
	return members, true
}

// unnamed shows records whose form is not known.
func unnamed(rs []record) []byte {
	items := make([][]byte, len(rs))
	for i, rec := range rs {
		switch rec.kind {
		case protowire.VarintType:
			items[i] = strconv.AppendUint(nil, rec.number, 10)
		case protowire.BytesType:
			items[i] = quoted(base64.StdEncoding.AppendEncode(nil, rec.payload))
		default:
			items[i] = quoted(base64.StdEncoding.AppendEncode(nil, rec.raw))
		}
	}
	if len(items) == 1 {
		return items[0]
	}
	return array(items)
}

// field shows the records of one field, and reports whether JSON calls that zero.
func (r *reader) field(rs []record, f *form, depth int) (value []byte, zero, ok bool) {
	switch f.word {
	case "list":
		items := make([][]byte, len(rs))
		for i := range rs {
			if items[i], _, ok = r.value(&rs[i], f.elem, depth); !ok {
				return nil, false, false
			}
		}
		return array(items), false, true
	case "map":
		var members []jsonMember
		for i := range rs {
			m, ok := r.entry(&rs[i], f.elem, depth)
			if !ok {
				return nil, false, false
			}
			members = append(members, m)
		}
		return object(members), false, true
	}
	return r.value(&rs[len(rs)-1], f, depth) // of several the last counts
}

// entry shows an entry of a map: a message of key and value.
func (r *reader) entry(rec *record, f *form, depth int) (jsonMember, bool) {
	if rec.kind != protowire.BytesType {
		return jsonMember{}, false
	}
	key, _ := subfield(rec.payload, 1)
	value, ok := subfield(rec.payload, 2)
	if !ok && f.word != "text" {
		return jsonMember{string(key), []byte("null")}, true
	}
	shown, _, ok := r.value(&record{kind: protowire.BytesType, payload: value}, f, depth+1)
	return jsonMember{string(key), shown}, ok
}

// value shows one record.
func (r *reader) value(rec *record, f *form, depth int) (value []byte, zero, ok bool) {
	switch f.word {
	case "bool", "int", "uint":
		if rec.kind != protowire.VarintType {
			return nil, false, false
		}
		switch zero = rec.number == 0; f.word {
		case "bool":
			return strconv.AppendBool(nil, !zero), zero, true
		case "int":
			return strconv.AppendInt(nil, int64(rec.number), 10), zero, true
		}
		return strconv.AppendUint(nil, rec.number, 10), zero, true
	case "double":
		d := math.Float64frombits(rec.number)
		if rec.kind != protowire.Fixed64Type || math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, false, false
		}
		return strconv.AppendFloat(nil, d, 'g', -1, 64), d == 0, true
	}
	if rec.kind != protowire.BytesType {
		return nil, false, false
	}
	switch f.word {
	case "text":
		return quoted(rec.payload), len(rec.payload) == 0, true
	case "bytes":
		return quoted(base64.StdEncoding.AppendEncode(nil, rec.payload)), len(rec.payload) == 0, true
	case "record":
		members, ok := r.message(rec.payload, f.typ, depth)
		return object(members), false, ok
	case "message":
		text, _ := readTexts(rec.payload)
		return array(text), len(text) == 0, true
	case "json":
		text, _ := subfield(rec.payload, 1)
		if !json.Valid(text) {
			return quoted(base64.StdEncoding.AppendEncode(nil, text)), len(text) == 0, true
		}
		return text, false, true
	}
	return special(rec.payload, f.word)
}

// readTexts returns the texts that are field 1 of a message, as JSON.
func readTexts(m []byte) (texts [][]byte, ok bool) {
	for len(m) > 0 {
		rec, rest, ok := nextRecord(m)
		if !ok {
			return texts, false
		}
		if rec.field == 1 && rec.kind == protowire.BytesType {
			texts = append(texts, quoted(rec.payload))
		}
		m = rest
	}
	return texts, true
}

// special shows a message that is one value in JSON.
func special(m []byte, word string) (value []byte, zero, ok bool) {
	first, second := integer(m, 1), integer(m, 2)
	switch word {
	case "time", "microtime":
		layout := time.RFC3339Nano
		if word == "microtime" {
			layout = "2006-01-02T15:04:05.000000Z07:00"
		}
		if len(m) == 0 {
			return []byte("null"), true, true
		}
		return quoted(time.Unix(first, second).UTC().AppendFormat(nil, layout)), false, true
	case "duration":
		return quoted([]byte(time.Duration(first).String())), false, true
	case "quantity":
		text, _ := subfield(m, 1)
		return quoted(text), false, true
	case "intorstring":
		if first == 0 {
			return strconv.AppendInt(nil, second, 10), false, true
		}
		text, _ := subfield(m, 3)
		return quoted(text), false, true
	}
	return nil, false, false
}

// integer returns the first varint of that number in a message, 0 if there is none.
func integer(m []byte, want protowire.Number) int64 {
	for len(m) > 0 {
		rec, rest, ok := nextRecord(m)
		if !ok {
			return 0
		}
		if rec.field == want && rec.kind == protowire.VarintType {
			return int64(rec.number)
		}
		m = rest
	}
	return 0
}
