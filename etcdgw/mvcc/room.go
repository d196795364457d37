package mvcc

import "math"

// Room is how much changes may yet add to the operations of this node.
type Room struct {
	Writes uint64
	Bytes  uint64 // as Change.Size counts them
}

// NoBound is room for everything.
var NoBound = Room{math.MaxUint64, math.MaxUint64}

// SetRoom bounds what each request evaluated from now on may add to the
// operations of this node. What has no room fails with ErrNoRoom before
// anything is applied; local keys need none. Before the first call there is no bound. Only
// the writer may call it.
func (v *View) SetRoom(r Room) { v.room = r }
