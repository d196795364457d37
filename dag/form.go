package dag

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// What the values of a Kubernetes API server begin with that are not JSON.
const (
	kubeProtobuf  = "k8s\x00"
	kubeEncrypted = "k8s:enc:"
)

// CheckForm returns nil if the value is well formed for the key, as docs/roster.md
// section 7 defines it: a Kubernetes object of the form's kind and one of its
// versions, in protobuf or JSON, whose name and namespace are what the key
// says; or encrypted. Otherwise the error wraps [ErrForm]. It is a pure function of its arguments
// and part of the format, takes time linear in the value, and allocates
// nothing for what is well formed.
func CheckForm(form *identity.Form, key, value []byte) error {
	namespace, name := lastSegments(key)
	if len(name) == 0 {
		return fmt.Errorf("%w: the key ends in no name", ErrForm)
	}
	var e envelope
	switch {
	case bytes.HasPrefix(value, []byte(kubeEncrypted)):
		return nil
	case bytes.HasPrefix(value, []byte(kubeProtobuf)):
		if !e.readProtobuf(value[len(kubeProtobuf):]) {
			return fmt.Errorf("%w: not protobuf as Kubernetes stores it", ErrForm)
		}
	case !e.readJSON(value):
		return fmt.Errorf("%w: neither protobuf nor a JSON object as Kubernetes stores them", ErrForm)
	}
	switch {
	case !spells(&e, e.kind, form.Kind):
		return fmt.Errorf("%w: not of kind %s", ErrForm, form.Kind)
	case !slices.ContainsFunc(form.Versions, func(v string) bool { return spells(&e, e.apiVersion, v) }):
		return fmt.Errorf("%w: apiVersion is none of %q", ErrForm, form.Versions)
	case !spells(&e, e.name, name):
		return fmt.Errorf("%w: not of the name that the key ends in", ErrForm)
	case len(e.namespace) > 0 && !spells(&e, e.namespace, namespace):
		return fmt.Errorf("%w: not of the namespace that the key says", ErrForm)
	}
	return nil
}

// FormParts are the parts of a JSON text, or of a protobuf message behind Kubernetes' prefix, that
// decide what [CheckForm] says of it and a key, as names of members and numbers of fields from the
// outside in. It says the same of the value without what is neither one of them nor around one.
var FormParts = [][]string{
	{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"},
	{"1", "1"}, {"1", "2"}, {"3"}, {"4"}, {"2", "1", "1"}, {"2", "1", "2"}, {"2", "1", "3"},
}

// lastSegments returns the last segment of a key and the one before it, empty if there is none.
func lastSegments(key []byte) (before, last []byte) {
	i := bytes.LastIndexByte(key, '/')
	if i < 0 {
		return nil, key
	}
	before, last = key[:i], key[i+1:]
	return before[bytes.LastIndexByte(before, '/')+1:], last
}

// An envelope holds what a value says that it is; what it does not say is empty.
type envelope struct {
	apiVersion, kind, name, namespace []byte
	metadata                          bool // there is some
	json                              bool // the above are as they stand in JSON
	uids                              bool // uid is asked for
	uid                               []byte
}

// spells reports whether part, of the envelope, stands for want.
func spells[T string | []byte](e *envelope, part []byte, want T) bool {
	if e.json {
		return jsonSpells(part, want)
	}
	return string(part) == string(want)
}

// readProtobuf reads a runtime.Unknown of k8s.io/apimachinery, with the object
// in its field raw, neither compressed nor of another content type.
func (e *envelope) readProtobuf(b []byte) bool {
	unknown, ok := wireMessage(b, 4) // typeMeta, raw, contentEncoding, contentType
	if !ok || unknown[1] == nil || unknown[2] == nil || len(unknown[3]) > 0 || len(unknown[4]) > 0 {
		return false
	}
	typeMeta, ok := wireMessage(unknown[1], 2) // apiVersion, kind
	if !ok {
		return false
	}
	object, ok := wireMessage(unknown[2], 1) // metadata
	if !ok || object[1] == nil {
		return false
	}
	metadata, ok := wireMessage(object[1], 3) // name, generateName, namespace
	e.apiVersion, e.kind = typeMeta[1], typeMeta[2]
	e.name, e.namespace, e.metadata = metadata[1], metadata[3], true
	if e.uids {
		metadata, _ := wireMessage(object[1], 5) // …, selfLink, uid
		e.uid = metadata[5]
	}
	return ok
}

// readJSON reads an object in JSON. The members that count are there at most once.
func (e *envelope) readJSON(b []byte) bool {
	e.json = true
	s := jsonScanner{b: b}
	once := func(part *[]byte) bool {
		if *part != nil {
			return false
		}
		var ok bool
		*part, ok = s.text()
		return ok
	}
	return s.object(func(name []byte) bool {
		switch {
		case jsonSpells(name, "apiVersion"):
			return once(&e.apiVersion)
		case jsonSpells(name, "kind"):
			return once(&e.kind)
		case jsonSpells(name, "metadata"):
			if e.metadata {
				return false
			}
			e.metadata = true
			return s.object(func(name []byte) bool {
				switch {
				case jsonSpells(name, "name"):
					return once(&e.name)
				case jsonSpells(name, "namespace"):
					return once(&e.namespace)
				case e.uids && jsonSpells(name, "uid"):
					return once(&e.uid)
				}
				return s.value()
			})
		}
		return s.value()
	}) && s.end()
}
