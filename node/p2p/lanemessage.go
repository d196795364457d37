package p2p

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// Kinds of messages on the statement lane (docs/p2p.md, section 6).
const (
	laneList   = 1 // [1, salt, set]
	laneListed = 2 // [2, shorts]
	laneGive   = 3 // [3, shorts]
	laneGiven  = 4 // [4, [[statement, carrier or null]…]]
	lanePast   = 5 // [5, [link…], strict, [[author, seq, link]…]]
	laneOps    = 6 // [6, more], then ops
	laneDone   = 7 // [7]
)

// What follows an answer's frame of ops.
const (
	moreNone   = 0 // nothing: that is all
	moreFrames = 1 // another frame
	moreCut    = 2 // nothing: the rest is beyond a budget
)

// A short names a statement in one session: the first bytes of the SHA-256 over the asker's salt and the ID.
type short [laneShort]byte

type laneSalt [16]byte

func (salt *laneSalt) short(id identity.StatementID) short {
	var b [len(salt) + len(id)]byte
	copy(b[:], salt[:])
	copy(b[len(salt):], id[:])
	sum := sha256.Sum256(b[:])
	return short(sum[:laneShort])
}

// A tip says that the asker has an author's op, and all of the author's before it.
type tip struct {
	author identity.PublicKey
	seq    uint64
	id     dag.ID
}

// A given is a statement as it is given.
type given struct {
	statement []byte
	carrier   *dag.ID // of a redeem or a rotate, which count by who carries them
}

// A question is what one side of the lane asks.
type question struct {
	kind   uint64
	salt   laneSalt // list
	set    [32]byte // list
	shorts []short  // give
	wanted []dag.ID // past, ascending
	strict bool     // past
	tips   []tip    // past
}

func (q *question) encode() []byte {
	switch q.kind {
	case laneList:
		b := dagcbor.AppendArray(nil, 3)
		b = dagcbor.AppendUint(b, q.kind)
		b = dagcbor.AppendBytes(b, q.salt[:])
		return dagcbor.AppendBytes(b, q.set[:])
	case laneGive:
		return encodeShorts(q.kind, q.shorts)
	case lanePast:
		b := dagcbor.AppendArray(nil, 4)
		b = dagcbor.AppendUint(b, q.kind)
		b = dagcbor.AppendArray(b, len(q.wanted))
		for _, id := range q.wanted {
			b = dagcbor.AppendLink(b, id)
		}
		b = dagcbor.AppendBool(b, q.strict)
		b = dagcbor.AppendArray(b, len(q.tips))
		for _, t := range q.tips {
			b = dagcbor.AppendArray(b, 3)
			b = dagcbor.AppendBytes(b, t.author[:])
			b = dagcbor.AppendUint(b, t.seq)
			b = dagcbor.AppendLink(b, t.id)
		}
		return b
	}
	return dagcbor.AppendUint(dagcbor.AppendArray(nil, 1), laneDone)
}

// decodeQuestion parses a question, or returns an error that wraps ErrMalformed.
func decodeQuestion(p []byte) (*question, error) {
	d := dagcbor.NewDecoder(p)
	n := d.Array(4)
	q := &question{kind: d.Uint()}
	sizes := map[uint64]int{laneList: 3, laneGive: 2, lanePast: 4, laneDone: 1}
	if want, ok := sizes[q.kind]; d.Err() == nil && (!ok || n != want) {
		return nil, fmt.Errorf("%w: question of kind %d with %d parts", ErrMalformed, q.kind, n)
	}
	switch q.kind {
	case laneList:
		d.Fixed(q.salt[:])
		d.Fixed(q.set[:])
	case laneGive:
		var err error
		if q.shorts, err = decodeShorts(d, maxGiven); err != nil {
			return nil, err
		}
	case lanePast:
		q.decodePast(d)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: question: %v", ErrMalformed, err)
	}
	return q, nil
}

func (q *question) decodePast(d *dagcbor.Decoder) {
	for range d.Array(maxWanted) {
		if q.wanted = append(q.wanted, d.Link()); d.Err() != nil {
			return
		}
	}
	q.strict = d.Bool()
	for range d.Array(maxTips) {
		d.Tuple(3)
		var t tip
		d.Fixed(t.author[:])
		t.seq = d.Uint()
		t.id = d.Link()
		if q.tips = append(q.tips, t); d.Err() != nil {
			return
		}
	}
}

func encodeShorts(kind uint64, shorts []short) []byte {
	flat := make([]byte, 0, len(shorts)*laneShort)
	for _, s := range shorts {
		flat = append(flat, s[:]...)
	}
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, kind)
	return dagcbor.AppendBytes(b, flat)
}

// decodeShorts reads shorts, which ascend.
func decodeShorts(d *dagcbor.Decoder, most int) ([]short, error) {
	flat := d.Bytes(most * laneShort)
	if len(flat)%laneShort != 0 {
		return nil, fmt.Errorf("%w: shorts of %d bytes", ErrMalformed, len(flat))
	}
	shorts := make([]short, 0, len(flat)/laneShort)
	for ; len(flat) > 0; flat = flat[laneShort:] {
		s := short(flat[:laneShort])
		if n := len(shorts); n > 0 && bytes.Compare(shorts[n-1][:], s[:]) >= 0 {
			return nil, fmt.Errorf("%w: shorts are not ascending", ErrMalformed)
		}
		shorts = append(shorts, s)
	}
	return shorts, nil
}

func decodeListed(p []byte) ([]short, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	if kind := d.Uint(); d.Err() == nil && kind != laneListed {
		return nil, fmt.Errorf("%w: answer of kind %d to a list", ErrMalformed, kind)
	}
	shorts, err := decodeShorts(d, maxOffered)
	if err != nil {
		return nil, err
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: list: %v", ErrMalformed, err)
	}
	return shorts, nil
}

func encodeGiven(all []given) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, laneGiven)
	b = dagcbor.AppendArray(b, len(all))
	for _, g := range all {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, g.statement)
		if g.carrier == nil {
			b = dagcbor.AppendNull(b)
		} else {
			b = dagcbor.AppendLink(b, *g.carrier)
		}
	}
	return b
}

func decodeGiven(p []byte) ([]given, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	if kind := d.Uint(); d.Err() == nil && kind != laneGiven {
		return nil, fmt.Errorf("%w: answer of kind %d for statements", ErrMalformed, kind)
	}
	var all []given
	for range d.Array(maxGiven) {
		d.Tuple(2)
		g := given{statement: d.Bytes(maxStatement)}
		if !d.Null() {
			id := dag.ID(d.Link())
			g.carrier = &id
		}
		if all = append(all, g); d.Err() != nil {
			break
		}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: statements: %v", ErrMalformed, err)
	}
	return all, nil
}

// laneOpsHead begins a frame of ops; each op, block and body, follows.
func laneOpsHead(more uint64) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, laneOps)
	return dagcbor.AppendUint(b, more)
}

// decodeLaneOps parses a frame of ops and says what follows it. The ops' signatures are not looked at.
func decodeLaneOps(p []byte) (ops []*dag.Unverified, more uint64, err error) {
	if len(p) < len(laneOpsHead(0)) {
		return nil, 0, fmt.Errorf("%w: a frame of %d bytes for ops", ErrMalformed, len(p))
	}
	more = uint64(p[2])
	if more > moreCut || !bytes.HasPrefix(p, laneOpsHead(more)) {
		return nil, 0, fmt.Errorf("%w: another answer than ops", ErrMalformed)
	}
	for rest := p[len(laneOpsHead(0)):]; len(rest) > 0; {
		var u *dag.Unverified
		if u, rest, err = dag.DecodeNext(rest); err != nil {
			return nil, 0, err
		}
		ops = append(ops, u)
	}
	return ops, more, nil
}
