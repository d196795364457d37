package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// frameHead is the length of a frame's head: its payload's length, big endian.
const frameHead = 4

// shortFrame marks, in the head, a payload that is compressed: its own length in four
// bytes and what compress/flate makes of it.
const shortFrame = 1 << 31

// readChunk is how much memory a frame takes before its first bytes have
// arrived: a peer that only announces a large frame makes us hold no more.
const readChunk = 64 << 10

// framer reads and writes length-prefixed frames on one stream. Each frame
// must make progress within a deadline: stall for every chunk. Use one side
// (reading, writing) from one goroutine each.
type framer struct {
	s     network.Stream
	limit int                    // of a frame read, in bytes
	stall time.Duration          // for every chunk read or written
	short bool                   // frames may be compressed
	turn  func() (*piece, error) // waits until one may be, or the contrary; nil: at once
	in    int64                  // bytes read so far
	small int64                  // reads that brought only a few bytes
	out   int64                  // bytes written so far
}

func newFramer(s network.Stream, limit int, stall time.Duration) *framer {
	return &framer{s: s, limit: limit, stall: stall}
}

// read returns the next frame's payload. Errors: io.EOF at the end of the
// stream between frames, ErrFrameTooLong, ErrStalled, ErrMalformed for one that is not
// what was compressed, or the stream's error.
func (f *framer) read() ([]byte, error) {
	var head [frameHead]byte
	if err := f.fill(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if f.short && n&shortFrame != 0 {
		return f.readShort(n &^ shortFrame)
	}
	return f.payload(n)
}

// readShort reads a compressed payload of n bytes.
func (f *framer) readShort(n uint32) ([]byte, error) {
	p, err := f.payload(n)
	if err != nil {
		return nil, err
	}
	if len(p) < frameHead {
		return nil, fmt.Errorf("%w: a compressed frame of %d bytes", ErrMalformed, len(p))
	}
	length := binary.BigEndian.Uint32(p)
	if uint64(length) > uint64(f.limit) {
		return nil, fmt.Errorf("%w: %d bytes compressed, at most %d", ErrFrameTooLong, length, f.limit)
	}
	work, err := f.begin()
	if err != nil {
		return nil, err
	}
	defer work.end(0)
	return inflate(p[frameHead:], int(length), work)
}

// payload reads a payload of size bytes.
func (f *framer) payload(size uint32) ([]byte, error) {
	if uint64(size) > uint64(f.limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLong, size, f.limit)
	}
	n := int(size)
	p := make([]byte, 0, min(n, readChunk))
	for len(p) < n {
		start := len(p)
		step := min(n-start, readChunk)
		p = append(p, make([]byte, step)...)
		if err := f.fill(p[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return p, nil
}

func (f *framer) fill(p []byte) error {
	if err := f.s.SetReadDeadline(time.Now().Add(f.stall)); err != nil {
		return err
	}
	for n := 0; n < len(p); {
		m, err := f.s.Read(p[n:])
		f.in += int64(m)
		if n += m; n == len(p) {
			break
		}
		switch {
		case err == nil:
		case n > 0 && errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return stalled(err)
		}
		if m < smallRead {
			if f.small++; f.small > smallReads+f.in/smallReadPer {
				return fmt.Errorf("%w: a few bytes at a time", ErrStalled)
			}
		}
	}
	return nil
}

// write sends p as one frame. Errors: ErrStalled, or the stream's error.
func (f *framer) write(p []byte) error {
	var work *piece
	if f.short && len(p) >= minDeflate {
		var err error
		if work, err = f.begin(); err != nil {
			return err
		}
	}
	b := f.frame(p, work)
	work.end(0)
	for len(b) > 0 {
		step := min(len(b), readChunk)
		if err := f.s.SetWriteDeadline(time.Now().Add(f.stall)); err != nil {
			return err
		}
		n, err := f.s.Write(b[:step])
		f.out += int64(n)
		if err != nil {
			return stalled(err)
		}
		b = b[step:]
	}
	return nil
}

// frame returns p with its head, which is some work.
func (f *framer) frame(p []byte, work *piece) []byte {
	if f.short {
		head := make([]byte, frameHead, 2*frameHead+len(p))
		if b := deflate(binary.BigEndian.AppendUint32(head, uint32(len(p))), p, work); b != nil {
			binary.BigEndian.PutUint32(b, uint32(len(b)-frameHead)|shortFrame)
			return b
		}
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, frameHead+len(p)), uint32(len(p)))
	return append(b, p...)
}

// begin waits for the turn of some work of a session.
func (f *framer) begin() (*piece, error) {
	if f.turn == nil {
		return nil, nil
	}
	return f.turn()
}

// stalled names a deadline's error ErrStalled.
func stalled(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %v", ErrStalled, err)
	}
	return err
}
