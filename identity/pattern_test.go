package identity

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The dumb models follow the words of docs/op.md, section 7.

var unescaper = strings.NewReplacer(`\*`, `*`, `\\`, `\`)

// modelMatch splits both at the slashes and compares segment by segment.
func modelMatch(p Pattern, key string) bool {
	segs, keySegs := strings.Split(string(p), "/"), strings.Split(key, "/")
	if last := len(segs) - 1; segs[last] == "**" {
		if len(keySegs) < len(segs) {
			return false
		}
		segs, keySegs = segs[:last], keySegs[:last]
	}
	if len(segs) != len(keySegs) {
		return false
	}
	for i, seg := range segs {
		if seg != "*" && unescaper.Replace(seg) != keySegs[i] {
			return false
		}
	}
	return true
}

// modelSuccessor returns the least string above all that begin with p, or false if there is none.
func modelSuccessor(p string) (string, bool) {
	for len(p) > 0 && p[len(p)-1] == 0xff {
		p = p[:len(p)-1]
	}
	if p == "" {
		return "", false
	}
	return p[:len(p)-1] + string([]byte{p[len(p)-1] + 1}), true
}

// modelMatchRange tries every prefix of key, and a choice of strings that begin with it.
func modelMatchRange(p Pattern, key, end string) bool {
	if end == key+"\x00" {
		return modelMatch(p, key)
	}
	for n := len(key); ; n-- {
		next, bounded := modelSuccessor(key[:n])
		if bounded && (end == "" || end > next) {
			continue // some key of the range does not begin with it
		}
		for _, suffix := range allStrings("/z", 4) {
			if !modelMatch(p, key[:n]+suffix) {
				return false
			}
		}
		return true
	}
}

// allStrings returns every string over the alphabet of at most n bytes.
func allStrings(alphabet string, n int) (all []string) {
	all = []string{""}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, s := range all[from:to] {
			for i := range len(alphabet) {
				all = append(all, s+alphabet[i:i+1])
			}
		}
		from = to
	}
	return all
}

// drawPattern draws patterns of at most three segments, so that short keys tell
// any two apart.
func drawPattern(t *rapid.T, label string) Pattern {
	segs := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", `\*`, `\\`, "", "\xff"}), 0, 3).Draw(t, label)
	if rapid.Bool().Draw(t, label+" ends in **") {
		segs = append(segs[:min(len(segs), 2)], "**")
	}
	p, err := ParsePattern([]byte(strings.Join(segs, "/")))
	if err != nil {
		t.Skip("the empty pattern")
	}
	return p
}

func drawKey(t *rapid.T, label string) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]byte("ab/*\\\x00\xfe\xff")), 0, 6).Draw(t, label))
}

func TestPatternMatchModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, key := drawPattern(t, "pattern"), drawKey(t, "key")
		if got, want := p.Match([]byte(key)), modelMatch(p, key); got != want {
			t.Fatalf("Pattern(%q).Match(%q) = %v, want %v", p, key, got, want)
		}
	})
}

func TestPatternMatchRangeModel(t *testing.T) {
	universe := allStrings("a/\x00\xff", 4)
	rapid.Check(t, func(t *rapid.T) {
		p, key, end := drawPattern(t, "pattern"), drawKey(t, "key"), drawKey(t, "end")
		if rapid.Bool().Draw(t, "end is a successor") {
			end, _ = modelSuccessor(key[:rapid.IntRange(0, len(key)).Draw(t, "of")])
			if end != "" && rapid.Bool().Draw(t, "or a little beyond") {
				end = end[:len(end)-1] + string([]byte{max(end[len(end)-1], end[len(end)-1]+1)})
			}
		}
		if end != "" && end <= key {
			t.Skip("empty range")
		}
		got := p.MatchRange([]byte(key), []byte(end))
		if want := modelMatchRange(p, key, end); got != want {
			t.Fatalf("Pattern(%q).MatchRange(%q, %q) = %v, want %v", p, key, end, got, want)
		}
		for _, k := range universe {
			if got && k >= key && (end == "" || k < end) && !modelMatch(p, k) {
				t.Fatalf("Pattern(%q).MatchRange(%q, %q) though it does not match %q", p, key, end, k)
			}
		}
	})
}

func TestPatternContainsModel(t *testing.T) {
	universe := allStrings("ab/*\\\xff", 5)
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPattern(t, "a"), drawPattern(t, "b")
		want, witness := true, ""
		for _, k := range universe {
			if modelMatch(b, k) && !modelMatch(a, k) {
				want, witness = false, k
				break
			}
		}
		if got := a.Contains(b); got != want {
			t.Fatalf("Pattern(%q).Contains(%q) = %v, want %v (witness %q)", a, b, got, want, witness)
		}
	})
}

func TestPatternExamples(t *testing.T) {
	for _, v := range []struct {
		pattern, key string
		want         bool
	}{
		{"**", "", true},
		{"**", "/any/thing\x00\xff", true},
		{"/a/**", "/a/", true},
		{"/a/**", "/a/b/c", true},
		{"/a/**", "/a", false},
		{"/a/*", "/a/", true},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", false},
		{"/registry/*/team-a/**", "/registry/pods/team-a/web", true},
		{"/registry/*/team-a/**", "/registry/pods/team-b/web", false},
		{"/registry/*/team-a/**", "/registry/pods/team-a", false},
		{"/registry/*/team-a/**", "/registry/a/b/team-a/x", false},
		{`/\*/x`, "/*/x", true},
		{`/\*/x`, "/y/x", false},
		{`a\\b`, `a\b`, true},
		{"a", "ab", false},
		{"ab", "a", false},
	} {
		p, err := ParsePattern([]byte(v.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match([]byte(v.key)); got != v.want {
			t.Errorf("Pattern(%q).Match(%q) = %v, want %v", p, v.key, got, v.want)
		}
	}
	for _, v := range []struct {
		pattern, key, end string
		want              bool
	}{
		{"**", "\x00", "", true},
		{"/a/**", "/a/", "/a0", true},       // etcd's prefix range of "/a/"
		{"/a/**", "/a/b", "/a/c", true},     // of "/a/b"
		{"/a/**", "/a/b", "/a0", true},      // from "/a/b" on, within /a/
		{"/a/**", "/a/b", "/a0\x00", false}, // a key more
		{"/a/**", "/a/b", "/a1", false},     // holds /a0
		{"/a/**", "/a", "/b", false},
		{"/a/**", "/a/", "", false},
		{"/a/**", "/a/x", "/a/x\x00", true}, // one key
		{"/a/*", "/a/x", "/a/x\x00", true},  // one key
		{"/a/*", "/a/x", "/a/y", false},     // holds /a/x/z
		{"/a", "/a", "/a\x00", true},
		{"/*/b/**", "/x/b/", "/x/b0", true},
		{"/*/b/**", "/x/b", "/x/c", false},
		{"\xff/**", "\xff/", "\xff0", true},
		{"/a\xff/**", "/a\xff/", "/a\xff0", true},
		{"/\xff\xff/**", "/\xff\xff/q", "/\xff\xff0", true},
	} {
		p, err := ParsePattern([]byte(v.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.MatchRange([]byte(v.key), []byte(v.end)); got != v.want {
			t.Errorf("Pattern(%q).MatchRange(%q, %q) = %v, want %v", p, v.key, v.end, got, v.want)
		}
	}
}

func TestParsePatternRefusals(t *testing.T) {
	for _, in := range []string{"", "a*", "*a", "***", "**/a", "/**/", "/a/**/b", `a\`, `a\a`, `\/`, `a/\`, `*\*`,
		strings.Repeat("a", MaxPatternSize+1)} {
		if p, err := ParsePattern([]byte(in)); !errors.Is(err, ErrPattern) || p != "" {
			t.Errorf("ParsePattern(%q) = %q, %v; want %v", in, p, err, ErrPattern)
		}
	}
	if _, err := ParsePattern(bytes.Repeat([]byte("a"), MaxPatternSize)); err != nil {
		t.Errorf("ParsePattern of %d bytes: %v", MaxPatternSize, err)
	}
	if Pattern("").Match(nil) || Pattern("").MatchRange(nil, nil) {
		t.Errorf("the zero pattern matches")
	}
}

func FuzzPattern(f *testing.F) {
	for _, v := range [][3]string{{"**", "", "x"}, {"/a/*/**", "/a/b/c", "/a/b/d"}, {`\*/\\`, `*/\`, ""}, {"/a\xff/**", "/a\xff/", "/a\xff0"}} {
		f.Add([]byte(v[0]), []byte(v[1]), []byte(v[2]))
	}
	f.Fuzz(func(t *testing.T, in, key, end []byte) {
		Pattern(in).Match(key) // a string that is no pattern must not panic either
		Pattern(in).MatchRange(key, end)
		Pattern(in).Contains(Pattern(key))
		if literal, err := LiteralPattern(key); err == nil {
			if !literal.Match(key) || literal.Match(append(key[:len(key):len(key)], 0)) || !Pattern("**").Contains(literal) {
				t.Errorf("LiteralPattern(%q) = %q: does not match just that", key, literal)
			}
		}
		p, err := ParsePattern(in)
		if err != nil {
			return
		}
		if string(p) != string(in) || !p.Contains(p) {
			t.Errorf("ParsePattern(%q) = %q", in, p)
		}
		if got, want := p.Match(key), modelMatch(p, string(key)); got != want {
			t.Errorf("Pattern(%q).Match(%q) = %v, want %v", p, key, got, want)
		}
		if small := len(key) <= 64 && len(end) <= 64; small && (len(end) == 0 || bytes.Compare(key, end) < 0) {
			if got, want := p.MatchRange(key, end), modelMatchRange(p, string(key), string(end)); got != want {
				t.Errorf("Pattern(%q).MatchRange(%q, %q) = %v, want %v", p, key, end, got, want)
			}
		}
		if q, err := ParsePattern(key); err == nil && p.Contains(q) && modelMatch(q, string(end)) && !modelMatch(p, string(end)) {
			t.Errorf("Pattern(%q).Contains(%q), but not %q", p, q, end)
		}
	})
}
