package kube_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/causeway-sync/causeway/etcdgw/kube"
)

func TestReadable(t *testing.T) {
	field := func(b []byte, n protowire.Number, content string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), content)
	}
	number := func(b []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	value := func(kind, raw string) string {
		return "k8s\x00" + string(field(field(nil, 1, string(field(field(nil, 1, "v1"), 2, kind))), 2, raw))
	}
	metadata := field(field(nil, 1, "a"), 8, string(number(nil, 1, 1700000000)))
	metadata = number(field(metadata, 11, string(field(field(nil, 1, "app"), 2, "w\"eb"))), 7, 0)
	configMap := field(field(nil, 1, string(metadata)), 3, string(field(field(nil, 1, "bin"), 2, "\x00\xff")))
	for _, tt := range []struct{ name, value, want string }{
		{"a config map", value("ConfigMap", string(configMap)),
			`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","creationTimestamp":"2023-11-14T22:13:20Z","labels":{"app":"w\"eb"}},"binaryData":{"bin":"AP8="}}`},
		{"a field of a later version", value("ConfigMap", string(number(field(field(nil, 99, "x"), 99, "y"), 98, 7))),
			`{"kind":"ConfigMap","apiVersion":"v1","field 99":["eA==","eQ=="],"field 98":7}`},
		{"a field of another form", value("ConfigMap", string(number(nil, 1, 7))),
			`{"kind":"ConfigMap","apiVersion":"v1","field 1":7}`},
		{"an unknown kind", value("Gadget", string(configMap[:2+len(metadata)])),
			`{"kind":"Gadget","apiVersion":"v1","field 1":"` + base64Of(metadata) + `"}`},
	} {
		got, err := kube.Readable([]byte(tt.value))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: Readable = %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "{}", "k8s\x00", "k8s:enc:x", value("ConfigMap", "\xff"), value("ConfigMap", strings.Repeat("\x0a", 3))} {
		if got, err := kube.Readable([]byte(bad)); err == nil {
			t.Errorf("Readable(%q) = %s", bad, got)
		}
	}
}

func base64Of(b []byte) string {
	text, _ := json.Marshal(b)
	return strings.Trim(string(text), `"`)
}

// FuzzReadable: whatever the bytes are, what people see is JSON.
func FuzzReadable(f *testing.F) {
	f.Add([]byte(enveloped("v1", "Pod", "1")))
	f.Add([]byte(enveloped("v1", "Gadget", "1")))
	f.Fuzz(func(t *testing.T, value []byte) {
		if text, err := kube.Readable(value); err == nil && !json.Valid(text) {
			t.Errorf("Readable = %s", text)
		}
	})
}
