package kube

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Spell returns a path into a protobuf value of an API server, as package crdt has it, with the
// names of fields instead of their numbers, and what is there, which is
// records, as JSON text. It is for people: what is not known stays as it is,
// in base64 where it is bytes. The value is one of the same object; ok is false if it is
// none, and then the path and what is there are to be shown as they are.
func Spell(value []byte, path []string, there []byte) (names []string, text []byte, ok bool) {
	message, ok := bytes.CutPrefix(value, []byte(protobufPrefix))
	if !ok {
		return nil, nil, false
	}
	var e envelope
	if !e.readProtobuf(message) {
		return nil, nil, false
	}
	if len(path) == 0 {
		text, err := Readable(there)
		return nil, text, err == nil
	}
	s := speller{form: form{word: "record", typ: tableOf(&e)}}
	switch number, _ := strconv.Atoi(path[0]); {
	case number == unknownTypeMeta && len(path) == 1: // one leaf
		return []string{"typeMeta"}, unnamedText(there), true
	case number != unknownRaw:
		return []string{"envelope field " + path[0]}, unnamedText(there), true
	}
	for _, step := range path[1:] {
		s.step(step)
	}
	return s.names, s.text(there), true
}

// tableOf returns the type of an object's fields, empty if it is not known.
func tableOf(e *envelope) string {
	return names().kinds[kind{string(e.apiVersion), string(e.kind)}]
}

// A speller goes down a path.
type speller struct {
	names []string
	form  form // of what the steps led to; without a word where that is not known
	item  bool // it is one item of a list, or entry of a map
	json  bool // it is within a JSON text
}

func (s *speller) step(step string) {
	f := s.form
	s.item = false
	switch f.word {
	case "record":
		number, err := strconv.Atoi(step)
		if err != nil {
			s.form = form{}
			break
		}
		for _, x := range names().types[f.typ] {
			if x.number != number {
				continue
			}
			s.form = x.form
			if x.name != "" {
				s.names = append(s.names, x.name)
			}
			return
		}
		s.form, step = form{}, "field "+step
	case "map", "list":
		s.form, s.item = *f.elem, true
	case "json":
		s.json = true
		s.form = form{word: "within"}
		return // the message's only field
	case "within":
	default:
		s.form = form{}
	}
	s.names = append(s.names, step)
}

// text shows what a path led to.
func (s *speller) text(there []byte) []byte {
	if s.json && json.Valid(there) {
		return there
	}
	f := &s.form
	if !s.item || f.word == "list" || f.word == "map" {
		if rs, ok := recordsOf(there); ok && len(rs) > 0 && f.word != "" {
			r := reader{names: names()}
			if text, _, ok := r.field(rs, f, 0); ok {
				return text
			}
		}
		return unnamedText(there)
	}
	r := reader{names: names()}
	if rs, ok := recordsOf(there); ok && len(rs) == 1 {
		if text, _, ok := r.value(&rs[0], f, 0); ok {
			return text
		}
	}
	return unnamedText(there)
}

// recordsOf takes records apart.
func recordsOf(b []byte) (rs []record, ok bool) {
	for len(b) > 0 {
		rec, rest, ok := nextRecord(b)
		if !ok {
			return nil, false
		}
		rs, b = append(rs, rec.record), rest
	}
	return rs, true
}

// A numbered record is one with its field's number.
type numbered struct {
	record
	field protowire.Number
}

// nextRecord reads the first record of a message.
func nextRecord(m []byte) (rec numbered, rest []byte, ok bool) {
	number, kind, n := protowire.ConsumeTag(m)
	if n < 0 {
		return rec, nil, false
	}
	end := protowire.ConsumeFieldValue(number, kind, m[n:])
	if end < 0 {
		return rec, nil, false
	}
	rec = numbered{record{kind: kind, raw: m[:n+end]}, number}
	switch kind {
	case protowire.VarintType:
		rec.number, _ = protowire.ConsumeVarint(m[n:])
	case protowire.Fixed64Type:
		rec.number, _ = protowire.ConsumeFixed64(m[n:])
	case protowire.BytesType:
		rec.payload, _ = protowire.ConsumeBytes(m[n:])
	}
	return rec, m[n+end:], true
}

// unnamedText shows records whose form is not known, or bytes that are none.
func unnamedText(b []byte) []byte {
	if rs, ok := recordsOf(b); ok && len(rs) > 0 {
		return unnamed(rs)
	}
	if json.Valid(b) {
		return b
	}
	return quoted([]byte(fmt.Sprintf("base64:%s", base64.StdEncoding.EncodeToString(b))))
}
