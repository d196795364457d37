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

// readChunk is how much memory a frame takes before its first bytes have
// arrived: a peer that only announces a large frame makes us hold no more.
const readChunk = 64 << 10

// framer reads and writes length-prefixed frames on one stream. Each frame
// must make progress within a deadline: stall for every chunk. Use one side
// (reading, writing) from one goroutine each.
type framer struct {
	s     network.Stream
	limit int           // of a frame read, in bytes
	stall time.Duration // for every chunk read or written
	in    int64         // bytes read so far
	out   int64         // bytes written so far
}

func newFramer(s network.Stream, limit int, stall time.Duration) *framer {
	return &framer{s: s, limit: limit, stall: stall}
}

// read returns the next frame's payload. Errors: io.EOF at the end of the
// stream between frames, ErrFrameTooLong, ErrStalled, or the stream's error.
func (f *framer) read() ([]byte, error) {
	var head [frameHead]byte
	if err := f.fill(head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > f.limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLong, n, f.limit)
	}
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
	n, err := io.ReadFull(f.s, p)
	f.in += int64(n)
	return stalled(err)
}

// write sends p as one frame. Errors: ErrStalled, or the stream's error.
func (f *framer) write(p []byte) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, frameHead+len(p)), uint32(len(p)))
	b = append(b, p...)
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

// stalled names a deadline's error ErrStalled.
func stalled(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %v", ErrStalled, err)
	}
	return err
}
