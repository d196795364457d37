package dagcbor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var testHash = [HashSize]byte{0: 0xaa, 31: 0xbb}

const testHashHex = "aa 000000000000000000000000000000000000000000000000000000000000 bb"

// The integers are those of RFC 8949, appendix A, as far as the subset goes.
var golden = []struct {
	name   string
	append func(b []byte) []byte
	hex    string
}{
	{"0", uintOf(0), "00"},
	{"1", uintOf(1), "01"},
	{"10", uintOf(10), "0a"},
	{"23", uintOf(23), "17"},
	{"24", uintOf(24), "1818"},
	{"100", uintOf(100), "1864"},
	{"255", uintOf(255), "18ff"},
	{"256", uintOf(256), "190100"},
	{"1000", uintOf(1000), "1903e8"},
	{"65535", uintOf(65535), "19ffff"},
	{"65536", uintOf(65536), "1a00010000"},
	{"1000000", uintOf(1000000), "1a000f4240"},
	{"2^32-1", uintOf(math.MaxUint32), "1affffffff"},
	{"2^32", uintOf(1 << 32), "1b0000000100000000"},
	{"1000000000000", uintOf(1000000000000), "1b000000e8d4a51000"},
	{"2^63-1", uintOf(MaxUint), "1b7fffffffffffffff"},
	{"no bytes", func(b []byte) []byte { return AppendBytes(b, nil) }, "40"},
	{"four bytes", func(b []byte) []byte { return AppendBytes(b, []byte{1, 2, 3, 4}) }, "4401020304"},
	{"24 bytes", func(b []byte) []byte { return AppendBytes(b, make([]byte, 24)) }, "5818" + strings.Repeat("00", 24)},
	{"no text", func(b []byte) []byte { return AppendText(b, "") }, "60"},
	{"IETF", func(b []byte) []byte { return AppendText(b, "IETF") }, "6449455446"},
	{"ü", func(b []byte) []byte { return AppendText(b, "\u00fc") }, "62c3bc"},
	{"水", func(b []byte) []byte { return AppendText(b, "\u6c34") }, "63e6b0b4"},
	{"no items", func(b []byte) []byte { return AppendArray(b, 0) }, "80"},
	{"[1, 2, 3]", func(b []byte) []byte {
		return AppendUint(AppendUint(AppendUint(AppendArray(b, 3), 1), 2), 3)
	}, "83010203"},
	{"false", func(b []byte) []byte { return AppendBool(b, false) }, "f4"},
	{"true", func(b []byte) []byte { return AppendBool(b, true) }, "f5"},
	{"null", AppendNull, "f6"},
	{"link", func(b []byte) []byte { return AppendLink(b, testHash) }, "d82a 5825 00 0171 1220" + testHashHex},
}

func uintOf(v uint64) func([]byte) []byte {
	return func(b []byte) []byte { return AppendUint(b, v) }
}

func TestGolden(t *testing.T) {
	for _, v := range golden {
		want := unhex(t, v.hex)
		if got := v.append(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: encoded %x, want %x", v.name, got, want)
		}
		if got, err := transcode(want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: transcode(%x) = %x, %v", v.name, want, got, err)
		}
	}
}

// TestRefusals holds one fault for each way to depart from the one encoding.
func TestRefusals(t *testing.T) {
	read := func(in string, f func(d *Decoder)) error {
		d := NewDecoder(unhex(t, in))
		f(d)
		return d.Finish()
	}
	fixed := func(d *Decoder) { var b [4]byte; d.Fixed(b[:]) }
	link := func(d *Decoder) { d.Link() }
	for _, v := range []struct {
		name string
		in   string
		read func(d *Decoder)
		want error
	}{
		{"nothing", "", func(d *Decoder) { d.Uint() }, ErrTruncated},
		{"number in two bytes for one", "1817", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"number in three bytes for two", "1900ff", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"number in five bytes for three", "1a0000ffff", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"number in nine bytes for five", "1b00000000ffffffff", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"number of 2^63", "1b8000000000000000", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"number cut short", "1b80000000", func(d *Decoder) { d.Uint() }, ErrTruncated},
		{"negative number", "20", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"reserved length of number", "1c", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"indefinite number", "1f", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"indefinite bytes", "5f4101ff", func(d *Decoder) { d.Bytes(9) }, ErrMalformed},
		{"indefinite text", "7f6161ff", func(d *Decoder) { d.Text(9) }, ErrMalformed},
		{"indefinite array", "9f01ff", func(d *Decoder) { d.Array(9) }, ErrMalformed},
		{"map", "a0", func(d *Decoder) { d.Array(9) }, ErrMalformed},
		{"float", "f93c00", func(d *Decoder) { d.Uint() }, ErrMalformed},
		{"undefined", "f7", func(d *Decoder) {
			if !d.Null() {
				d.Bool()
			}
		}, ErrMalformed},
		{"boolean in two bytes", "f815", func(d *Decoder) { d.Bool() }, ErrMalformed},
		{"number for boolean", "01", func(d *Decoder) { d.Bool() }, ErrMalformed},
		{"text for bytes", "6161", func(d *Decoder) { d.Bytes(9) }, ErrMalformed},
		{"bytes for text", "4161", func(d *Decoder) { d.Text(9) }, ErrMalformed},
		{"bytes above the bound", "43010203", func(d *Decoder) { d.Bytes(2) }, ErrTooLong},
		{"bytes cut short", "430102", func(d *Decoder) { d.Bytes(9) }, ErrTruncated},
		{"bytes of 2^63-1", "5b7fffffffffffffff", func(d *Decoder) { d.Bytes(math.MaxInt) }, ErrTruncated},
		{"text above the bound", "63616263", func(d *Decoder) { d.Text(2) }, ErrTooLong},
		{"text that is not UTF-8", "61ff", func(d *Decoder) { d.Text(9) }, ErrMalformed},
		{"text with a surrogate", "63eda080", func(d *Decoder) { d.Text(9) }, ErrMalformed},
		{"fixed too short", "43010203", fixed, ErrMalformed},
		{"fixed too long", "450102030405", fixed, ErrTooLong},
		{"array above the bound", "83010203", func(d *Decoder) { d.Array(2) }, ErrTooLong},
		{"array longer than the input", "9a00ffffff01", func(d *Decoder) { d.Array(math.MaxInt) }, ErrTruncated},
		{"tuple with an item missing", "8101", func(d *Decoder) { d.Tuple(2); d.Uint(); d.Uint() }, ErrMalformed},
		{"tuple with an item more", "83010203", func(d *Decoder) { d.Tuple(2); d.Uint(); d.Uint() }, ErrMalformed},
		{"bytes left", "0100", func(d *Decoder) { d.Uint() }, ErrTrailing},
		{"link without a tag", "5825 00 0171 1220" + testHashHex, link, ErrMalformed},
		{"link with another tag", "d82b 5825 00 0171 1220" + testHashHex, link, ErrMalformed},
		{"link with a long tag", "d9002a 5825 00 0171 1220" + testHashHex, link, ErrMalformed},
		{"link without multibase", "d82a 5824 0171 1220" + testHashHex, link, ErrMalformed},
		{"link of CIDv0", "d82a 5823 00 1220" + testHashHex, link, ErrMalformed},
		{"link with codec raw", "d82a 5825 00 0155 1220" + testHashHex, link, ErrMalformed},
		{"link with hash sha3", "d82a 5825 00 0171 1620" + testHashHex, link, ErrMalformed},
		{"link with a short hash", "d82a 5825 00 0171 121f" + testHashHex, link, ErrMalformed},
		{"link with a long length", "d82a 590025 00 0171 1220" + testHashHex, link, ErrMalformed},
		{"link cut in the prefix", "d82a 5825 00", link, ErrTruncated},
		{"link cut in the hash", "d82a 5825 00 0171 1220 aa", link, ErrTruncated},
	} {
		if err := read(v.in, v.read); !errors.Is(err, v.want) {
			t.Errorf("%s: error %v, want %v", v.name, err, v.want)
		}
	}
}

// TestErrorSticks: after an error nothing is read, and values are zero.
func TestErrorSticks(t *testing.T) {
	d := NewDecoder(unhex(t, "1817 18ff f5 4101"))
	d.Uint()
	first := d.Err()
	if !errors.Is(first, ErrMalformed) {
		t.Fatalf("Err() = %v, want %v", first, ErrMalformed)
	}
	b := [2]byte{7, 7}
	d.Fixed(b[:])
	d.Tuple(1)
	d.Fail(errors.New("later"))
	if v, n, s, x, h := d.Uint(), d.Array(9), d.Bytes(9), d.Text(9), d.Link(); v != 0 || n != 0 || s != nil || x != "" || h != [HashSize]byte{} {
		t.Errorf("reads after an error = %d, %d, %x, %q, %x; want zero values", v, n, s, x, h)
	}
	if d.Bool() || d.Null() || d.IsBytes() || b != [2]byte{7, 7} || d.Offset() != 0 {
		t.Errorf("a read after an error had an effect")
	}
	if err := d.Finish(); err != first {
		t.Errorf("Finish() = %v, want the first error %v", err, first)
	}
}

func TestFail(t *testing.T) {
	own := errors.New("out of bounds")
	d := NewDecoder([]byte{5})
	d.Uint()
	d.Fail(nil)
	if d.Err() != nil {
		t.Errorf("Fail(nil) made %v stick", d.Err())
	}
	d.Fail(own)
	if err := d.Finish(); !errors.Is(err, own) {
		t.Errorf("Finish() = %v, want %v", err, own)
	}
}

// TestAliasing: a byte string is a part of the input that cannot grow over its neighbour.
func TestAliasing(t *testing.T) {
	in := unhex(t, "41aa 41bb")
	d := NewDecoder(in)
	s := d.Bytes(1)
	_ = append(s, 0)
	if got := d.Bytes(1); !bytes.Equal(got, []byte{0xbb}) {
		t.Errorf("Bytes = %x after an append to the one before, want bb", got)
	}
	if &s[0] != &in[1] {
		t.Errorf("Bytes copied the input")
	}
}

func TestUintRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Max(MaxUint).Draw(t, "v")
		d := NewDecoder(AppendUint(nil, v))
		if got := d.Uint(); got != v || d.Finish() != nil {
			t.Fatalf("Uint() = %d, %v; want %d", got, d.Err(), v)
		}
	})
}

// transcode decodes one value of any type, with all that it holds, and encodes
// it again.
func transcode(in []byte) ([]byte, error) {
	d := NewDecoder(in)
	out, err := transcodeValue(nil, d, in, 0)
	if err != nil {
		return nil, err
	}
	return out, d.Finish()
}

func transcodeValue(out []byte, d *Decoder, in []byte, depth int) ([]byte, error) {
	if d.Err() != nil || d.Offset() == len(in) || depth > 64 {
		d.Fail(ErrTruncated)
		return nil, d.Err()
	}
	switch in[d.Offset()] >> 5 {
	case majorUint >> 5:
		out = AppendUint(out, d.Uint())
	case majorBytes >> 5:
		out = AppendBytes(out, d.Bytes(len(in)))
	case majorText >> 5:
		out = AppendText(out, d.Text(len(in)))
	case majorArray >> 5:
		n := d.Array(len(in))
		out = AppendArray(out, n)
		for range n {
			var err error
			if out, err = transcodeValue(out, d, in, depth+1); err != nil {
				return nil, err
			}
		}
	case majorTag >> 5:
		out = AppendLink(out, d.Link())
	default:
		if d.Null() {
			out = AppendNull(out)
		} else {
			out = AppendBool(out, d.Bool())
		}
	}
	return out, d.Err()
}

// FuzzDecode: whatever is accepted encodes to the same bytes, and nothing panics.
func FuzzDecode(f *testing.F) {
	for _, v := range golden {
		f.Add(unhex(f, v.hex))
	}
	f.Add(unhex(f, "8501 4101 6161 f6 81 d82a5825000171 1220"+testHashHex))
	f.Add(unhex(f, "9b7fffffffffffffff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := transcode(in)
		if err == nil && !bytes.Equal(in, out) {
			t.Errorf("decoded %x, encoded %x", in, out)
		}
	})
}

func BenchmarkDecodeLink(b *testing.B) {
	in := AppendLink(nil, testHash)
	b.ReportAllocs()
	for b.Loop() {
		NewDecoder(in).Link()
	}
}
