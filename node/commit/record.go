package commit

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// Kinds of records in the admission log (docs/node.md, "Records").
const (
	// recordLocal holds the changes of one batch of client requests.
	recordLocal dag.RecordKind = 1
	// recordSeal holds an own op: its block, its statements, and where in the
	// log its transactions are.
	recordSeal dag.RecordKind = 2
	// recordOp holds a received op, block and body.
	recordOp dag.RecordKind = 3
	// recordWindow opens a revision window.
	recordWindow dag.RecordKind = 4
	// recordRotation gives the node another key: the op before it is the last of the old one.
	recordRotation dag.RecordKind = 5
)

var errMalformedRecord = fmt.Errorf("%w: malformed record", ErrReplay)

// appendItem appends b with its length before it.
func appendItem(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// reader takes a record's payload apart; its first error sticks.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err, r.rest = errMalformedRecord, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) item() []byte {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errMalformedRecord, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// decodeLocal calls fn for each change of a recordLocal payload. Each change
// has its own copy of the bytes: a value that lives long must not hold the
// whole batch in memory.
func decodeLocal(payload []byte, fn func(*mvcc.Change) error) error {
	r := reader{rest: payload}
	for len(r.rest) > 0 {
		item := r.item()
		if r.err != nil {
			return r.err
		}
		ch, err := mvcc.DecodeChange(bytes.Clone(item))
		if err != nil {
			return fmt.Errorf("change: %w", err)
		}
		if err := fn(ch); err != nil {
			return err
		}
	}
	return r.err
}

// sealRecord is the payload of a recordSeal. The op's transactions are the
// changes numbered first … first+count-1, which begin in record at.
type sealRecord struct {
	revision   int64 // the view's after the op
	first      uint64
	count      uint64
	at         dag.Index // 0 if count is 0
	block      []byte
	schemas    [][]byte // at most dag.MaxSchemas
	statements [][]byte
}

func (s sealRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.revision))
	b = binary.AppendUvarint(b, s.first)
	b = binary.AppendUvarint(b, s.count)
	b = binary.AppendUvarint(b, uint64(s.at))
	b = appendItem(b, s.block)
	b = binary.AppendUvarint(b, uint64(len(s.schemas)))
	for _, sc := range s.schemas {
		b = appendItem(b, sc)
	}
	for _, st := range s.statements {
		b = appendItem(b, st)
	}
	return b
}

func decodeSeal(payload []byte) (sealRecord, error) {
	r := reader{rest: payload}
	s := sealRecord{revision: int64(r.uint()), first: r.uint(), count: r.uint(), at: dag.Index(r.uint()), block: r.item()}
	n := r.uint()
	if n > dag.MaxSchemas {
		return sealRecord{}, errMalformedRecord
	}
	for range n {
		s.schemas = append(s.schemas, r.item())
	}
	for len(r.rest) > 0 {
		s.statements = append(s.statements, r.item())
	}
	if r.err != nil || s.count > dag.MaxTransactions {
		return sealRecord{}, errMalformedRecord
	}
	return s, nil
}

// opRecord is the payload of a recordOp.
type opRecord struct {
	revision int64  // the view's after the op
	together uint64 // see mvcc.View.ApplyRemote
	block    []byte
	body     []byte
	trail    []byte // docs/view.md, "The trail"
}

func (o opRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(o.revision))
	b = binary.AppendUvarint(b, o.together)
	b = appendItem(b, o.block)
	b = appendItem(b, o.body)
	return appendItem(b, o.trail)
}

func decodeOp(payload []byte) (opRecord, error) {
	r := reader{rest: payload}
	o := opRecord{revision: int64(r.uint()), together: r.uint(), block: r.item(), body: r.item(), trail: r.item()}
	if r.err != nil || len(r.rest) > 0 {
		return opRecord{}, errMalformedRecord
	}
	return o, nil
}

// windowRecord is the payload of a recordWindow.
type windowRecord struct {
	epoch uint64
	part  uint64 // of the window, counted from 0, which is left out
}

func (w windowRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(b, w.epoch)
	if w.part > 0 {
		b = binary.AppendUvarint(b, w.part)
	}
	return b
}

func decodeWindow(payload []byte) (windowRecord, error) {
	r := reader{rest: payload}
	w := windowRecord{epoch: r.uint()}
	if len(r.rest) > 0 {
		if w.part = r.uint(); w.part == 0 {
			return windowRecord{}, errMalformedRecord
		}
	}
	if r.err != nil || len(r.rest) > 0 || w.epoch > dag.MaxEpoch || w.part >= windowParts {
		return windowRecord{}, errMalformedRecord
	}
	return w, nil
}
