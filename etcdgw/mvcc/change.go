package mvcc

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// Change is what one request did to the view: the record that makes it durable
// and from which it can be replayed. Its fields may be read, not modified.
type Change struct {
	Revision int64  // the revision it made, 0 if none
	Number   uint64 // dense from 1 over the changes that have replicated writes, 0 if it has none
	Writes   []Write
	Grant    Grant // zero if none was granted
	Revoke   int64 // lease that ended, 0 if none
	Compact  int64 // revision compacted to, 0 if none
	Alarm    AlarmChange
	// Schemas are the merge schemas, encoded, that its writes are the first to
	// name: the operation that it is sealed in carries them, unless another did meanwhile.
	Schemas [][]byte

	one [1]Write
}

// Grant is a lease granted: its ID and its time to live in seconds.
type Grant struct{ ID, TTL int64 }

// Write is one write of a change.
type Write struct {
	Kind   dag.WriteKind
	Local  bool // the keys are this node's own: the write is in no operation
	Key    []byte
	End    []byte       // of a DeleteRange: as docs/op.md section 5. It deletes either replicated keys or local ones
	Value  []byte       // of a Replace; of a Patch the patch
	Schema dag.SchemaID // of a Replace: how the value merges
	Lease  int64        // of a Replace or a Patch, 0 if none
	Birth  Birth        // not of a DeleteRange, nor of a local key
	// Prev is the record of the log with the key's previous write, 0 if there is
	// none. Not of a DeleteRange, nor of a local key.
	Prev dag.Index

	sum   uint32 // of a Patch: of the value that it leaves
	whole *whole // that value, where the log holds it
}

// Birth names the write that created the life of a key that a write continues
// or ends. The zero value says that the write itself creates it.
type Birth struct {
	Number    uint64  // the change, if it was made here: 0 otherwise
	Operation *dag.ID // the operation, if it was made elsewhere
	Tx        uint32  // the transaction of Operation
	Index     uint32  // the replicated write of the change, or the write of the transaction
}

// Size estimates the bytes of the change as a transaction of an operation,
// from above.
func (c *Change) Size() int {
	n := 0
	for i := range c.Writes {
		if w := &c.Writes[i]; !w.Local {
			n += writeOverhead + len(w.Key) + len(w.End) + len(w.Value)
		}
	}
	for _, s := range c.Schemas {
		n += schemaOverhead + len(s)
	}
	return n
}

// replicates reports whether a write is for other nodes too.
func (c *Change) replicates() bool {
	return slices.ContainsFunc(c.Writes, func(w Write) bool { return !w.Local })
}

// The encoding of a change (docs/view.md, "Changes"): integers are unsigned
// varints of least length, byte strings have their length before them.
const (
	changeOfData  = 0
	changeOfAlarm = 1

	// localWrite is added to the kind of a write of a local key.
	localWrite = 0x10

	birthSelf      = 0
	birthChange    = 1
	birthOperation = 2

	schemaJSON   = 0
	schemaOpaque = 1
	schemaID     = 2
)

// Append appends the encoding of c to b.
func (c *Change) Append(b []byte) []byte {
	if c.Alarm.Type != pb.AlarmType_NONE {
		return c.Alarm.append(b)
	}
	b = append(b, changeOfData)
	for _, n := range [...]int64{c.Revision, int64(c.Number), c.Grant.ID, c.Grant.TTL, c.Revoke, c.Compact, int64(len(c.Writes))} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(c.Schemas)))
	for _, s := range c.Schemas {
		b = appendBytes(b, s)
	}
	for i := range c.Writes {
		b = c.Writes[i].append(b)
	}
	return b
}

func (c AlarmChange) append(b []byte) []byte {
	raised := byte(0)
	if c.Raised {
		raised = 1
	}
	b = append(b, changeOfAlarm, raised)
	b = binary.AppendUvarint(b, c.Member)
	return binary.AppendUvarint(b, uint64(uint32(c.Type)))
}

func (w *Write) append(b []byte) []byte {
	kind := byte(w.Kind)
	if w.Local {
		kind |= localWrite
	}
	b = append(b, kind)
	b = appendBytes(b, w.Key)
	switch w.Kind {
	case dag.DeleteRange:
		return appendBytes(b, w.End)
	case dag.Replace, dag.Patch:
		b = appendBytes(b, w.Value)
		b = binary.AppendUvarint(b, uint64(w.Lease))
	}
	if w.Local {
		return b
	}
	switch w.Kind {
	case dag.Replace:
		b = appendSchema(b, w.Schema)
	case dag.Patch:
		b = binary.LittleEndian.AppendUint32(b, w.sum)
		if w.whole == nil {
			b = append(b, 0)
		} else {
			b = w.whole.append(append(b, 1))
		}
	}
	b = binary.AppendUvarint(b, uint64(w.Prev))
	switch {
	case w.Birth.Operation != nil:
		b = append(b, birthOperation)
		b = append(b, w.Birth.Operation[:]...)
		b = binary.AppendUvarint(b, uint64(w.Birth.Tx))
	case w.Birth.Number != 0:
		b = append(b, birthChange)
		b = binary.AppendUvarint(b, w.Birth.Number)
	default:
		return append(b, birthSelf)
	}
	return binary.AppendUvarint(b, uint64(w.Birth.Index))
}

func appendSchema(b []byte, id dag.SchemaID) []byte {
	switch id {
	case dag.SchemaJSON:
		return append(b, schemaJSON)
	case dag.SchemaOpaque:
		return append(b, schemaOpaque)
	}
	return append(append(b, schemaID), id[:]...)
}

// checksum is what a patch has of the value that it leaves.
func checksum(value []byte) uint32 { return crc32.Checksum(value, castagnoli) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeChange decodes what [Change.Append] made; anything else is
// [ErrMalformedChange]. The result's keys and values are parts of b.
func DecodeChange(b []byte) (*Change, error) {
	d := changeDecoder{rest: b}
	switch d.byte() {
	case changeOfData:
	case changeOfAlarm:
		return d.alarm()
	default:
		d.fail("version")
	}
	c := &Change{Revision: d.int(), Number: uint64(d.int())}
	c.Grant.ID, c.Grant.TTL = d.lease(), d.int()
	c.Revoke, c.Compact = d.lease(), d.int()
	n := d.int()
	if n > maxWrites || n > int64(len(d.rest)) {
		d.fail("writes")
		n = 0
	}
	if many := d.int(); many > n || many > int64(len(d.rest)) {
		d.fail("schemas")
	} else if many > 0 {
		c.Schemas = make([][]byte, many)
	}
	for i := range c.Schemas {
		if c.Schemas[i] = d.bytes(); len(c.Schemas[i]) > crdt.MaxSchema {
			d.fail("schema")
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	switch {
	case n == 1:
		c.Writes = c.one[:]
	case n > 0:
		c.Writes = make([]Write, n)
	}
	for i := range c.Writes {
		d.write(&c.Writes[i])
		if d.err != nil {
			break
		}
	}
	switch {
	case d.err != nil:
		return nil, d.err
	case len(d.rest) > 0:
		d.fail("trailing bytes")
	case (c.Number > 0) != c.replicates(), (c.Revision > 0) != (n > 0):
		d.fail("revision, number and writes disagree")
	case (c.Grant.ID == 0) != (c.Grant.TTL == 0):
		d.fail("grant")
	}
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}

// alarm reads the rest of a change of an alarm.
func (d *changeDecoder) alarm() (*Change, error) {
	raised := d.byte()
	c := &Change{Alarm: AlarmChange{Alarm{Member: d.uint(), Type: pb.AlarmType(d.uint32())}, raised == 1}}
	if raised > 1 || c.Alarm.Type == pb.AlarmType_NONE || len(d.rest) > 0 {
		d.fail("alarm")
	}
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}

// changeDecoder reads a change; its first error sticks.
type changeDecoder struct {
	rest []byte
	err  error
}

func (d *changeDecoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformedChange, what)
	}
	d.rest = nil
}

func (d *changeDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("too short")
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *changeDecoder) uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || size > 1 && d.rest[size-1] == 0 {
		d.fail("integer")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// int reads an integer that is not negative.
func (d *changeDecoder) int() int64 {
	n := d.uint()
	if n > 1<<63-1 {
		d.fail("integer out of range")
		return 0
	}
	return int64(n)
}

// lease reads a lease ID, which clients choose and may be negative.
func (d *changeDecoder) lease() int64 { return int64(d.uint()) }

func (d *changeDecoder) uint32() uint32 {
	n := d.uint()
	if n > 1<<32-1 {
		d.fail("integer out of range")
		return 0
	}
	return uint32(n)
}

func (d *changeDecoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.fail("length")
		return nil
	}
	s := d.rest[:n:n]
	d.rest = d.rest[n:]
	return s
}

func (d *changeDecoder) schema() (id dag.SchemaID) {
	switch d.byte() {
	case schemaJSON:
		return dag.SchemaJSON
	case schemaOpaque:
		return dag.SchemaOpaque
	case schemaID:
		if len(d.rest) < len(id) {
			d.fail("too short")
			return id
		}
		id = dag.SchemaID(d.rest[:len(id)])
		d.rest = d.rest[len(id):]
		if id.Carried() {
			return id
		}
	}
	d.fail("schema")
	return id
}

// whole reads a whole value.
func (d *changeDecoder) whole() *whole { return &whole{d.schema(), d.bytes()} }

func (d *changeDecoder) write(w *Write) {
	kind := d.byte()
	w.Kind, w.Local, w.Key = dag.WriteKind(kind&^localWrite), kind&localWrite != 0, d.bytes()
	switch w.Kind {
	case dag.DeleteRange:
		if w.End = d.bytes(); len(w.End) > 0 && string(w.Key) >= string(w.End) {
			d.fail("empty range")
		}
		return
	case dag.Replace:
		w.Value, w.Lease = d.bytes(), d.lease()
	case dag.Patch:
		if w.Value, w.Lease = d.bytes(), d.lease(); w.Local {
			d.fail("patch of a local key")
		}
	case dag.DeleteFinal:
		if w.Local {
			d.fail("final delete of a local key")
		}
	case dag.DeleteObserved:
	default:
		d.fail("kind of write")
	}
	if len(w.Key) == 0 {
		d.fail("empty key")
	}
	if w.Local {
		return
	}
	switch w.Kind {
	case dag.Replace:
		w.Schema = d.schema()
	case dag.Patch:
		if len(d.rest) < 4 {
			d.fail("too short")
			return
		}
		w.sum, d.rest = binary.LittleEndian.Uint32(d.rest), d.rest[4:]
		switch d.byte() {
		case 0:
		case 1:
			w.whole = d.whole()
		default:
			d.fail("whole value")
		}
	}
	w.Prev = dag.Index(d.int())
	switch d.byte() {
	case birthSelf:
		return
	case birthChange:
		if w.Birth.Number = d.uint(); w.Birth.Number == 0 {
			d.fail("birth")
		}
	case birthOperation:
		if len(d.rest) < len(dag.ID{}) {
			d.fail("too short")
			return
		}
		id := dag.ID(d.rest[:len(dag.ID{})])
		d.rest = d.rest[len(id):]
		w.Birth.Operation, w.Birth.Tx = &id, d.uint32()
	default:
		d.fail("birth")
	}
	w.Birth.Index = d.uint32()
}
