package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// pieces counts the pieces of work, each of that size, that two sessions get done in a second.
func pieces(t *testing.T, r *remote, took time.Duration, bytes int) (n int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	done := make(chan int)
	for range 2 {
		go func() {
			n := 0
			for {
				r.wrote() // own clients do all the time
				p, err := r.begin(ctx)
				if err != nil {
					done <- n
					return
				}
				time.Sleep(took)
				p.end(bytes)
				n++
			}
		}()
	}
	return <-done + <-done
}

// TestOwnClientsGoFirst: on one processor, while own clients write, what sessions get done
// is a part of it, and of bytes so many. At other times, and on more of them, all.
func TestOwnClientsGoFirst(t *testing.T) {
	for _, c := range []struct {
		name        string
		alone       bool
		bytes       int
		least, most int
	}{
		{"one processor", true, 0, 190, 203},
		{"one processor, large frames", true, 256 << 10, aloneRate >> 18, aloneRate>>18 + 3},
		{"several processors", false, 256 << 10, 998, 1003},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRemote()
				r.slots = make(chan struct{}, 1)
				r.alone = func() bool { return c.alone }
				if n := pieces(t, r, time.Millisecond, c.bytes); n < c.least || n > c.most {
					t.Errorf("%d pieces in a second, want %d to %d", n, c.least, c.most)
				}
				time.Sleep(time.Minute)
				if c.alone && r.pause(time.Millisecond, c.bytes) != 0 {
					t.Error("there is a pause though own clients are silent")
				}
			})
		})
	}
}

// TestPieceRests: a long piece gives others their turn, a short one does not.
func TestPieceRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		r.slots = make(chan struct{}, 1)
		long, err := r.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		turn := make(chan struct{})
		go func() {
			p, err := r.begin(t.Context())
			if err != nil {
				t.Error(err)
			}
			close(turn)
			p.end(0)
		}()
		synctest.Wait()
		long.rest()
		synctest.Wait()
		select {
		case <-turn:
			t.Error("a piece that had only begun gave way")
		default:
		}
		time.Sleep(2 * restAfter)
		long.rest()
		<-turn // it waited before
		long.end(0)
		ctx, cancel := context.WithCancel(t.Context())
		p, err := r.begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * restAfter)
		cancel()
		p.rest()
		p.end(0)
		(*piece)(nil).rest()
		(*piece)(nil).end(0)
		if len(r.slots) != 0 {
			t.Error("a slot was not given back")
		}
	})
}

// TestTrickle: a frame that comes a few bytes at a time is not read to its end; frames that are short are.
func TestTrickle(t *testing.T) {
	frame := func(n int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n)...)
	}
	const limit = 1 << 20
	f := newFramer(bytesStream{Reader: iotest.OneByteReader(bytes.NewReader(frame(limit)))}, limit, time.Second)
	if _, err := f.read(); !errors.Is(err, ErrStalled) || f.in > 2*smallReads {
		t.Errorf("a frame that trickles: %v after %d bytes, want %v", err, f.in, ErrStalled)
	}
	// Each frame comes whole, in a read or two.
	f = newFramer(bytesStream{Reader: bytes.NewReader(bytes.Repeat(frame(10), 1000))}, limit, time.Second)
	for i := range 1000 {
		if _, err := f.read(); err != nil {
			t.Fatalf("short frame %d: %v", i, err)
		}
	}
	// In packets of a slow link.
	f = newFramer(bytesStream{Reader: packets{bytes.NewReader(bytes.Repeat(frame(limit), 8)), 512}}, limit, time.Second)
	for i := range 8 {
		if _, err := f.read(); err != nil {
			t.Fatalf("large frame %d: %v", i, err)
		}
	}
}

// packets reads so many bytes at a time.
type packets struct {
	io.Reader
	size int
}

func (p packets) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

// TestTooManySignsOfLife: a peer that says without end that it is alive is cut and named.
func TestTooManySignsOfLife(t *testing.T) {
	m := dagtest.New(t, 2)
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	l := newLiar(t, m.Node(1), victim)
	frames := [][]byte{hello(), summary(m.Founding.ID())}
	for range 4 * aliveBurst {
		frames = append(frames, nil)
	}
	l.send(nil, frames...)
	eventually(t, "the peer is named", func() bool { return victim.standings.last(l.ID()) == string(reasonStalled) })
}
