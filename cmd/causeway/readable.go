package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// readable returns a value as JSON text: JSON as it is, a Kubernetes object in
// protobuf by the names of its fields, other text as a string, and what is no
// text as an object with its bytes in base64.
func readable(value []byte) json.RawMessage {
	if json.Valid(value) {
		return value
	}
	if text, err := kube.Readable(value); err == nil {
		return text
	}
	if utf8.Valid(value) {
		return mustJSON(string(value))
	}
	return mustJSON(map[string]string{"base64": base64.StdEncoding.EncodeToString(value)})
}

// mustJSON encodes what always has a JSON text.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// A place is a part of a value, readable.
type place struct {
	Path  []string        `json:"path"` // empty for the whole value
	Value json.RawMessage `json:"value"`
}

// placeOf makes a place readable: path and part are of a value of the key's
// that is whole, in protobuf by the numbers of its fields.
func placeOf(whole []byte, path []string, part []byte) place {
	if names, text, ok := kube.Spell(whole, path, part); ok {
		return place{nonNil(names), text}
	}
	return place{nonNil(path), readable(part)}
}

// maxShownPart is the longest part of a value, in bytes, that is printed whole
// among others.
const maxShownPart = 60

// text returns the path in one word, and the value in one line.
func (p place) text() (path, value string) {
	if path = printable(strings.Join(p.Path, ".")); path == "" {
		path = "(all)"
	}
	return path, shorten(printable(string(p.Value)))
}

// shorten returns s, cut if it is long.
func shorten(s string) string {
	if len(s) <= maxShownPart {
		return s
	}
	cut := maxShownPart
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
