// Package dagcbor encodes and decodes the deterministic subset of DAG-CBOR
// that Causeway hashes and signs: unsigned integers, byte strings, text
// strings, arrays, booleans, null and CID links (docs/op.md, section 1).
//
// There is exactly one encoding of every value. The [Decoder] refuses any
// other, so that for every accepted input, encoding what was decoded gives the
// same bytes. It never allocates more than the input holds and never panics.
//
// The package is pure: bytes in, bytes out.
package dagcbor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// HashSize is the length in bytes of the sha2-256 digest in a link.
const HashSize = 32

// MaxUint is the greatest integer the subset admits, 2^63 - 1, so that every
// value also fits a signed integer.
const MaxUint = 1<<63 - 1

// Errors returned by [Decoder.Err] and [Decoder.Finish], wrapped with the
// offset at which decoding stopped.
var (
	ErrTruncated = errors.New("dagcbor: input ends within a value")
	ErrMalformed = errors.New("dagcbor: not the one encoding of the expected value")
	ErrTooLong   = errors.New("dagcbor: longer than its bound")
	ErrTrailing  = errors.New("dagcbor: bytes after the value")
)

// CBOR major types (RFC 8949 section 3.1), in the high three bits.
const (
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorTag   = 6 << 5

	simpleFalse = 0xf4
	simpleTrue  = 0xf5
	simpleNull  = 0xf6
)

// linkPrefix is what precedes the digest in an encoded link: tag 42, a byte
// string of 37 bytes, the identity multibase, CIDv1, dag-cbor, sha2-256, 32.
var linkPrefix = [...]byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20}

func appendHead(b []byte, major byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v < 1<<8:
		return append(b, major|24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), v)
	}
}

// AppendUint appends v, which must not exceed [MaxUint].
func AppendUint(b []byte, v uint64) []byte { return appendHead(b, majorUint, v) }

// AppendBytes appends the byte string s.
func AppendBytes(b, s []byte) []byte { return append(appendHead(b, majorBytes, uint64(len(s))), s...) }

// AppendText appends the text string s, which must be valid UTF-8.
func AppendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

// AppendArray appends the head of an array of n items; the items follow.
func AppendArray(b []byte, n int) []byte { return appendHead(b, majorArray, uint64(n)) }

// AppendBool appends v.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, simpleTrue)
	}
	return append(b, simpleFalse)
}

// AppendNull appends null.
func AppendNull(b []byte) []byte { return append(b, simpleNull) }

// AppendLink appends the link (tag 42) of the dag-cbor block with that sha2-256 hash.
func AppendLink(b []byte, hash [HashSize]byte) []byte {
	return append(append(b, linkPrefix[:]...), hash[:]...)
}

// A Decoder reads values from a byte slice in order. The first error sticks:
// every later read returns a zero value, so that a caller may read a whole
// structure and check [Decoder.Finish] once. Byte strings are returned as
// sub-slices of the input, not copies. Use it from one goroutine.
type Decoder struct {
	in  []byte
	pos int
	err error
}

// NewDecoder returns a decoder of in, which must not change while values of it are used.
func NewDecoder(in []byte) *Decoder { return &Decoder{in: in} }

// Err returns the first error.
func (d *Decoder) Err() error { return d.err }

// Offset returns how many bytes have been read.
func (d *Decoder) Offset() int { return d.pos }

// Finish returns the first error, or [ErrTrailing] if input is left.
func (d *Decoder) Finish() error {
	if d.err == nil && d.pos != len(d.in) {
		d.fail(ErrTrailing)
	}
	return d.err
}

// Fail makes err stick, for a caller that finds a decoded value out of its bounds.
func (d *Decoder) Fail(err error) {
	if err != nil {
		d.fail(err)
	}
}

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("at byte %d: %w", d.pos, err)
	}
}

func (d *Decoder) head(major byte) uint64 {
	if d.err != nil {
		return 0
	}
	rest := d.in[d.pos:]
	if len(rest) == 0 {
		d.fail(ErrTruncated)
		return 0
	}
	if rest[0]&0xe0 != major {
		d.fail(ErrMalformed)
		return 0
	}
	info := rest[0] & 0x1f
	if info < 24 {
		d.pos++
		return uint64(info)
	}
	if info > 27 {
		d.fail(ErrMalformed)
		return 0
	}
	n := 1 << (info - 24)
	if len(rest) < 1+n {
		d.fail(ErrTruncated)
		return 0
	}
	var v, least uint64
	switch n {
	case 1:
		v, least = uint64(rest[1]), 24
	case 2:
		v, least = uint64(binary.BigEndian.Uint16(rest[1:])), 1<<8
	case 4:
		v, least = uint64(binary.BigEndian.Uint32(rest[1:])), 1<<16
	case 8:
		v, least = binary.BigEndian.Uint64(rest[1:]), 1<<32
	}
	if v < least || v > MaxUint {
		d.fail(ErrMalformed)
		return 0
	}
	d.pos += 1 + n
	return v
}

// Uint reads an unsigned integer.
func (d *Decoder) Uint() uint64 { return d.head(majorUint) }

// Array reads the head of an array of at most limit items and returns their
// number. An array cannot claim more items than there are bytes left.
func (d *Decoder) Array(limit int) int {
	n := d.head(majorArray)
	if d.err == nil && n > uint64(limit) {
		d.fail(ErrTooLong)
	}
	if d.err == nil && n > uint64(len(d.in)-d.pos) {
		d.fail(ErrTruncated)
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// Tuple reads the head of an array that must have exactly n items.
func (d *Decoder) Tuple(n int) {
	if got := d.head(majorArray); d.err == nil && got != uint64(n) {
		d.fail(ErrMalformed)
	}
}

// Bytes reads a byte string of at most limit bytes; the result aliases the input.
func (d *Decoder) Bytes(limit int) []byte { return d.str(majorBytes, limit) }

// Fixed reads a byte string that must be exactly as long as dst.
func (d *Decoder) Fixed(dst []byte) {
	s := d.str(majorBytes, len(dst))
	if d.err == nil && len(s) != len(dst) {
		d.fail(ErrMalformed)
	}
	if d.err == nil {
		copy(dst, s)
	}
}

// Text reads a text string of at most limit bytes.
func (d *Decoder) Text(limit int) string {
	s := d.str(majorText, limit)
	if d.err == nil && !utf8.Valid(s) {
		d.fail(ErrMalformed)
	}
	if d.err != nil {
		return ""
	}
	return string(s)
}

func (d *Decoder) str(major byte, limit int) []byte {
	n := d.head(major)
	if d.err == nil && n > uint64(limit) {
		d.fail(ErrTooLong)
	}
	if d.err == nil && n > uint64(len(d.in)-d.pos) {
		d.fail(ErrTruncated)
	}
	if d.err != nil {
		return nil
	}
	s := d.in[d.pos : d.pos+int(n) : d.pos+int(n)]
	d.pos += int(n)
	return s
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	switch d.peek() {
	case simpleTrue:
		d.pos++
		return true
	case simpleFalse:
		d.pos++
		return false
	}
	if d.err == nil {
		d.fail(ErrMalformed)
	}
	return false
}

// Null reads a null if there is one and reports whether it did; otherwise it reads nothing.
func (d *Decoder) Null() bool {
	if d.peek() != simpleNull || d.err != nil {
		return false
	}
	d.pos++
	return true
}

// Link reads a link and returns its sha2-256 hash.
func (d *Decoder) Link() (hash [HashSize]byte) {
	if d.err != nil {
		return hash
	}
	rest := d.in[d.pos:]
	for i, c := range linkPrefix {
		if i >= len(rest) {
			d.fail(ErrTruncated)
			return hash
		}
		if rest[i] != c {
			d.fail(ErrMalformed)
			return hash
		}
	}
	if len(rest) < len(linkPrefix)+HashSize {
		d.fail(ErrTruncated)
		return hash
	}
	copy(hash[:], rest[len(linkPrefix):])
	d.pos += len(linkPrefix) + HashSize
	return hash
}

// IsBytes reports whether the next value is a byte string; it reads nothing.
func (d *Decoder) IsBytes() bool { c := d.peek(); return d.err == nil && c&0xe0 == majorBytes }

// peek returns the next byte, or 0 (which begins no boolean or null) after an error or at the end.
func (d *Decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	if d.pos >= len(d.in) {
		d.fail(ErrTruncated)
		return 0
	}
	return d.in[d.pos]
}
