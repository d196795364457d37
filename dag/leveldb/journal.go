package leveldb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// LevelDB's journal format: blocks of 32 KiB, in them chunks, each a header
// (masked CRC-32C of type and payload, length, type) and a payload; a record is
// one full chunk, or a first, middles and a last one. No header crosses the
// end of a block; what is left there is filled with zeros.
const (
	blockLen  = 32 << 10
	headerLen = 7

	chunkFull, chunkFirst, chunkMiddle, chunkLast = 1, 2, 3, 4

	// sectorLen is the smallest unit that a disk writes whole or not at all.
	sectorLen = 512
)

// journalState is what a journal file is found to hold.
type journalState struct {
	clean   int64 // where its last whole record ends, before any damage
	records int   // whole records before any damage

	damaged bool
	at      int64  // the first damaged byte's chunk
	reason  string // what is wrong there
	torn    bool   // the damage is what a power loss leaves of unsynced bytes
}

// claimFunc returns how many bytes of the journal were synced when a record was
// written, as far as the record says, and the session that says so: not
// zero if nobody else can make a record of it.
type claimFunc func(record []byte) (synced int64, session uint64)

// inspectJournal reads a journal and judges its damage, if any
// (docs/store.md section 6). visit, if not
// nil, is called with each whole record before any damage. zeroFree says
// that no record ends in a zero byte, so that one that does lost its end.
func inspectJournal(b []byte, zeroFree bool, visit func(record []byte), claim claimFunc) journalState {
	// Trailing zeros were preallocated, or never written.
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	var st journalState
	var session uint64
	pos := 0
	for {
		record, next, bad := readRecord(b, pos, end)
		if bad != nil {
			st.damaged, st.at, st.reason = true, int64(bad.at), bad.reason
			st.torn = looksTorn(b, bad.at, end, zeroFree) &&
				!claimedBehind(b, bad.at, end, claim) && !claimedAnywhere(b, bad.at, end, session, claim)
			return st
		}
		if record == nil {
			return st
		}
		pos = next
		st.clean = int64(pos)
		st.records++
		_, session = claim(record)
		if visit != nil {
			visit(record)
		}
	}
}

// damage is a place where a journal cannot be read on.
type damage struct {
	at     int
	reason string
}

// readRecord reads the record that begins at pos. It returns no record at the
// end of the journal: where only zeros follow, which begin at end.
func readRecord(b []byte, pos, end int) (record []byte, next int, bad *damage) {
	for first := true; ; first = false {
		pos = skipTrailer(pos)
		if pos >= end {
			if first {
				return nil, pos, nil
			}
			return nil, 0, &damage{pos, "missing chunk"}
		}
		typ, payload, reason := readChunk(b, pos)
		if reason != "" {
			return nil, 0, &damage{pos, reason}
		}
		if begins := typ == chunkFull || typ == chunkFirst; begins != first {
			return nil, 0, &damage{pos, "chunk out of order"}
		}
		pos += headerLen + len(payload)
		if typ == chunkFull {
			return payload, pos, nil
		}
		record = append(record, payload...)
		if typ == chunkLast {
			return record, pos, nil
		}
	}
}

// skipTrailer returns pos, or the next block where no header fits at pos.
func skipTrailer(pos int) int {
	if left := blockLen - pos%blockLen; left < headerLen {
		return pos + left
	}
	return pos
}

func readChunk(b []byte, pos int) (typ byte, payload []byte, reason string) {
	if pos+headerLen > len(b) {
		return 0, nil, "chunk header ends beyond the file"
	}
	typ = b[pos+6]
	if typ < chunkFull || typ > chunkLast {
		return 0, nil, fmt.Sprintf("invalid chunk type %d", typ)
	}
	n := int(binary.LittleEndian.Uint16(b[pos+4:]))
	switch stop := pos + headerLen + n; {
	case stop > (pos/blockLen+1)*blockLen:
		return 0, nil, "chunk ends beyond its block"
	case stop > len(b):
		return 0, nil, "chunk ends beyond the file"
	case binary.LittleEndian.Uint32(b[pos:]) != maskedSum(crc32.Checksum(b[pos+6:stop], castagnoli)):
		return 0, nil, "checksum mismatch"
	default:
		return typ, b[pos+headerLen : stop], ""
	}
}

// maskedSum is LevelDB's masking of a CRC that is stored beside its data.
func maskedSum(c uint32) uint32 { return (c>>15 | c<<17) + 0xa282ead8 }

// looksTorn reports whether the chunk at pos looks like a write that a power
// loss cut short: its end, or at least one of its sectors, was never written.
// Bytes that were written and then altered do not look so.
func looksTorn(b []byte, pos, end int, zeroFree bool) bool {
	if pos >= end || pos+headerLen > len(b) || zeroFree && pos+headerLen > end {
		return true
	}
	typ, n := b[pos+6], int(binary.LittleEndian.Uint16(b[pos+4:]))
	stop := pos + headerLen
	if typ >= chunkFull && typ <= chunkLast && stop+n <= (pos/blockLen+1)*blockLen {
		stop += n
		if stop > len(b) || zeroFree && stop > end {
			// Unless it is all there and only its length is wrong.
			return !sumHoldsShorter(b, pos, end)
		}
	}
	for from := pos; from < stop; {
		to := (from/sectorLen + 1) * sectorLen
		if allZero(b[from:min(to, stop)]) {
			return true
		}
		from = to
	}
	return false
}

// sumHoldsShorter reports whether the checksum of the chunk at pos holds for a
// payload that ends at or before end.
func sumHoldsShorter(b []byte, pos, end int) bool {
	want := binary.LittleEndian.Uint32(b[pos:])
	c := crc32.Checksum(b[pos+6:pos+headerLen], castagnoli)
	for i := pos + headerLen; i < end; i++ {
		c = crc32.Update(c, castagnoli, b[i:i+1])
		if maskedSum(c) == want {
			return true
		}
	}
	return false
}

func allZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// claimedAnywhere reports whether a whole record of the session after the damage
// at pos, wherever it begins, says that the bytes at pos were synced. A stored
// value may well contain what looks like a record, but not the session's number.
func claimedAnywhere(b []byte, pos, end int, session uint64, claim claimFunc) bool {
	if session == 0 {
		return false
	}
	for at := pos + 1; at+headerLen <= end; at++ {
		if typ := b[at+6]; typ != chunkFull && typ != chunkFirst {
			continue
		}
		record, _, _ := readRecord(b, at, end)
		if record == nil {
			continue
		}
		if synced, by := claim(record); by == session && synced > int64(pos) {
			return true
		}
	}
	return false
}

// claimedBehind is claimedAnywhere for records of any session.
//
// It looks only where a header must be: behind the damaged chunk, if its own
// header is whole, and at the beginning of each block. Searching elsewhere
// would take the bytes of a stored value for a record.
func claimedBehind(b []byte, pos, end int, claim claimFunc) bool {
	damaged := pos
	if stop, ok := behindChunk(b, pos); ok {
		pos = stop
	} else {
		pos = (pos/blockLen + 1) * blockLen
	}
	for pos < end {
		record, next, bad := readRecord(b, pos, end)
		if record != nil {
			if synced, _ := claim(record); synced > int64(damaged) {
				return true
			}
		}
		switch {
		case bad != nil:
			// A record whose first chunk is whole may end in damage; a block
			// may begin in the middle of a record. Either way: step over.
			if stop, ok := behindChunk(b, skipTrailer(pos)); ok && stop > pos {
				pos = stop
			} else {
				pos = (pos/blockLen + 1) * blockLen
			}
		case record == nil:
			return false
		default:
			pos = next
		}
	}
	return false
}

// behindChunk returns where the chunk at pos ends by its header, if its header
// lies in one sector, thus was written whole or not at all, and makes sense.
func behindChunk(b []byte, pos int) (int, bool) {
	if pos+headerLen > len(b) || pos/sectorLen != (pos+headerLen-1)/sectorLen {
		return 0, false
	}
	typ, stop := b[pos+6], pos+headerLen+int(binary.LittleEndian.Uint16(b[pos+4:]))
	ok := typ >= chunkFull && typ <= chunkLast && stop <= (pos/blockLen+1)*blockLen
	return stop, ok
}

// entryLen is the length of a mark in a batch, loneMark that of a batch which
// holds nothing else: what Close writes.
const (
	entryLen = 1 + 1 + len(keyMark) + 1 + markLen
	loneMark = 12 + entryLen
)

// batchClaim is the claimFunc of the journal numbered num, whose records are
// batches: the mark, a batch's last entry, says it. It returns zeros for a batch
// without a mark, and no bytes for a mark that speaks of another journal.
//
// A batch is as LevelDB writes it: sequence number (8 bytes), count (4), and per
// entry a type (1 sets, 0 deletes), the key and, if it sets, the value, each with
// its length before it.
func batchClaim(batch []byte, num int64) (synced int64, session uint64) {
	// All lengths in the mark's entry are below 128: a byte each.
	entry := append([]byte{1, byte(len(keyMark))}, keyMark...)
	entry = append(entry, markLen)
	if len(batch) < 12+entryLen || !bytes.HasPrefix(batch[len(batch)-entryLen:], entry) {
		return 0, 0
	}
	m, err := decodeMark(batch[len(batch)-markLen:])
	switch {
	case err != nil:
		return 0, 0
	case m.journal != num:
		return 0, m.session
	default:
		return m.durable, m.session
	}
}
