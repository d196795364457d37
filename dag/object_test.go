package dag

import "testing"

func TestObject(t *testing.T) {
	proto := func(metadata string) string {
		object := "\x0a" + string(rune(len(metadata))) + metadata
		unknown := "\x0a\x07\x0a\x02v1\x12\x01K\x12" + string(rune(len(object))) + object
		return "k8s\x00" + unknown
	}
	for _, c := range []struct {
		value, uid string
		ok         bool
	}{
		{"", "", false},
		{"v", "", false},
		{"{}", "", false},
		{`{"apiVersion":"v1","kind":"K"}`, "", false},
		{`{"apiVersion":"v1","kind":"K","metadata":{}}`, "", true},
		{`{"apiVersion":"v1","kind":"K","metadata":{"name":"n","uid":"u","labels":{"uid":"x"}},"uid":1}`, "u", true},
		{`{"apiVersion":"v1","kind":"K","metadata":{"uid":7}}`, "", false},
		{`{"apiVersion":"v1","metadata":{"uid":"u"}}`, "", false},
		{`[{"apiVersion":"v1","kind":"K","metadata":{"uid":"u"}}]`, "", false},
		{proto("\x0a\x01n\x2a\x01u"), "u", true},
		{proto("\x0a\x01n"), "", true},
		{proto("\x0a\x01n\x2a\x01u\x2a\x01u"), "", true},
		{"k8s\x00", "", false},
		{"k8s:enc:aescbc:v1:key:", "", true},
	} {
		if uid, ok := Object([]byte(c.value)); uid != c.uid || ok != c.ok {
			t.Errorf("Object(%q) = %q, %v, want %q, %v", c.value, uid, ok, c.uid, c.ok)
		}
	}
}
