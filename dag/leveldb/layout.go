package leveldb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/causeway-sync/causeway/dag"
)

// The keys of docs/store.md section 2. Records come last in key order, so
// that appends go to the end of the key space.
const (
	keyMark   = "c"
	keyFormat = "f"

	prefixMeta   = 'm'
	prefixOp     = 'o'
	prefixRecord = 'r'
)

// format is the value of keyFormat.
const format = "causeway-store-0"

// Lengths of the parts of a record's value, docs/store.md section 3.
const (
	hashLen      = sha256.Size
	recordHeader = hashLen + hashLen + 8 + 1 + 2
	markLen      = 8 + 8 + 8 + 8 + hashLen + 1
	markEnd      = 0xff
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chainHash is a record's chained hash; zero stands before the first record.
type chainHash [hashLen]byte

func recordKey(i dag.Index) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixRecord}, uint64(i))
}

func opKey(op dag.ID) []byte {
	return append([]byte{prefixOp}, op[:]...)
}

func metaKey(name string) []byte {
	return append([]byte{prefixMeta}, name...)
}

// recordName, opName and metaName are how errors name keys.
func recordName(i dag.Index) string { return "record " + strconv.FormatUint(uint64(i), 10) }
func opName(op dag.ID) string       { return "op " + op.String() }
func metaName(name string) string   { return fmt.Sprintf("meta %q", name) }

// appendRecord appends the value of record i to b and returns its chained hash.
func appendRecord(b []byte, prev chainHash, i dag.Index, r *dag.Record) ([]byte, chainHash) {
	start := len(b)
	b = append(b, make([]byte, hashLen)...)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(i))
	b = append(b, byte(r.Kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Ops)))
	for j := range r.Ops {
		b = append(b, r.Ops[j][:]...)
	}
	b = append(b, r.Payload...)
	sum := chainHash(sha256.Sum256(b[start+hashLen:]))
	copy(b[start:], sum[:])
	return b, sum
}

// stored is a decoded and verified record value.
type stored struct {
	hash, prev chainHash
	record     dag.Record // Payload aliases the value
}

// decodeRecord decodes and verifies the value of record i: that its hash
// matches its bytes and that it is of this index.
func decodeRecord(i dag.Index, v []byte) (stored, error) {
	if len(v) < recordHeader {
		return stored{}, corruptAt(recordName(i), int64(len(v)), errMalformed)
	}
	s := stored{hash: chainHash(v[:hashLen]), prev: chainHash(v[hashLen : 2*hashLen])}
	if sha256.Sum256(v[hashLen:]) != s.hash {
		return stored{}, corruptAt(recordName(i), 0, errHash)
	}
	p := v[2*hashLen:]
	if dag.Index(binary.BigEndian.Uint64(p)) != i {
		return stored{}, corruptAt(recordName(i), 2*hashLen, errMoved)
	}
	s.record.Kind = dag.RecordKind(p[8])
	n := int(binary.BigEndian.Uint16(p[9:]))
	p = p[11:]
	if n > dag.MaxRecordOps || n*len(dag.ID{}) > len(p) {
		return stored{}, corruptAt(recordName(i), recordHeader-2, errMalformed)
	}
	if n > 0 {
		s.record.Ops = make([]dag.ID, n)
		for j := range s.record.Ops {
			s.record.Ops[j] = dag.ID(p[:len(dag.ID{})])
			p = p[len(dag.ID{}):]
		}
	}
	s.record.Payload = p[:len(p):len(p)]
	return s, nil
}

// mark is the last entry of every batch: what was durable in the batch's
// journal before the batch was written, and where the log ends with it.
type mark struct {
	session uint64 // drawn at random when the store was opened; not zero
	journal int64  // file number of the journal that durable speaks of; -1: none
	durable int64  // bytes of it that were synced
	last    dag.Index
	head    chainHash // chained hash of record last
}

func (m mark) encode() []byte {
	b := make([]byte, 0, markLen)
	b = binary.BigEndian.AppendUint64(b, m.session)
	b = binary.BigEndian.AppendUint64(b, uint64(m.journal))
	b = binary.BigEndian.AppendUint64(b, uint64(m.durable))
	b = binary.BigEndian.AppendUint64(b, uint64(m.last))
	b = append(b, m.head[:]...)
	return append(b, markEnd)
}

func decodeMark(v []byte) (mark, error) {
	if len(v) != markLen || v[markLen-1] != markEnd {
		return mark{}, corruptAt("mark", int64(len(v)), errMalformed)
	}
	return mark{
		session: binary.BigEndian.Uint64(v),
		journal: int64(binary.BigEndian.Uint64(v[8:])),
		durable: int64(binary.BigEndian.Uint64(v[16:])),
		last:    dag.Index(binary.BigEndian.Uint64(v[24:])),
		head:    chainHash(v[32 : 32+hashLen]),
	}, nil
}

// encodeMeta returns the stored value of a named value: a checksum over key
// and value, then the value.
func encodeMeta(key, v []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(v)), metaSum(key, v))
	return append(b, v...)
}

// decodeMeta returns the value, aliasing b.
func decodeMeta(key, b []byte) ([]byte, error) {
	name := metaName(string(key[1:]))
	if len(b) < 4 {
		return nil, corruptAt(name, int64(len(b)), errMalformed)
	}
	v := b[4:len(b):len(b)]
	if binary.BigEndian.Uint32(b) != metaSum(key, v) {
		return nil, corruptAt(name, 0, errChecksum)
	}
	return v, nil
}

func metaSum(key, v []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v)
}
