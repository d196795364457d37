// Package car writes and reads files of operations: CARv1, as IPLD tools have it
// (docs/export.md). A file holds blocks and bodies and proves nothing by itself:
// what is read is to be decoded, verified and added to a graph as what any peer sends.
package car

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// MaxRoots bounds the roots of a file: more heads than any mesh has at rest, in a
// header below 3 MiB.
const MaxRoots = 1 << 16

// ErrFormat says that a file is not of the form of docs/export.md.
var ErrFormat = errors.New("dag/car: not a file of operations")

// The prefixes of the two kinds of CID, each followed by a sha2-256 hash of 32 bytes.
var (
	opCID   = []byte{1, 0x71, 0x12, 32} // CIDv1, dag-cbor
	bodyCID = []byte{1, 0x55, 0x12, 32} // CIDv1, raw
)

const (
	cidLen = 4 + 32
	// maxSection bounds a section, in bytes: a CID and the largest body.
	maxSection = cidLen + dag.MaxBody
	// maxHeader bounds the header, in bytes: a link takes 41.
	maxHeader = 64 + 41*MaxRoots
)

// The header's map as it is always encoded: its first key, with the list of roots
// behind it, and its second.
const (
	headRoots   = "\xa2\x65roots"
	headVersion = "version"
	version     = 1
)

// A Writer writes a file. Its caller gives the operations in the order of docs/export.md.
type Writer struct{ w *bufio.Writer }

// NewWriter writes the header, with the heads of what is to follow, ascending.
// It returns ErrFormat for more than MaxRoots, and w's errors.
func NewWriter(w io.Writer, heads []dag.ID) (*Writer, error) {
	if len(heads) > MaxRoots {
		return nil, fmt.Errorf("%w: %d roots", ErrFormat, len(heads))
	}
	b := dagcbor.AppendArray([]byte(headRoots), len(heads))
	for _, id := range heads {
		b = dagcbor.AppendLink(b, id)
	}
	b = dagcbor.AppendText(b, headVersion)
	b = dagcbor.AppendUint(b, version)
	c := &Writer{bufio.NewWriterSize(w, 1<<16)}
	return c, c.section(b)
}

// Op writes an operation, of which body is empty if it has none.
func (c *Writer) Op(block, body []byte) error {
	if err := c.block(opCID, block); err != nil || len(body) == 0 {
		return err
	}
	return c.block(bodyCID, body)
}

// Flush writes what is buffered. The caller calls it at the end.
func (c *Writer) Flush() error { return c.w.Flush() }

func (c *Writer) block(prefix, data []byte) error {
	hash := sha256.Sum256(data)
	return c.section(prefix, hash[:], data)
}

func (c *Writer) section(parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := binary.AppendUvarint(nil, uint64(n))
	for _, p := range append([][]byte{b}, parts...) {
		if _, err := c.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// A Reader reads a file. After an error it must not be used.
type Reader struct {
	r     *bufio.Reader
	heads []dag.ID
	ahead []byte // a section that was read and not asked for yet; nil if there is none
}

// NewReader reads the header. Errors: ErrFormat, those of r.
func NewReader(r io.Reader) (*Reader, error) {
	c := &Reader{r: bufio.NewReaderSize(r, 1<<16)}
	b, err := c.section(maxHeader)
	if err == io.EOF {
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(b, []byte(headRoots))
	d := dagcbor.NewDecoder(rest)
	c.heads = make([]dag.ID, d.Array(MaxRoots))
	for i := range c.heads {
		c.heads[i] = d.Link()
		ok = ok && (i == 0 || c.heads[i-1].Compare(c.heads[i]) < 0)
	}
	key, v := d.Text(len(headVersion)), d.Uint()
	if err := d.Finish(); err != nil || !ok || key != headVersion || v != version {
		return nil, fmt.Errorf("%w: the header is another one", ErrFormat)
	}
	return c, nil
}

// Heads returns the roots of the header: what the file says its heads are. The
// slice is the caller's to read.
func (c *Reader) Heads() []dag.ID { return c.heads }

// Next returns the next operation's block and body, empty if it has none; the
// slices are the caller's. At the end it returns io.EOF. Errors: ErrFormat, those of
// the file.
func (c *Reader) Next() (block, body []byte, err error) {
	s, err := c.take()
	if err != nil {
		return nil, nil, err
	}
	if block, err = data(s, opCID); err != nil {
		return nil, nil, err
	}
	s, err = c.take()
	switch {
	case err == io.EOF:
		return block, nil, nil
	case err != nil:
		return nil, nil, err
	case bytes.HasPrefix(s, opCID): // of the next one
		c.ahead = s
		return block, nil, nil
	}
	body, err = data(s, bodyCID)
	return block, body, err
}

// take returns the next section.
func (c *Reader) take() ([]byte, error) {
	if s := c.ahead; s != nil {
		c.ahead = nil
		return s, nil
	}
	return c.section(maxSection)
}

// section reads a section of at most limit bytes.
func (c *Reader) section(limit uint64) ([]byte, error) {
	n, size := uint64(0), 0
	for {
		b, err := c.r.ReadByte()
		if err == io.EOF && size > 0 {
			err = fmt.Errorf("%w: it ends within a length", ErrFormat)
		}
		if err != nil {
			return nil, err
		}
		n |= uint64(b&0x7f) << (7 * size)
		size++
		if b < 0x80 {
			if b == 0 { // also an empty section
				return nil, fmt.Errorf("%w: a length that is not the shortest, or of nothing", ErrFormat)
			}
			break
		}
		if size == 4 { // 2^28 is beyond every limit
			return nil, fmt.Errorf("%w: a length out of bounds", ErrFormat)
		}
	}
	if n > limit {
		return nil, fmt.Errorf("%w: a section of %d bytes", ErrFormat, n)
	}
	// Read before it is allocated in full: the file may be shorter than it says.
	var buf bytes.Buffer
	_, err := io.CopyN(&buf, c.r, int64(n))
	if err == io.EOF {
		return nil, fmt.Errorf("%w: it ends within a section", ErrFormat)
	}
	return buf.Bytes(), err
}

// data returns what a section with that kind of CID holds.
func data(section, prefix []byte) ([]byte, error) {
	if len(section) <= cidLen || !bytes.HasPrefix(section, prefix) {
		return nil, fmt.Errorf("%w: a CID of another kind, or in another place", ErrFormat)
	}
	content := section[cidLen:]
	if hash := sha256.Sum256(content); !bytes.Equal(hash[:], section[len(prefix):cidLen]) {
		return nil, fmt.Errorf("%w: data of another hash", ErrFormat)
	}
	return content, nil
}
