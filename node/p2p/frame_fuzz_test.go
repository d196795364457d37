package p2p

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// bytesStream is a stream that holds what a peer has sent.
type bytesStream struct {
	network.Stream
	io.Reader
}

func (s bytesStream) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (bytesStream) SetReadDeadline(time.Time) error    { return nil }
func (bytesStream) Write([]byte) (int, error)          { return 0, io.ErrClosedPipe }
func (bytesStream) SetWriteDeadline(t time.Time) error { return nil }

// FuzzFrame reads frames from bytes that a peer may send, and compares them with
// what docs/p2p.md, section 2, says.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02hi\x00\x00\x00\x00\x00\x00\x00\x05hello"), uint16(16), false)
	f.Add([]byte("\xff\xff\xff\xffx"), uint16(16), true)
	f.Add([]byte("\x00\x00\x00\x09cut"), uint16(16), true)
	f.Fuzz(func(t *testing.T, sent []byte, limit uint16, slowly bool) {
		var r io.Reader = bytes.NewReader(sent)
		if slowly {
			r = iotest.OneByteReader(r)
		}
		frames := newFramer(bytesStream{Reader: r}, int(limit), time.Second)
		frames.small = -int64(len(sent)) // TestTrickle is about that
		for rest := sent; ; {
			got, err := frames.read()
			switch n := frameLength(rest); {
			case len(rest) == 0:
				if !errors.Is(err, io.EOF) {
					t.Fatalf("read at the end = %x, %v, want EOF", got, err)
				}
				return
			case n < 0: // cut within the head
				if err == nil {
					t.Fatalf("read of half a head = %x, want an error", got)
				}
				return
			case n > int(limit):
				if !errors.Is(err, ErrFrameTooLong) {
					t.Fatalf("read of %d bytes = %v, want ErrFrameTooLong", n, err)
				}
				return
			case n > len(rest)-frameHead:
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("read of a frame that is cut = %x, %v, want ErrUnexpectedEOF", got, err)
				}
				return
			default:
				if err != nil || !bytes.Equal(got, rest[frameHead:frameHead+n]) {
					t.Fatalf("read = %x, %v, want %x", got, err, rest[frameHead:frameHead+n])
				}
				rest = rest[frameHead+n:]
			}
		}
	})
}

// frameLength returns what a frame's head says, -1 if it is not whole.
func frameLength(b []byte) int {
	if len(b) < frameHead {
		return -1
	}
	return int(binary.BigEndian.Uint32(b))
}

// FuzzShortFrame reads frames that may be compressed: what is read is within the bounds,
// and what a node writes is read as it was.
func FuzzShortFrame(f *testing.F) {
	for _, p := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("compressed "), 30), make([]byte, 5000)} {
		f.Add((&framer{short: true}).frame(p, nil), uint16(8192))
	}
	f.Fuzz(func(t *testing.T, sent []byte, limit uint16) {
		frames := newFramer(bytesStream{Reader: bytes.NewReader(sent)}, int(limit), time.Second)
		frames.short = true
		for {
			p, err := frames.read()
			if err != nil {
				return
			}
			if len(p) > int(limit) || len(p) > maxInflation*len(sent) {
				t.Fatalf("%d bytes were read from %d with a limit of %d", len(p), len(sent), limit)
			}
			again := newFramer(bytesStream{Reader: bytes.NewReader(frames.frame(p, nil))}, int(limit), time.Second)
			again.short = true
			if got, err := again.read(); err != nil || !bytes.Equal(got, p) {
				t.Fatalf("read(frame(%x)) = %x, %v", p, got, err)
			}
		}
	})
}

// FuzzPeerAddr parses addresses as people and tickets give them.
func FuzzPeerAddr(f *testing.F) {
	f.Add("/ip4/127.0.0.1/tcp/1/p2p/12D3KooWQQAiMRkMba8PKpWBmK9CXcpZHGeQyHm3ChPt33Qwf9V6")
	f.Add("/dns4/example.org/udp/2/quic-v1")
	f.Fuzz(func(t *testing.T, text string) {
		info, err := ParsePeerAddr(text)
		if err != nil {
			if !errors.Is(err, ErrAddress) {
				t.Errorf("ParsePeerAddr(%q) = %v, want ErrAddress", text, err)
			}
			return
		}
		if _, err := NodeKey(info.ID); err != nil || len(info.Addrs) == 0 {
			t.Errorf("ParsePeerAddr(%q) = %v, of no node: %v", text, info, err)
		}
	})
}
