package p2p

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// Writers of DEFLATE (RFC 1951): the thorough one takes some 15 µs for an operation of
// 500 bytes, the fast one is for what is long.
var (
	thoroughly = sync.Pool{New: func() any { return newFlate(2) }}
	quickly    = sync.Pool{New: func() any { return newFlate(flate.BestSpeed) }}
)

func newFlate(level int) *flate.Writer {
	w, err := flate.NewWriter(io.Discard, level)
	if err != nil {
		panic(err) // the level is wrong
	}
	return w
}

// restEvery is how many bytes are compressed, or the contrary, between two rests.
const restEvery = 32 << 10

// deflate appends b to head in compressed form. It returns nil if that does not pay,
// or if a receiver would refuse it. It rests now and then.
func deflate(head, b []byte, work *piece) []byte {
	if len(b) < minDeflate {
		return nil
	}
	pool := &thoroughly
	if len(b) > thoroughDeflate {
		pool = &quickly
	}
	w := pool.Get().(*flate.Writer)
	defer pool.Put(w)
	out := bytes.NewBuffer(head)
	w.Reset(out)
	for left := b; len(left) > 0; work.rest() {
		n, err := w.Write(left[:min(len(left), restEvery)])
		if err != nil {
			panic(err) // a buffer takes everything
		}
		left = left[n:]
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	n := out.Len() - len(head)
	if n > len(b)-len(b)/16 || len(b) > maxInflation*n {
		return nil
	}
	return out.Bytes()
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// inflate returns the n bytes that z is the compressed form of. It takes n bytes of memory,
// and refuses before that what expands to more than maxInflation times its length. It rests now and then. The error wraps ErrMalformed.
func inflate(z []byte, n int, work *piece) ([]byte, error) {
	if n > maxInflation*len(z) {
		return nil, fmt.Errorf("%w: %d bytes compressed to %d", ErrMalformed, n, len(z))
	}
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	src := bytes.NewReader(z)
	if err := r.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	b := make([]byte, n)
	for left := b; len(left) > 0; work.rest() {
		some := left[:min(len(left), restEvery)]
		if _, err := io.ReadFull(r, some); err != nil {
			return nil, fmt.Errorf("%w: compressed: %v", ErrMalformed, err)
		}
		left = left[len(some):]
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k > 0 || err != io.EOF || src.Len() > 0 {
		return nil, fmt.Errorf("%w: more compressed bytes than announced", ErrMalformed)
	}
	return b, nil
}
