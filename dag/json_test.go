package dag

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzJSON: the scanner accepts what the standard library accepts, but for
// what it refuses on purpose.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`1`, `-0`, `01`, `1.`, `.5`, `1e`, `-1.5E+3`, `[1,]`, `{"a":}`, `{"a":1,"a":[]}`, `"\u00e4\ud83d\ude00"`,
		`"\ud83d"`, `tru`, ` null `, `[[{}]]`, `1e400`, "\"\x7f\"", `"\x"`, `""`, `1 2`, strings.Repeat("[", 600) + strings.Repeat("]", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := jsonScanner{b: []byte(text)}
		got := s.value() && s.end()
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var v any
		err := dec.Decode(&v)
		want := err == nil && json.Valid([]byte(text)) && utf8.ValidString(text) && sane(v, 0)
		if want && !got && strings.Contains(strings.ToLower(text), `\ud`) {
			return // perhaps an unpaired surrogate: TestCheckForm has the cases
		}
		if got != want {
			t.Fatalf("accepted %q: %v, want %v (%v)", text, got, want, err)
		}
		if word, ok := v.(string); ok && got {
			text = strings.TrimSpace(text)
			if quoted := []byte(text[1 : len(text)-1]); !jsonSpells(quoted, word) || jsonSpells(quoted, word+"x") || word != "" && jsonSpells(quoted, word[1:]) {
				t.Fatalf("%s does not spell %q alone", text, word)
			}
		}
	})
}

// sane reports whether no number is infinite and nothing is too deep.
func sane(v any, depth int) bool {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.ParseFloat(string(v), 64)
		return err == nil && !math.IsInf(n, 0)
	case []any:
		for _, e := range v {
			if !sane(e, depth+1) {
				return false
			}
		}
		depth++
	case map[string]any:
		for _, e := range v {
			if !sane(e, depth+1) {
				return false
			}
		}
		depth++
	}
	return depth <= maxJSONDepth
}
