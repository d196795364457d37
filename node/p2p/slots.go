package p2p

import "sync"

// slots bounds what happens at one time, with some kept for configured peers:
// however many others hold theirs, these get in. It is safe for concurrent use.
type slots struct {
	mu   sync.Mutex
	free int
	kept int
}

func newSlots(n, kept int) *slots { return &slots{free: n, kept: kept} }

// take takes a slot, and reports whether there was one.
func (s *slots) take(pinned bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 || !pinned && s.free <= s.kept {
		return false
	}
	s.free--
	return true
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
}
