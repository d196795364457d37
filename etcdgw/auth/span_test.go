package auth

import (
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	"pgregory.net/rapid"
)

// shortKeys are all keys of at most three letters of "\x00", "a" and "b", but the
// empty one.
func shortKeys() []string {
	keys := []string{""}
	for i := 0; i < len(keys); i++ {
		if len(keys[i]) < 3 {
			for _, c := range []string{"\x00", "a", "b"} {
				keys = append(keys, keys[i]+c)
			}
		}
	}
	return keys[1:]
}

// covers reports whether k is in the range of key and end, by etcd's rules.
func covers(key, end, k string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	default:
		return key <= k && k < end
	}
}

// TestSpans compares merged permissions with the permissions themselves, looked
// at key by key.
func TestSpans(t *testing.T) {
	keys := shortKeys()
	draw := rapid.SampledFrom(keys)
	rapid.Check(t, func(t *rapid.T) {
		var permissions []*authpb.Permission
		for range rapid.IntRange(0, 6).Draw(t, "permissions") {
			p := &authpb.Permission{PermType: authpb.Permission_Type(rapid.IntRange(0, 2).Draw(t, "type")), Key: []byte(draw.Draw(t, "key"))}
			if rapid.Bool().Draw(t, "range") {
				p.RangeEnd = []byte(draw.Draw(t, "end"))
			}
			if validSpan(p.Key, p.RangeEnd) {
				permissions = append(permissions, p)
			}
		}
		g := newGrants(permissions)
		begin, end := draw.Draw(t, "begin of the request"), rapid.SampledFrom(append(keys, "")).Draw(t, "end of the request")
		if end != "" && end != "\x00" && end <= begin {
			return // empty: see TestEmptyRequest
		}
		for _, write := range []bool{false, true} {
			granted, want := g.read, true
			if write {
				granted = g.write
			}
			// Behind each short key lie longer ones, which a permission for a
			// single key does not cover.
			for _, short := range keys {
				for _, k := range []string{short, short + "\x00\x00\x00\x00", short + "bbbb"} {
					if covers(begin, end, k) && !coveredBy(permissions, write, k) {
						want = false
					}
				}
			}
			if got := granted.contain(newSpan([]byte(begin), []byte(end))); got != want {
				t.Fatalf("write %v of [%q, %q) with %v: %v, want %v", write, begin, end, permissions, got, want)
			}
		}
	})
}

func coveredBy(permissions []*authpb.Permission, write bool, k string) bool {
	for _, p := range permissions {
		fits := p.PermType == authpb.Permission_READWRITE || (p.PermType == authpb.Permission_WRITE) == write
		if fits && covers(string(p.Key), string(p.RangeEnd), k) {
			return true
		}
	}
	return false
}

// TestEmptyRequest checks requests of ranges that end before they begin: etcd
// asks for the permission of their begin.
func TestEmptyRequest(t *testing.T) {
	g := newGrants([]*authpb.Permission{{Key: []byte("b"), RangeEnd: []byte("d")}})
	for _, tt := range []struct {
		begin, end string
		want       bool
	}{{"b", "a", true}, {"c", "b", true}, {"c", "c", true}, {"d", "a", false}, {"a", "a", false}, {"e", "c", false}} {
		if got := g.read.contain(newSpan([]byte(tt.begin), []byte(tt.end))); got != tt.want {
			t.Errorf("read of [%s, %s) = %v, want %v", tt.begin, tt.end, got, tt.want)
		}
	}
}
