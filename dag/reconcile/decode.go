package reconcile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// maxFields bounds the items of a message's array, those of later versions included.
const maxFields = 16

// decodeMessage parses a frame. What it returns aliases it.
func decodeMessage(frame []byte) (message, error) {
	if len(frame) > MaxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes, at most %d", ErrLimit, len(frame), MaxFrame)
	}
	d := dagcbor.NewDecoder(frame)
	fields := d.Array(maxFields)
	k := d.Uint()
	if d.Err() != nil {
		return nil, malformed("message", d.Err())
	}
	var m message
	var err error
	switch {
	case k == uint64(kindSummary):
		m, err = decodeSummary(d, fields)
	case k == uint64(kindOps) && fields == 1:
		if ops := frame[d.Offset():]; len(ops) > 0 {
			return batch{ops}, nil // parsed op by op
		}
		d.Fail(errEmpty)
	case (k == uint64(kindEnd) || k == uint64(kindCut)) && fields == 1:
		m = end{cut: k == uint64(kindCut)}
	case k == uint64(kindAsk) && fields == 1:
		m = ask{}
	case k == uint64(kindMore) && fields == 1:
		m = more{}
	case k == uint64(kindSymbols) && fields == 2:
		s := &symbols{sketch: decodeSketch(d)}
		if d.Err() == nil && len(s.sketch) == 0 {
			d.Fail(errEmpty)
		}
		m = s
	case k == uint64(kindFin) && fields == 2:
		m = fin{satisfied: d.Bool()}
	case k == uint64(kindAck) && fields == 2:
		n := d.Uint()
		if d.Err() == nil && (n == 0 || n > maxUnacked) {
			d.Fail(errAck)
		}
		m = ack{units: int(n)}
	case k == uint64(kindWithout) && fields == 2:
		m = without{authors: decodeTags(d)}
	default:
		err = fmt.Errorf("%w: kind %d with %d fields", ErrMalformed, k, fields)
	}
	if err == nil {
		err = malformed("message", d.Finish())
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Errors that make a breach of form known through the decoder's sticky error.
var (
	errOrder  = errors.New("entries out of order")
	errSeq    = errors.New("seq 0, or a span beyond it")
	errChecks = errors.New("not as many checks as the span demands")
	errEmpty  = errors.New("empty")
	errFilter = errors.New("a filter without hashes, or hashes without a filter")
	errSketch = errors.New("not a whole number of symbols, or beside a vector")
	errAck    = errors.New("nothing acknowledged, or more than a window holds")
	errTags   = errors.New("not a whole number of tags, or none")
	errFull   = errors.New("a full summary with an anchor")
)

// decodeSummary reads what follows the kind of a summary.
func decodeSummary(d *dagcbor.Decoder, fields int) (*summary, error) {
	version := d.Uint()
	if d.Err() == nil && version != Version {
		return nil, fmt.Errorf("%w: %d, not %d", ErrVersion, version, Version)
	}
	if d.Err() == nil && fields != 11 {
		return nil, fmt.Errorf("%w: a summary of %d fields", ErrMalformed, fields)
	}
	s := new(summary)
	d.Fixed(s.mesh[:])
	d.Fixed(s.salt[:])
	p := d.Uint()
	if d.Err() == nil && p > uint64(purposePlain) {
		return nil, fmt.Errorf("%w: purpose %d", ErrMalformed, p)
	}
	s.purpose = purpose(p)
	s.anchor = decodeRefs(d, MaxAnchor)
	s.branches = decodeRefs(d, MaxTips)
	s.vector = decodeVector(d)
	s.filter = decodeFilter(d)
	s.sketch = decodeSketch(d)
	switch {
	case d.Err() != nil:
	case s.purpose == purposeFull && len(s.anchor) > 0:
		d.Fail(errFull)
	case len(s.sketch) > 0 && len(s.vector) > 0:
		d.Fail(errSketch)
	}
	if err := d.Err(); err != nil {
		return nil, malformed("summary", err)
	}
	run := 0
	for i, r := range s.branches {
		if run++; i > 0 && r.author != s.branches[i-1].author {
			run = 1
		}
		if run > MaxAuthorTips {
			return nil, fmt.Errorf("%w: more than %d branches of an author", ErrLimit, MaxAuthorTips)
		}
	}
	return s, nil
}

func decodeRefs(d *dagcbor.Decoder, limit int) []ref {
	n := d.Array(limit)
	refs := makeFor[ref](d, n)
	for i := range n {
		d.Tuple(3)
		r := decodeRef(d)
		if i > 0 && d.Err() == nil && refs[i-1].compare(r) >= 0 {
			d.Fail(errOrder)
		}
		if d.Err() != nil {
			return nil
		}
		refs = append(refs, r)
	}
	return refs
}

func decodeRef(d *dagcbor.Decoder) (r ref) {
	d.Fixed(r.author[:])
	r.seq = d.Uint()
	d.Fixed(r.op[:])
	if d.Err() == nil && r.seq == 0 {
		d.Fail(errSeq)
	}
	return r
}

func decodeVector(d *dagcbor.Decoder) []tip {
	n := d.Array(MaxTips)
	tips := makeFor[tip](d, n)
	for i := range n {
		d.Tuple(5)
		t := tip{ref: decodeRef(d), span: d.Uint()}
		checks := d.Bytes(countChecks(dagcbor.MaxUint)) // more than any of two bytes each take
		size := checkSize(t.span)
		switch {
		case d.Err() != nil:
		case i > 0 && tips[i-1].author.compare(t.author) >= 0:
			d.Fail(errOrder)
		case t.span >= t.seq:
			d.Fail(errSeq)
		case len(checks) != size*countChecks(t.span):
			d.Fail(errChecks)
		}
		if d.Err() != nil {
			return nil
		}
		for c := range slices.Chunk(checks, size) {
			t.checks = append(t.checks, check{})
			copy(t.checks[len(t.checks)-1][:], c)
		}
		tips = append(tips, t)
	}
	return tips
}

func decodeFilter(d *dagcbor.Decoder) (f filter) {
	hashes := d.Uint()
	f.bits = d.Bytes(MaxFilter)
	if d.Err() == nil && (hashes > maxHashes || (hashes == 0) != (len(f.bits) == 0)) {
		d.Fail(errFilter)
	}
	if d.Err() != nil || hashes == 0 {
		return filter{}
	}
	f.hashes = int(hashes)
	return f
}

func decodeSketch(d *dagcbor.Decoder) []riblt.Symbol {
	b := d.Bytes(MaxSymbols * symbolSize)
	if d.Err() == nil && len(b)%symbolSize != 0 {
		d.Fail(errSketch)
	}
	if d.Err() != nil || len(b) == 0 {
		return nil
	}
	sketch := make([]riblt.Symbol, 0, len(b)/symbolSize)
	for ; len(b) > 0; b = b[symbolSize:] {
		var h [8]byte
		copy(h[8-symbolHash:], b[riblt.ItemSize:symbolSize])
		sketch = append(sketch, riblt.Symbol{Sum: riblt.Item(b[:riblt.ItemSize]), Hash: binary.BigEndian.Uint64(h[:])})
	}
	return sketch
}

// decodeTags reads the tags of authors, at least one and at most MaxWithout.
func decodeTags(d *dagcbor.Decoder) (tags []tag) {
	b := d.Bytes(MaxWithout * len(tag{}))
	if d.Err() == nil && (len(b) == 0 || len(b)%len(tag{}) != 0) {
		d.Fail(errTags)
	}
	for ; d.Err() == nil && len(b) > 0; b = b[len(tag{}):] {
		t := tag(b[:len(tag{})])
		if len(tags) > 0 && tags[len(tags)-1].compare(t) >= 0 {
			d.Fail(errOrder)
			return nil
		}
		tags = append(tags, t)
	}
	return tags
}

// makeFor allocates room for the n items whose array head was just read. n is
// within its bound; after an error nothing is allocated.
func makeFor[T any](d *dagcbor.Decoder, n int) []T {
	if d.Err() != nil || n == 0 {
		return nil
	}
	return make([]T, 0, n)
}

// malformed wraps an error of the decoder, if it is one: lengths beyond their bound are a
// breach of a limit, everything else is malformed.
func malformed(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, dagcbor.ErrTooLong) {
		return fmt.Errorf("%w: %s: %w", ErrLimit, what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
