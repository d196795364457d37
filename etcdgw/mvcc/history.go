package mvcc

import "sort"

// historyBlock is how many events one block of history holds.
const historyBlock = 1024

// history is the sequence of all versions, tombstones included, in the order
// they were made, less what was compacted: what watches are served from.
type history struct {
	blocks [][]*version // all full but the last; the first may have nil places
	base   uint64       // sequence number of blocks[0][0]
	first  uint64       // of the first event kept
	next   uint64       // of the next event
	bytes  int64        // of all versions kept: the events', and the older ones they replaced
	// remote is what of bytes are versions no longer visible that were made remotely. standing leaves
	// out of that what events before passed left.
	remote   int64
	standing int64
	passed   uint64
	made     int64 // bytes of all versions that ever were
}

// cost is what a version counts for in bytes.
func (x *version) cost() int64 { return versionOverhead + int64(len(x.kv.Key)+len(x.kv.Value)) }

func (h *history) append(x *version) {
	n := len(h.blocks)
	if n == 0 || len(h.blocks[n-1]) == historyBlock {
		h.blocks = append(h.blocks, make([]*version, 0, historyBlock))
		n++
	}
	if h.next > h.first {
		if last := h.at(h.next - 1); last.kv.ModRevision == x.kv.ModRevision {
			x.sub = last.sub + 1
		}
	}
	h.blocks[n-1] = append(h.blocks[n-1], x)
	h.next++
	h.bytes += x.cost()
	h.made += x.cost()
	left := x.leaves()
	h.remote += left
	h.standing += left
}

// leaves is what an event, whose prev is not cut, leaves in history that was made remotely: the value
// that it replaced, and itself if it is a deletion.
func (x *version) leaves() (bytes int64) {
	if p := x.prev.present(); p != nil && p.remote {
		bytes = p.cost()
	}
	if x.remote && x.tombstone() {
		bytes += x.cost()
	}
	return bytes
}

// pass takes what the event passed left from what stands, and passes it.
func (h *history) pass() {
	h.standing -= h.at(h.passed).leaves()
	h.passed++
}

// forget takes a version that nothing reaches any more from the count. nil is none.
func (h *history) forget(x *version) {
	if x == nil {
		return
	}
	if h.bytes -= x.cost(); x.remote {
		h.remote -= x.cost()
	}
}

// at returns the event with sequence number i, first ≤ i < next.
func (h *history) at(i uint64) *version {
	i -= h.base
	return h.blocks[i/historyBlock][i%historyBlock]
}

// block returns the block with event i and the sequence number of its first
// event. The first block may have nil places before the first event kept.
func (h *history) block(i uint64) (base uint64, events []*version) {
	n := (i - h.base) / historyBlock
	return h.base + n*historyBlock, h.blocks[n]
}

// since returns the sequence number of the first event whose revision is at least rev.
func (h *history) since(rev int64) uint64 {
	n := sort.Search(int(h.next-h.first), func(i int) bool {
		return h.at(h.first+uint64(i)).kv.ModRevision >= rev
	})
	return h.first + uint64(n)
}

// drop forgets the first event.
func (h *history) drop() {
	i := h.first - h.base
	h.blocks[0][i] = nil
	h.first++
	if i+1 == historyBlock {
		h.blocks[0] = nil
		h.blocks = h.blocks[1:]
		h.base += historyBlock
	}
}
