package p2p

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// deflater compresses (DEFLATE, RFC 1951) what is made once and read often
// thoroughly, and what is long fast: with the effort of 15 µs for an operation of 500 bytes.
type deflater struct{ thorough, fast sync.Pool }

var deflaters = deflater{
	thorough: sync.Pool{New: func() any { return newFlate(2) }},
	fast:     sync.Pool{New: func() any { return newFlate(flate.BestSpeed) }},
}

func newFlate(level int) *flate.Writer {
	w, err := flate.NewWriter(io.Discard, level)
	if err != nil {
		panic(err) // the level is wrong
	}
	return w
}

// deflate appends b to head in compressed form. It returns nil if that does not pay,
// or if a receiver would refuse it.
func deflate(head, b []byte) []byte {
	if len(b) < minDeflate {
		return nil
	}
	pool := &deflaters.thorough
	if len(b) > thoroughDeflate {
		pool = &deflaters.fast
	}
	w := pool.Get().(*flate.Writer)
	defer pool.Put(w)
	out := bytes.NewBuffer(head)
	w.Reset(out)
	if _, err := w.Write(b); err != nil {
		panic(err) // a buffer takes everything
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
// and refuses before that what expands to more than maxInflation times its length. The error wraps ErrMalformed.
func inflate(z []byte, n int) ([]byte, error) {
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
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%w: compressed: %v", ErrMalformed, err)
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k > 0 || err != io.EOF || src.Len() > 0 {
		return nil, fmt.Errorf("%w: more compressed bytes than announced", ErrMalformed)
	}
	return b, nil
}
