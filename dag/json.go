package dag

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep a well-formed value is nested (docs/roster.md
// section 7): what stands in arrays and objects takes stack to read.
const maxJSONDepth = 512

// A jsonScanner reads one JSON text of RFC 8259, strictly: valid UTF-8 without
// a byte order mark, no unpaired surrogates, numbers that are finite as a
// double. Its rules are consensus, so it is built on no JSON package. Methods return false at the first
// error, after which the scanner is not to be used.
type jsonScanner struct {
	b     []byte
	i     int
	depth int
}

// space skips white space.
func (s *jsonScanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *jsonScanner) next() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// take reads c, which must follow.
func (s *jsonScanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.i++
	return true
}

// end reports whether nothing but white space follows.
func (s *jsonScanner) end() bool {
	s.space()
	return s.i == len(s.b)
}

// value reads any value.
func (s *jsonScanner) value() bool {
	switch c := s.next(); c {
	case '{':
		return s.object(func([]byte) bool { return s.value() })
	case '[':
		return s.array()
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// object reads an object and calls member for each name in it, which reads the value.
func (s *jsonScanner) object(member func(name []byte) bool) bool {
	if !s.open('{') {
		return false
	}
	if s.next() == '}' {
		return s.shut('}')
	}
	for {
		name, ok := s.text()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if s.next() != ',' {
			return s.shut('}')
		}
		s.i++
	}
}

func (s *jsonScanner) array() bool {
	if !s.open('[') {
		return false
	}
	if s.next() == ']' {
		return s.shut(']')
	}
	for {
		if !s.value() {
			return false
		}
		if s.next() != ',' {
			return s.shut(']')
		}
		s.i++
	}
}

func (s *jsonScanner) open(c byte) bool {
	s.depth++
	return s.depth <= maxJSONDepth && s.take(c)
}

func (s *jsonScanner) shut(c byte) bool {
	s.depth--
	return s.take(c)
}

func (s *jsonScanner) word(w string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return false
	}
	s.i += len(w)
	return true
}

// text reads a string and returns what stands between its quotes.
func (s *jsonScanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], true
		case c == '\\':
			_, n := unescape(s.b[s.i:])
			if n == 0 {
				return nil, false
			}
			s.i += n
		case c < 0x20:
			return nil, false
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false
			}
			s.i += n
		}
	}
	return nil, false
}

// unescape reads an escape sequence, a whole surrogate pair if it is one, and
// returns what it stands for and its length, 0 if there is none.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok || r >= 0xdc00 && r < 0xe000 {
		return 0, 0
	}
	if r < 0xd800 || r >= 0xe000 {
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 0, 0
	}
	low, ok := hex4(b[8:])
	if !ok || low < 0xdc00 || low >= 0xe000 {
		return 0, 0
	}
	return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 12
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// sureDigits is a length in bytes up to which a number without an exponent is finite.
const sureDigits = 300

// number reads a number.
func (s *jsonScanner) number() bool {
	start := s.i
	if s.at('-') {
		s.i++
	}
	if s.at('0') {
		s.i++
	} else if s.digits() == 0 {
		return false
	}
	if s.at('.') {
		s.i++
		if s.digits() == 0 {
			return false
		}
	}
	sure := s.i-start <= sureDigits
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		if s.digits() == 0 {
			return false
		}
		sure = false
	}
	if sure {
		return true
	}
	// The grammar is checked above, so that the only error is infinity.
	_, err := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	return err == nil
}

func (s *jsonScanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *jsonScanner) digits() int {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}

// jsonSpells reports whether text, what stands between the quotes of a string
// that the scanner has read, stands for want.
func jsonSpells[T string | []byte](text []byte, want T) bool {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text) == string(want)
	}
	for len(text) > 0 {
		if text[0] != '\\' {
			if len(want) == 0 || want[0] != text[0] {
				return false
			}
			text, want = text[1:], want[1:]
			continue
		}
		var b [utf8.UTFMax]byte
		r, n := unescape(text)
		width := utf8.EncodeRune(b[:], r)
		if len(want) < width || string(want[:width]) != string(b[:width]) {
			return false
		}
		text, want = text[n:], want[width:]
	}
	return len(want) == 0
}
