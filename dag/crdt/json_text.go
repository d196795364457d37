package crdt

import (
	"unicode/utf8"
)

// A style is how a JSON text is laid out apart from its tokens (docs/merge.md section 4).
type style struct {
	indent string // one level, spaces and tabs; empty: all on one line
	comma  string // after a comma on one line: nothing or a space
	colon  string // after a colon: nothing or a space
	end    string // after the value: nothing or a newline
}

// leaf returns the style as a leaf of the tree.
func (s style) leaf() *node {
	return &node{raw: []byte(s.indent + "|" + s.comma + "|" + s.colon + "|" + s.end)}
}

// styleOf reads what leaf wrote; ok is false for anything else.
func styleOf(raw []byte) (s style, ok bool) {
	field := func(set string, most int) string {
		i := 0
		for i < len(raw) && raw[i] != '|' && containsByte(set, raw[i]) {
			i++
		}
		f := string(raw[:i])
		raw = raw[i:]
		ok = ok && len(f) <= most
		return f
	}
	bar := func() {
		ok = ok && len(raw) > 0 && raw[0] == '|'
		if ok {
			raw = raw[1:]
		}
	}
	ok = true
	s.indent = field(" \t", MaxIndent)
	bar()
	s.comma = field(" ", 1)
	bar()
	s.colon = field(" ", 1)
	bar()
	s.end = field("\n", 1)
	ok = ok && len(raw) == 0 && (s.indent == "" || s.comma == "")
	if !ok {
		return style{}, false
	}
	return s, true
}

func containsByte(s string, c byte) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

// A jsonScanner checks one JSON text (RFC 8259, UTF-8 only) and takes the
// white space out.
type jsonScanner struct {
	in    []byte
	pos   int
	out   []byte // the compact text so far
	style style
	seen  bool // the style of a container's inside is known
	colon bool // the style of a colon is known
	comma bool
}

// scanJSON returns the text without white space and its style. It returns
// false if the text is not JSON, is nested too deeply, or is laid out in
// another way than the style says.
func scanJSON(in []byte) (compact []byte, st style, ok bool) {
	s := jsonScanner{in: in, out: make([]byte, 0, len(in))}
	if len(in) > 0 && in[len(in)-1] == '\n' {
		s.style.end = "\n"
		s.in = in[:len(in)-1]
	}
	if !s.value(0) || s.pos != len(s.in) {
		return nil, style{}, false
	}
	s.guess()
	if len(s.out) == len(s.in) {
		return s.out, s.style, true
	}
	if restyled := s.style.appendTo(make([]byte, 0, len(in)), s.out); string(restyled) != string(in) {
		return nil, style{}, false
	}
	return s.out, s.style, true
}

// guess fills in what the text has no occasion to show.
func (s *jsonScanner) guess() {
	switch {
	case s.style.indent != "":
		if !s.colon {
			s.style.colon = " "
		}
	case !s.colon:
		s.style.colon = s.style.comma
	case !s.comma:
		s.style.comma = s.style.colon
	}
}

// space skips white space and returns it.
func (s *jsonScanner) space() []byte {
	from := s.pos
	for s.pos < len(s.in) {
		switch s.in[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return s.in[from:s.pos]
		}
	}
	return s.in[from:]
}

// next consumes c if it comes next.
func (s *jsonScanner) next(c byte) bool {
	if s.pos < len(s.in) && s.in[s.pos] == c {
		s.pos++
		s.out = append(s.out, c)
		return true
	}
	return false
}

// value reads one value, without white space around it.
func (s *jsonScanner) value(depth int) bool {
	if s.pos >= len(s.in) || depth > MaxDepth {
		return false
	}
	switch c := s.in[s.pos]; c {
	case '{', '[':
		return s.container(c, c+2, depth)
	}
	n := scalarLength(s.in[s.pos:])
	s.out = append(s.out, s.in[s.pos:s.pos+n]...)
	s.pos += n
	return n > 0
}

func (s *jsonScanner) container(open, end byte, depth int) bool {
	s.next(open)
	sp := s.space()
	if s.next(end) {
		return len(sp) == 0
	}
	if !s.seen {
		s.seen = true
		if len(sp) > 1 && sp[0] == '\n' {
			s.style.indent = string(sp[1:])
			if len(s.style.indent) > MaxIndent {
				return false
			}
		}
	}
	for {
		if open == '{' {
			n := stringLength(s.in[s.pos:])
			if n == 0 {
				return false
			}
			s.out = append(s.out, s.in[s.pos:s.pos+n]...)
			s.pos += n
			s.space()
			if !s.next(':') {
				return false
			}
			sp := s.space()
			if !s.colon {
				s.colon = true
				if len(sp) == 1 {
					s.style.colon = " "
				}
			}
		}
		if !s.value(depth + 1) {
			return false
		}
		s.space()
		if s.next(end) {
			return true
		}
		if !s.next(',') {
			return false
		}
		sp := s.space()
		if !s.comma && s.style.indent == "" {
			s.comma = true
			if len(sp) == 1 && sp[0] == ' ' {
				s.style.comma = " "
			}
		}
	}
}

// appendTo appends the compact text in this style. It stops beyond MaxValue,
// with something longer than that.
func (s style) appendTo(b, compact []byte) []byte {
	if s.indent == "" && s.comma == "" && s.colon == "" {
		return append(append(b, compact...), s.end...)
	}
	depth := 0
	line := func() {
		if s.indent != "" {
			b = append(b, '\n')
			for range depth {
				b = append(b, s.indent...)
			}
		}
	}
	for i := 0; i < len(compact) && len(b) <= MaxValue; {
		switch c := compact[i]; c {
		case '"':
			n := stringLength(compact[i:])
			b = append(b, compact[i:i+n]...)
			i += n
			continue
		case '{', '[':
			b = append(b, c)
			if compact[i+1] == c+2 {
				b = append(b, c+2)
				i++
				break
			}
			depth++
			line()
		case '}', ']':
			depth--
			line()
			b = append(b, c)
		case ',':
			b = append(append(b, c), s.comma...)
			line()
		case ':':
			b = append(append(b, c), s.colon...)
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, s.end...)
}

// scalarLength returns the length of the string, number or literal that b
// begins with, 0 if there is none.
func scalarLength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch c := b[0]; {
	case c == '"':
		return stringLength(b)
	case c == '-' || c >= '0' && c <= '9':
		return numberLength(b)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return len(word)
		}
	}
	return 0
}

// numberLength returns the length of the number that b begins with, 0 if there is none.
func numberLength(b []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// stringLength returns the length, quotes included, of the string that b
// begins with, 0 if there is none.
func stringLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i+1 >= len(b) {
				return 0
			}
			if b[i+1] == 'u' {
				if _, ok := hex4(b[i+2:]); !ok {
					return 0
				}
				i += 6
			} else if containsByte(`"\/bfnrt`, b[i+1]) {
				i += 2
			} else {
				return 0
			}
		case c < ' ':
			return 0
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return 0
			}
			i += n
		}
	}
	return 0
}

func hex4(b []byte) (v rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

// unquote returns what a checked string, without its quotes, says. It is false
// for half a surrogate pair, which says nothing.
func unquote(b []byte) (s []byte, ok bool) {
	plain := 0
	for plain < len(b) && b[plain] != '\\' {
		plain++
	}
	if plain == len(b) {
		return b, true
	}
	s = append(make([]byte, 0, len(b)), b[:plain]...)
	for i := plain; i < len(b); {
		if b[i] != '\\' {
			s = append(s, b[i])
			i++
			continue
		}
		c := b[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(b[i:])
			i += 4
			if r >= 0xd800 && r < 0xe000 {
				if r >= 0xdc00 || len(b) < i+6 || b[i] != '\\' || b[i+1] != 'u' {
					return nil, false
				}
				low, _ := hex4(b[i+2:])
				if low < 0xdc00 || low >= 0xe000 {
					return nil, false
				}
				r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
				i += 6
			}
			s = utf8.AppendRune(s, r)
			continue
		}
		s = append(s, c)
	}
	return s, true
}
