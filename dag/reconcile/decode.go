package reconcile

import (
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// maxFields bounds the items of a message's array, those of later versions included.
const maxFields = 16

// decodeMessage parses a frame. Blocks and bodies of a batch alias it.
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
	case k == uint64(kindOps) && fields == 2:
		m, err = decodeBatch(d, len(frame))
	case k == uint64(kindDone) && fields == 2:
		m = doneMessage{more: d.Bool()}
	case k == uint64(kindAsk) && fields == 1:
		m = ask{}
	case k == uint64(kindFin) && fields == 2:
		m = fin{satisfied: d.Bool()}
	default:
		return nil, fmt.Errorf("%w: kind %d with %d fields", ErrMalformed, k, fields)
	}
	if err == nil {
		err = malformed("message", d.Finish())
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// decodeSummary reads what follows the kind of a summary.
func decodeSummary(d *dagcbor.Decoder, fields int) (*summary, error) {
	version := d.Uint()
	if d.Err() == nil && version != Version {
		return nil, fmt.Errorf("%w: %d, not %d", ErrVersion, version, Version)
	}
	if d.Err() == nil && fields != 7 {
		return nil, fmt.Errorf("%w: a summary of %d fields", ErrMalformed, fields)
	}
	s := new(summary)
	d.Fixed(s.mesh[:])
	d.Fixed(nil) // the salt, reserved
	p := d.Uint()
	if d.Err() == nil && p > uint64(purposeRepair) {
		return nil, fmt.Errorf("%w: purpose %d", ErrMalformed, p)
	}
	s.purpose = purpose(p)

	n := d.Array(MaxAnchor)
	s.anchor = makeFor[anchorOp](d, n)
	for i := range n {
		var a anchorOp
		d.Tuple(2)
		d.Fixed(a.id[:])
		a.head = d.Bool()
		if d.Err() != nil {
			break
		}
		if i > 0 && s.anchor[i-1].id.Compare(a.id) >= 0 {
			d.Fail(errOrder)
			break
		}
		s.anchor = append(s.anchor, a)
	}

	n = d.Array(MaxTips)
	s.tips = makeFor[tip](d, n)
	run := 0 // entries of the current author
	for i := range n {
		var t tip
		d.Tuple(4)
		d.Fixed(t.author[:])
		t.seq = d.Uint()
		d.Fixed(t.id[:])
		t.head = d.Bool()
		if d.Err() != nil {
			break
		}
		if i > 0 && s.tips[i-1].compare(t) >= 0 || t.seq == 0 {
			d.Fail(errOrder)
			break
		}
		if i > 0 && s.tips[i-1].author == t.author {
			run++
		} else {
			run = 1
		}
		if run > MaxAuthorTips {
			return nil, fmt.Errorf("%w: more than %d tips of %v", ErrLimit, MaxAuthorTips, t.author)
		}
		s.tips = append(s.tips, t)
	}
	if err := d.Err(); err != nil {
		return nil, malformed("summary", err)
	}
	if s.purpose == purposeFull && len(s.anchor) > 0 {
		return nil, fmt.Errorf("%w: a full summary with an anchor", ErrMalformed)
	}
	return s, nil
}

// decodeBatch reads what follows the kind of an ops frame of size bytes.
func decodeBatch(d *dagcbor.Decoder, size int) (*batch, error) {
	n := d.Array(MaxFrameOps)
	if d.Err() == nil && n == 0 {
		return nil, fmt.Errorf("%w: an ops frame without ops", ErrMalformed)
	}
	if n > 1 && size > TargetFrame {
		return nil, fmt.Errorf("%w: %d ops in a frame of %d bytes, at most %d", ErrLimit, n, size, TargetFrame)
	}
	m := &batch{ops: makeFor[encodedOp](d, n)}
	for range n {
		d.Tuple(2)
		op := encodedOp{block: d.Bytes(dag.MaxBlock), body: d.Bytes(dag.MaxBody)}
		if d.Err() != nil {
			break
		}
		m.ops = append(m.ops, op)
	}
	return m, nil
}

// errOrder says that a list is not strictly ascending, or that a seq is 0.
var errOrder = errors.New("entries out of order")

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
