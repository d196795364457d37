package dag_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"google.golang.org/protobuf/encoding/protowire"
)

var podForm = &identity.Form{Kind: "Pod", Versions: []string{"v1", "v2/beta"}}

const podKey = "/registry/pods/default/web"

// part appends a field of bytes to a protobuf message.
func part(b []byte, field protowire.Number, payload string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), payload)
}

// kubeObject encodes an object as a Kubernetes API server stores it.
func kubeObject(version, kind, namespace, name string) string {
	meta := part(nil, 1, name)
	meta = part(meta, 2, "")
	meta = part(meta, 3, namespace)
	object := part(nil, 1, string(meta))
	object = part(object, 2, "\x0a\x03any")
	typeMeta := part(part(nil, 1, version), 2, kind)
	unknown := part(part(nil, 1, string(typeMeta)), 2, string(object))
	return "k8s\x00" + string(part(part(unknown, 3, ""), 4, ""))
}

// unknown encodes an envelope from its parts.
func unknown(parts ...string) string {
	var b []byte
	for i, p := range parts {
		if p != "-" {
			b = part(b, protowire.Number(i+1), p)
		}
	}
	return "k8s\x00" + string(b)
}

func TestCheckForm(t *testing.T) {
	pod := kubeObject("v1", "Pod", "default", "web")
	typeMeta := string(part(part(nil, 1, "v1"), 2, "Pod"))
	meta := string(part(part(nil, 1, "web"), 3, "default"))
	raw := string(part(nil, 1, meta))
	j := func(members string) string { return `{"apiVersion":"v1","kind":"Pod",` + members + `}` }
	named := `"metadata":{"name":"web","namespace":"default"}`
	for _, test := range []struct {
		name, key, value string
		ok               bool
	}{
		{"protobuf", podKey, pod, true},
		{"protobuf, the other version", podKey, kubeObject("v2/beta", "Pod", "default", "web"), true},
		{"protobuf, without a namespace", podKey, kubeObject("v1", "Pod", "", "web"), true},
		{"protobuf, minimal", podKey, unknown(typeMeta, raw), true},
		{"protobuf, other fields", podKey, "k8s\x00" + string(protowire.AppendVarint(protowire.AppendTag([]byte(unknown(typeMeta, raw)[4:]), 9, 0), 1)), true},
		{"protobuf of another kind", podKey, kubeObject("v1", "Node", "default", "web"), false},
		{"protobuf of another version", podKey, kubeObject("v2", "Pod", "default", "web"), false},
		{"protobuf of another name", podKey, kubeObject("v1", "Pod", "default", "we"), false},
		{"protobuf of another namespace", podKey, kubeObject("v1", "Pod", "kube-system", "web"), false},
		{"protobuf without a name", "/registry/pods/default/", kubeObject("v1", "Pod", "default", ""), false},
		{"protobuf cut", podKey, pod[:len(pod)-1], false},
		{"protobuf trailing", podKey, pod + "\x00", false},
		{"protobuf without an object", podKey, unknown(typeMeta), false},
		{"protobuf without its type", podKey, unknown("-", raw), false},
		{"protobuf without metadata", podKey, unknown(typeMeta, "\x12\x00"), false},
		{"protobuf, compressed", podKey, unknown(typeMeta, raw, "gzip"), false},
		{"protobuf of JSON", podKey, unknown(typeMeta, raw, "", "application/json"), false},
		{"protobuf, the object twice", podKey, unknown(typeMeta, raw) + unknown("-", raw)[4:], false},
		{"protobuf, the name twice", podKey, unknown(typeMeta, string(part(nil, 1, meta+string(part(nil, 1, "web"))))), false},
		{"protobuf, the name a number", podKey, unknown(typeMeta, string(part(nil, 1, "\x08\x01"))), false},
		{"protobuf, a group", podKey, pod + "\x4b\x4c", false},
		{"protobuf, field 0", podKey, pod + "\x00\x01", false},
		{"protobuf, a varint of 65 bits", podKey, pod + "\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", false},
		{"protobuf of nothing", podKey, "k8s\x00", false},

		{"encrypted", podKey, "k8s:enc:aescbc:v1:key1:\x00\x01", true},
		{"encrypted, but no name", "/registry/pods/", "k8s:enc:aescbc:v1:key1:", false},

		{"JSON", podKey, j(named), true},
		{"JSON, spaced, with a line's end", podKey, " { \"kind\" : \"Pod\" ,\t\"apiVersion\":\"v1\", " + named + " } \n", true},
		{"JSON, escaped", podKey, `{"apiVersion":"v1","k\u0069nd":"\u0050od","metadata":{"n\u0061me":"w\u0065b","namespace":"default"}}`, true},
		{"JSON with more", podKey, j(`"spec":{"a":[1,-0.5e3,true,false,null,"\ud83d\ude00 ü \" \\ \/ \b\f\n\r\t",{},[]]},` + named), true},
		{"JSON without a namespace", "/registry/nodes/web", j(`"metadata":{"name":"web"}`), true},
		{"JSON, an escaped key", "a\"\u00fc\U0001f600", j(`"metadata":{"name":"a\"\u00FC\ud83d\ude00"}`), true},
		{"JSON with the largest double", podKey, j(named + `,"x":1.7976931348623157e308`), true},
		{"JSON with a long number", podKey, j(named + `,"x":` + strings.Repeat("1", 308)), true},
		{"JSON with an infinite number", podKey, j(named + `,"x":1e309`), false},
		{"JSON with a number too long", podKey, j(named + `,"x":` + strings.Repeat("1", 310)), false},
		{"JSON of another kind", podKey, `{"apiVersion":"v1","kind":"pod",` + named + `}`, false},
		{"JSON, member in another case", podKey, `{"apiVersion":"v1","Kind":"Pod",` + named + `}`, false},
		{"JSON of no version", podKey, `{"kind":"Pod",` + named + `}`, false},
		{"JSON of another name", podKey, j(`"metadata":{"name":"webs","namespace":"default"}`), false},
		{"JSON of another namespace", podKey, j(`"metadata":{"name":"web","namespace":"defaul"}`), false},
		{"JSON, a namespace and a key without", "web", j(named), false},
		{"JSON, kind twice", podKey, j(`"kind":"Pod",` + named), false},
		{"JSON, metadata twice", podKey, j(named + `,"metadata":{}`), false},
		{"JSON, name twice, once escaped", podKey, j(`"metadata":{"name":"web","nam\u0065":"web"}`), false},
		{"JSON, name a number", podKey, j(`"metadata":{"name":7}`), false},
		{"JSON, namespace null", podKey, j(`"metadata":{"name":"web","namespace":null}`), false},
		{"JSON, metadata a list", podKey, j(`"metadata":[]`), false},
		{"JSON, metadata null", podKey, j(`"metadata":null`), false},
		{"JSON without metadata", podKey, j(`"a":1`), false},
		{"JSON trailing", podKey, j(named) + "{}", false},
		{"JSON with a byte order mark", podKey, "\ufeff" + j(named), false},
		{"JSON, not UTF-8", podKey, j("\"a\":\"\xff\"," + named), false},
		{"JSON, half a surrogate pair", podKey, j(`"a":"\ud83d",` + named), false},
		{"JSON, the other half", podKey, j(`"a":"\ude00",` + named), false},
		{"JSON, a control character", podKey, j("\"a\":\"\n\"," + named), false},
		{"JSON, 512 deep", podKey, j(`"a":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + "," + named), true},
		{"JSON, 513 deep", podKey, j(`"a":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + "," + named), false},
		{"a string", podKey, `"Pod"`, false},
		{"YAML", podKey, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n", false},
		{"nothing", podKey, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := dag.CheckForm(podForm, []byte(test.key), []byte(test.value))
			if (err == nil) != test.ok || err != nil && !errors.Is(err, dag.ErrForm) {
				t.Errorf("CheckForm(%s, %q) = %v, want ok: %v", test.key, test.value, err, test.ok)
			}
		})
	}
}

func TestCheckFormAllocatesNothing(t *testing.T) {
	for _, value := range []string{
		kubeObject("v1", "Pod", "default", "web"),
		`{"apiVersion":"v1","kind":"Pod","metadata":{"n\u0061me":"web","namespace":"default"},"spec":{"a":[1,2,{}]}}`,
	} {
		key, value := []byte(podKey), []byte(value)
		if n := testing.AllocsPerRun(100, func() {
			if err := dag.CheckForm(podForm, key, value); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %q", n, value)
		}
	}
}

// FuzzCheckForm compares with the standard library's JSON and the reference
// implementation of protobuf's wire format, apart from where the rule is stricter.
func FuzzCheckForm(f *testing.F) {
	f.Add([]byte(podKey), []byte(kubeObject("v1", "Pod", "default", "web")))
	f.Add([]byte(podKey), []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default"},"a":[1.5e2,"\ud83d\ude00\n"]}`))
	f.Add([]byte("/registry/pods/a/b"), []byte("k8s:enc:"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		err := dag.CheckForm(podForm, key, value)
		if err != nil {
			if !errors.Is(err, dag.ErrForm) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		name := string(key[bytes.LastIndexByte(key, '/')+1:])
		var gotKind, gotName, gotNamespace string
		switch {
		case bytes.HasPrefix(value, []byte("k8s:enc:")):
			return
		case bytes.HasPrefix(value, []byte("k8s\x00")):
			outer := fieldsOf(t, value[4:])
			gotKind = string(fieldsOf(t, outer[1])[2])
			meta := fieldsOf(t, fieldsOf(t, outer[2])[1])
			gotName, gotNamespace = string(meta[1]), string(meta[3])
		default:
			if !utf8.Valid(value) {
				t.Fatalf("accepted %q, which is not UTF-8", value)
			}
			var object map[string]any // as a struct it would take "Kind" for "kind"
			if err := json.Unmarshal(value, &object); err != nil {
				t.Fatalf("accepted %q: %v", value, err)
			}
			metadata, _ := object["metadata"].(map[string]any)
			gotKind, _ = object["kind"].(string)
			gotName, _ = metadata["name"].(string)
			gotNamespace, _ = metadata["namespace"].(string)
		}
		if gotKind != "Pod" || gotName != name || gotName == "" || gotNamespace != "" && !bytes.HasSuffix(key, []byte(gotNamespace+"/"+name)) {
			t.Fatalf("accepted %q at %q: kind %q, %q/%q", value, key, gotKind, gotNamespace, gotName)
		}
	})
}

// fieldsOf returns the payloads of a message's length-delimited fields.
func fieldsOf(t *testing.T, b []byte) map[protowire.Number][]byte {
	t.Helper()
	fields := make(map[protowire.Number][]byte)
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("accepted a tag that is none: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
			t.Fatalf("accepted a field that is none: %v", protowire.ParseError(n))
		}
		if kind == protowire.BytesType {
			fields[field], _ = protowire.ConsumeBytes(b)
		}
		b = b[n:]
	}
	return fields
}
